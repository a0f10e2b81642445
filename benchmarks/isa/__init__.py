"""Every library held to narrower vectors than this CPU has, so that a wide machine measures what users of others get.

    python -m benchmarks --isa avx2             races at that width
    python -m benchmarks.isa avx2 COMMAND ...   runs any command at that width, for example the tests

Libraries read their switches as they are loaded, and most load in `python -m benchmarks` itself. So the whole command
is started anew in the environment of `environment`, which every process that it starts inherits: the workers, the
ceilings, single calls. Whether a library obeys is asked in `benchmarks.isa.vectors`.

At the native width every library chooses for itself: what holds one of them in the environment of the command is left
out of that of the workers, and named in the report.
"""

from __future__ import annotations

import importlib
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

NATIVE = "native"
LABELS = {"avx2": "AVX2"}  # the widths that there are switches for
CHOICES = (NATIVE, *LABELS)
NEEDED = {"avx2": ("avx2", "fma")}  # features of the CPU
WIDER = "avx512f"  # the feature of a CPU on which holding makes a difference

# The width that this process and those it starts are held to.
MARK = "FASTNN_BENCHMARKS_ISA"

# Of each library, the variables that hold it. Those of a compiler name the oldest CPU that has the instructions.
SWITCHES = {
    "avx2": {
        # Numba: fastnn, hand-written kernels, the measured FMA peak.
        "NUMBA_CPU_NAME": "haswell",
        "NUMBA_CPU_FEATURES": "+avx,+avx2,+fma,+bmi,+bmi2,+f16c,+popcnt,+sse4.2",
        # The OpenBLAS of NumPy and of SciPy, with it scikit-learn's.
        "OPENBLAS_CORETYPE": "Haswell",
        # PyTorch: its own kernels and which vectors its compiler writes; the CPU that the C++ compiler then compiles
        # for; MKL, whose products it calls; oneDNN, also TensorFlow's.
        "ATEN_CPU_CAPABILITY": "avx2",
        "TORCHINDUCTOR_CPP_MARCH": "haswell",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
    }
}
# The same, for variables that hold several settings, with what is between them: others' are kept.
ADDED = {
    "avx2": {
        "XLA_FLAGS": (" ", "--xla_cpu_max_isa=AVX2"),
        # The C library's copying of memory, in every process.
        "GLIBC_TUNABLES": (":", "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW,-AVX512DQ,-AVX512CD"),
    }
}
NUMPY_SWITCH = "NPY_DISABLE_CPU_FEATURES"  # which takes the names of what to leave, and warns of unknown ones
# All that hold a library, whoever has set them.
HOLDING = tuple(dict.fromkeys([*(variable for switches in SWITCHES.values() for variable in switches), NUMPY_SWITCH]))
NUMPY_WIDER = ("AVX512", "X86_V4")  # how NumPy's names of wider features begin, in all of its versions


class IsaError(Exception):
    """A width that this machine cannot be held to; the message says why."""


def held() -> str:
    """The width that this process is held to, or "native"."""
    return os.environ.get(MARK, NATIVE)


def label(name: str) -> str:
    """For people: "held to AVX2"; "" for the native width."""
    return f"held to {LABELS.get(name, name)}" if name != NATIVE else ""


def left_out(base: Mapping[str, str]) -> list[str]:
    """Variables that hold a library though the race is at the native width: systems are set up with such."""
    return [variable for variable in HOLDING if variable in base] if base.get(MARK, NATIVE) == NATIVE else []


def as_chosen(base: Mapping[str, str]) -> dict[str, str]:
    """`base` without what is left out: for processes in which every library chooses, or all are held."""
    without = left_out(base)
    return {variable: value for variable, value in base.items() if variable not in without}


def environment(name: str, base: Mapping[str, str]) -> dict[str, str]:
    """`base` with every switch of a width set; as it is where they are set already.

    Raises IsaError where the CPU lacks the width or the system is not one that has been tried.
    """
    _require(name)
    if base.get(MARK) == name:
        return dict(base)
    added = {
        variable: between.join(filter(None, [base.get(variable), setting]))
        for variable, (between, setting) in ADDED[name].items()
    }
    left = " ".join(filter(None, [base.get(NUMPY_SWITCH), *numpy_features()]))
    return {**base, **SWITCHES[name], **added, NUMPY_SWITCH: left, MARK: name}


def numpy_features() -> list[str]:
    """NumPy's names of the wider vectors that this CPU has and that this NumPy has code for."""
    core = numpy_core()
    found = core.__cpu_features__
    return [name for name in core.__cpu_dispatch__ if name.startswith(NUMPY_WIDER) and found.get(name)]


def numpy_core() -> Any:
    """NumPy's module that knows of its loops, which version 2 has under another name."""
    import numpy

    return importlib.import_module(f"numpy.{'_core' if numpy.__version__ >= '2' else 'core'}._multiarray_umath")


def run(name: str, command: Sequence[str]) -> NoReturn:
    """Become `command`, held to a width. Raises IsaError, and OSError where there is no such command."""
    held_environment = environment(name, os.environ)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execvpe(command[0], list(command), held_environment)


def cpu_features() -> set[str]:
    """Of the CPU itself, whatever is held to what; LLVM's names."""
    from llvmlite import binding

    return {name for name, present in binding.get_host_cpu_features().items() if present}


def _require(name: str) -> None:
    if held() not in (NATIVE, name):
        raise IsaError(f"{name}: this process is {label(held())} already")
    if name not in LABELS:
        raise IsaError(f"unknown {name}; known are {', '.join(LABELS)}")
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise IsaError(f"{name}: libraries are held on Linux and x86-64 alone, this is {platform.platform(terse=True)}")
    absent = [feature for feature in NEEDED[name] if feature not in cpu_features()]
    if absent:
        raise IsaError(f"{name}: this CPU has no {' and no '.join(absent)}")
