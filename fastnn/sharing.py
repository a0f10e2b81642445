"""What the threads of a process share work by: how many there are, what each must have to do, whose turn it is."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import numba

# What a worker must have to do: a parallel region costs 1 to 10 microseconds, and what one core wrote last another must
# fetch. Measured with steps on two threads (the fast path); single calls go by it too.
FLOPS_OF_A_WORKER = 8_000_000


def _allowed_cpus() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _physical_cores() -> int:
    """Cores, not hardware threads, that the process may use: two threads of one core share its arithmetic units."""
    cores: set[Any] = set()
    for cpu in _allowed_cpus():
        topology = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology")
        try:
            cores.add(((topology / "physical_package_id").read_text(), (topology / "core_id").read_text()))
        except OSError:
            cores.add(cpu)
    return len(cores)


_most_threads = min(_physical_cores(), numba.config.NUMBA_NUM_THREADS)


def most_threads() -> int:
    """The most threads that one call uses; at first the physical cores that the process may use."""
    return _most_threads


def use_threads(count: int) -> None:
    """Use at most so many threads from now on."""
    global _most_threads
    _most_threads = count


class _ParallelRegion:
    """Numba's threads for one kernel: as many as were chosen, and nobody else's meanwhile.

    They serve one region at a time; which of Numba's threading layers would survive two is not ours to choose.
    """

    def __init__(self) -> None:
        self._taken = threading.Lock()

    def __enter__(self) -> None:
        self._taken.acquire()
        numba.set_num_threads(_most_threads)

    def __exit__(self, *error: object) -> None:
        self._taken.release()


parallel_region = _ParallelRegion()


# The threads of the parent are gone in a forked child, and GNU OpenMP ends a child that asks for them.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: use_threads(1))
