"""The ceilings: the machine code does what it says, and the numbers are a machine's."""

from __future__ import annotations

import platform

import numpy as np
import pytest

from benchmarks import ceilings, machine
from benchmarks.peers import PEERS


def inner_loop(assembly: str) -> list[str]:
    """The instructions of the block with the most multiply-adds: from its label to the jump back."""
    blocks: list[list[str]] = [[]]
    for line in assembly.splitlines():
        if line.startswith(".LBB"):
            blocks.append([])
        elif line.strip() and not line.strip().startswith("."):
            blocks[-1].append(line.split("#")[0].strip())
    return max(blocks, key=lambda block: sum(line.startswith("vfmadd") for line in block))


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64") or not ceilings.FUSES, reason="reads x86-64 FMA")
@pytest.mark.parametrize(("dtype", "suffix"), [("float32", "ps"), ("float64", "pd")])
def test_the_arithmetic_ceiling_is_chains_of_vector_multiply_adds_in_registers(dtype: str, suffix: str):
    scalar = np.dtype(dtype).type
    ceilings.spin(10, scalar(0.5), scalar(1))
    signature = next(s for s in ceilings.spin.signatures if str(s[1]) == dtype)
    loop = inner_loop(ceilings.spin.inspect_asm(signature))
    multiply_adds = [line for line in loop if line.startswith("vfmadd")]
    register = {512: "%zmm", 256: "%ymm", 128: "%xmm"}[ceilings.vector_bits()]
    assert all(line.split()[0].endswith(suffix) and line.count(register) == 3 for line in multiply_adds)
    targets = {line.split(",")[-1].strip() for line in multiply_adds}
    assert len(targets) == ceilings.CHAINS
    assert len(multiply_adds) % ceilings.CHAINS == 0
    assert not [line for line in loop if "(" in line], "memory is touched"
    assert len(loop) - len(multiply_adds) <= 4, "more than the loop's own counting"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_chains_compute_what_they_say(dtype: str):
    scalar = np.dtype(dtype).type
    starts = np.arange(ceilings.CHAINS) * 1.0
    for _ in range(3):
        starts = starts * 0.5 + 1
    assert ceilings.spin(3, scalar(0.5), scalar(1)) == pytest.approx(starts.sum())


def test_triad_and_sum_touch_every_element():
    b, c = np.arange(1000.0), np.ones(1000)
    a = np.empty(1000)
    ceilings.triad(a, b, c, 3.0)
    assert (a == b + 3).all()
    assert ceilings.total(b) == b.sum()


def test_ceilings_are_of_a_machine_and_count_every_thread(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ceilings, "array_bytes", lambda: 24 * 2**20)
    assert 1e9 < ceilings.flops_per_second(1, "float32", 0.01) < 1e12
    assert 1e8 < ceilings.bytes_per_second(1, "float64") < 1e12


def test_work_is_shared_out_and_counted(monkeypatch: pytest.MonkeyPatch):
    """With seconds that are made up: twice the threads in the same time are twice the work."""
    monkeypatch.setattr(ceilings, "best_seconds", lambda *work_threads_repetitions: 0.1)
    monkeypatch.setattr(ceilings, "array_bytes", lambda: 24 * 2**20)
    lanes = ceilings.vector_bits() // 32
    assert ceilings.flops_per_second(1, "float32") == pytest.approx(2 * 1000 * ceilings.CHAINS * lanes / 0.1)
    assert ceilings.flops_per_second(2, "float32") == 2 * ceilings.flops_per_second(1, "float32")
    for threads in (1, 2):
        assert ceilings.bytes_per_second(threads, "float32") == pytest.approx(24 * 2**20 / 0.1)


def test_a_failing_measurement_says_why(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(RuntimeError, match="exit code 1: TypeError"):
        ceilings.measure(1, "float33")


def test_arrays_are_beyond_the_caches_and_within_memory(monkeypatch: pytest.MonkeyPatch):
    def sizes(cache: int, memory: int) -> int:
        monkeypatch.setattr(ceilings, "largest_cache", lambda: cache)
        monkeypatch.setattr(ceilings, "available_memory", lambda: memory)
        return ceilings.array_bytes()

    assert sizes(64 * 2**20, 64 * 2**30) == 256 * 2**20
    assert sizes(480 * 2**20, 64 * 2**30) == 2**30
    assert sizes(480 * 2**20, 4 * 2**30) == 512 * 2**20
    assert sizes(2**20, 2**30) == ceilings.SMALLEST_ARRAYS


def test_the_machine_is_described_without_names(tmp_path):
    info = machine.machine_info()
    assert info["cpu"]["brand_raw"]
    assert info["cpu"]["usable"] >= 1
    assert info["node"] == ""
    assert platform.node() not in str(info) or not platform.node()
    assert any("openblas" in name or name for name in machine.blas())
    assert all("/" not in name for name in machine.blas())
    assert machine.versions([PEERS["numpy"], PEERS["pytorch"]])["numpy"] == np.__version__
    assert machine.commit_info(tmp_path) == {}


def test_a_system_that_tells_nothing_is_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path):
    monkeypatch.setattr(machine, "cache_sizes", dict)
    monkeypatch.setattr(machine, "_read", lambda path: "")
    monkeypatch.delattr("os.getloadavg", raising=False)
    assert machine.largest_cache() > 0
    assert machine.available_memory() > 0
    assert machine.load_average() is None
    assert machine.cpu_name()
