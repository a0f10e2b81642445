"""How many threads a call uses, whether results may depend on it, and the region in which kernels use them."""

from __future__ import annotations

import ctypes
import os
import warnings

import numba
import numpy as np

from fastnn.alloc import aligned_zeros
from fastnn.cpus import usable_threads
from fastnn.intrinsics import region_words
from fastnn.intrinsics.cells import is_compiling
from fastnn.scalar_checks import count as checked_count
from fastnn.scalar_checks import flag

# The least work for which a single call takes one more worker: a parallel region costs 1 to 10 microseconds, and what
# one core wrote last another must fetch. Steps and predictions, which look at their pace, take workers for less
# (`fastnn/sharing.py`).
FLOPS_OF_A_WORKER = 8_000_000

# What `intrinsics.enter_parallel_region` reads, and whether small steps must ask Python how they are shared; behind
# them are the words of the crew (`fastnn/step/crew.py`). Kernels take the lock themselves, and release it before they
# return to Python: no signal can come in between, and a signal handler never finds it taken by its own thread.
_LOCK, _THREADS, _SHARES = 0, 1, 2

# Between how many workers a large step is shared where results must not depend on the number of threads.
INVARIANT_WORKERS = 8
_allocate_lock = ctypes.pythonapi.PyThread_allocate_lock
_allocate_lock.restype = ctypes.c_void_p
_region = aligned_zeros((region_words(max(numba.config.NUMBA_NUM_THREADS, INVARIANT_WORKERS)),), np.dtype(np.int64))
_region[: _SHARES + 1] = _allocate_lock(), usable_threads(), usable_threads() > 1

# The address of the parallel region, an argument of every kernel that uses threads.
PARALLEL_REGION: int = _region.ctypes.data

# The address of an int64: whether a step may be shared between workers, as it may not be on one thread.
SHARES: int = PARALLEL_REGION + _SHARES * _region.itemsize

_sharing = int(_region[_THREADS]), False
_forked_from_threads = False


def get_num_threads() -> int:
    """The most threads that one call uses.

    At first the smallest of: the physical cores that the process may use, the CPU quota of its control group (of a
    container), and the environment variables OMP_NUM_THREADS and NUMBA_NUM_THREADS. 1 in a process forked from one
    in which Numba has started threads.
    """
    return _sharing[0]


def at_hand() -> int:
    """The most threads that a call may use now.

    One within Numba's compiler, which a signal handler has interrupted: where other threads meet what is yet to be
    compiled, they would wait for that compiler, and it for them.
    """
    return 1 if is_compiling() else _sharing[0]


def set_num_threads(count: int) -> None:
    """Use at most so many threads from now on, in every net. Small steps stay on one thread all the same.

    `numba.set_num_threads` is another setting, which neither counts here nor is changed. Raises TypeError for no
    integer; ValueError below 1, or above what Numba was started with (NUMBA_NUM_THREADS). In a process forked from one
    in which Numba has started threads, whether by fastnn or not, one thread stays all that is used, and more give a
    RuntimeWarning: GNU OpenMP ends such a process when it asks for threads. Those started by "spawn" or "forkserver"
    may use as many as any.
    """
    wanted = checked_count("count", count)
    if wanted > numba.config.NUMBA_NUM_THREADS:
        raise ValueError(f"count: got {wanted}, expected at most {numba.config.NUMBA_NUM_THREADS}: {_said_by()}")
    if wanted > 1 and _forked_from_threads:
        warnings.warn(
            f"count: got {wanted}, but this process was forked from one that had started threads, and uses 1; "
            'start it with multiprocessing.get_context("spawn") or "forkserver"',
            RuntimeWarning,
            stacklevel=2,
        )
        wanted = 1
    _share(wanted, _sharing[1])


def _said_by() -> str:
    """What Numba has the number of its threads from."""
    if "NUMBA_NUM_THREADS" in os.environ:
        return "NUMBA_NUM_THREADS"
    return "the CPUs that this process might use when it began"


def is_thread_invariant() -> bool:
    """Whether training steps give the same bits at any number of threads; at first not."""
    return _sharing[1]


def sharing() -> tuple[int, bool]:
    """What says between how many workers a step is shared: the number of threads, and whether it must not matter."""
    return _sharing


def _share(threads: int, invariant: bool) -> None:
    global _sharing
    _sharing = threads, invariant
    _region[_THREADS], _region[_SHARES] = threads, threads > 1 or invariant


def set_thread_invariant(invariant: bool) -> None:
    """Whether training steps shall give the same bits at any number of threads.

    At a fixed number they always do, from run to run, and the other functions at any; and the weights after steps on up
    to 64 rows, without a penalty, a bound of the gradient's norm or a root of the mean, whose sums are added up worker
    by worker, as that of the loss. On more rows it costs memory for up to eight gradients and the time to add them up,
    5% as a rule. Raises TypeError for no bool.
    """
    _share(_sharing[0], flag("invariant", invariant))


def _after_fork_in_child() -> None:
    """The threads of the parent are gone in the child: where it had some, the child must not ask for them."""
    global _forked_from_threads
    try:
        numba.threading_layer()
    except ValueError:  # not started yet
        return
    _forked_from_threads = True
    _share(1, _sharing[1])


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
