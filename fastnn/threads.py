"""How many threads one call may use."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import numba

# Numba's threads serve one region at a time; which of its threading layers would survive two is not ours to choose.
one_parallel_region = threading.Lock()

# What a worker must have to do: a parallel region costs 5 to 10 microseconds.
FLOPS_OF_A_WORKER = 10_000_000


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


_most = min(_physical_cores(), numba.config.NUMBA_NUM_THREADS)
_chosen = _most


def get_num_threads() -> int:
    """The most threads that one call uses; at first the physical cores that the process may use."""
    return _chosen


def set_num_threads(count: int) -> None:
    """Use at most so many threads from now on. Small steps and products stay on one thread all the same.

    Raises TypeError for no integer; ValueError below 1, or above what Numba was started with (NUMBA_NUM_THREADS).
    """
    from fastnn.ops import checks  # here, for the public functions of `ops` ask this module

    global _chosen
    wanted = checks.count("count", count)
    if wanted > numba.config.NUMBA_NUM_THREADS:
        raise ValueError(f"count: got {wanted}, expected at most {numba.config.NUMBA_NUM_THREADS} (NUMBA_NUM_THREADS)")
    _chosen = wanted


def _one_thread_after_fork() -> None:
    # The threads of the parent are gone in a forked child, and GNU OpenMP ends a child that asks for them.
    global _chosen
    _chosen = 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_one_thread_after_fork)
