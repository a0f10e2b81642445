#!/usr/bin/env bash
# A part of the tests on a CPU that is not at hand, emulated by qemu-user, with the wheels of that system's Numba:
#
#     tests/emulated/run.sh aarch64 [ARGUMENT OF PYTEST ...]     64-bit ARM, whose vectors are NEON's
#     tests/emulated/run.sh x86-64-v2 [ARGUMENT OF PYTEST ...]   x86-64 without AVX and fused multiply-adds (Nehalem)
#
# The part is `selected.txt`; arguments take its place (`tests/test_mlp.py -k nan`), but for -v, -x and others that
# begin with a dash. Compiling, emulated, takes nearly all of the time, a quarter of an hour or so on one core; kernels are
# kept, and further runs of the same code are much shorter.
#
# Needs Debian or Ubuntu and no root: qemu-user, python3 with pip, and for aarch64 debian-archive-keyring too
# (apt-get install qemu-user python3-pip debian-archive-keyring). For aarch64 it fetches Debian's Python of that
# architecture, 16 MB, and the wheels from PyPI into a folder of its own, ${XDG_CACHE_HOME:-~/.cache}/fastnn-emulated.
# x86-64-v2 runs the Python that `PYTHON` names (default python3), with the packages that it has.
#
# Tests that start processes fail on aarch64: the kernel would have to know how to run what is started.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../.." && pwd)
architecture=${1:-}
shift || true
folder=${XDG_CACHE_HOME:-$HOME/.cache}/fastnn-emulated/$architecture
root=$folder/root packages=$folder/packages

# A system of that architecture: Debian's Python and C library, unpacked and not installed.
unpack_debian() {
    local apt=$folder/apt
    mkdir -p "$apt"/{lists/partial,archives/partial,dpkg}
    touch "$apt/dpkg/status"
    cat > "$apt/apt.conf" <<EOF
APT::Architecture "$1";
APT::Architectures { "$1"; };
APT::Install-Recommends "false";
Dir::State "$apt";
Dir::State::lists "$apt/lists";
Dir::State::status "$apt/dpkg/status";
Dir::Cache "$apt";
Dir::Cache::archives "$apt/archives";
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "-";
Debug::NoLocking "true";
EOF
    local keys=/usr/share/keyrings/debian-archive-keyring.gpg
    echo "deb [signed-by=$keys] http://deb.debian.org/debian bookworm main" > "$apt/sources.list"
    APT_CONFIG=$apt/apt.conf apt-get -q update
    APT_CONFIG=$apt/apt.conf apt-get -q install -y --download-only python3.11 libstdc++6 libgomp1
    for archive in "$apt"/archives/*.deb; do
        dpkg-deb -x "$archive" "$root"
    done
}

fetch_wheels() {
    "${PYTHON:-python3}" -m pip install -q --upgrade --target "$packages" --python-version 3.11 --implementation cp \
        --only-binary=:all: --platform "manylinux_2_28_$1" --platform "manylinux_2_27_$1" \
        --platform "manylinux2014_$1" "numba>=0.63,<0.69" numpy scipy pandas pytest hypothesis
}

case $architecture in
    aarch64)
        [ -x "$root/usr/bin/python3.11" ] || unpack_debian arm64
        [ -d "$packages/numba" ] || fetch_wheels aarch64
        python=(qemu-aarch64 -L "$root" "$root/usr/bin/python3.11")
        export PYTHONPATH=$repository:$packages
        ;;
    x86-64-v2)
        python=(qemu-x86_64 -cpu Nehalem "$(command -v "${PYTHON:-python3}")")
        # NumPy's OpenBLAS goes by the maker's name of the CPU, which qemu leaves as it is.
        export PYTHONPATH=$repository OPENBLAS_CORETYPE=Nehalem
        ;;
    *)
        echo "usage: $0 aarch64|x86-64-v2 [ARGUMENT OF PYTEST ...]" >&2
        exit 2
        ;;
esac

options=() chosen=()
for argument; do
    if [[ ${#chosen[@]} -eq 0 && $argument == -[vxq]* ]]; then options+=("$argument"); else chosen+=("$argument"); fi
done
if [[ ${#chosen[@]} -eq 0 ]]; then
    mapfile -t chosen < <(grep -v '^#' "$here/selected.txt")
fi
cd "$repository"
export FASTNN_CACHE_DIR=$folder/kernels
"${python[@]}" -c '
import platform
from fastnn.intrinsics import MR, NR_VECTORS, VECTOR_BYTES
print(f"{platform.machine()}: vectors of {VECTOR_BYTES} bytes, micro-tile of {MR} x {NR_VECTORS}", flush=True)'
exec "${python[@]}" -m pytest -p no:cacheprovider --durations=10 "${options[@]}" "${chosen[@]}"
