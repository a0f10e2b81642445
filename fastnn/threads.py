"""How many threads a call may use, and whether results may depend on it."""

from __future__ import annotations

import numba

from fastnn import sharing
from fastnn.ops import checks

_invariant = False


def get_num_threads() -> int:
    """The most threads that one call uses; at first the physical cores that the process may use."""
    return sharing.most_threads()


def set_num_threads(count: int) -> None:
    """Use at most so many threads from now on, in every net. Small steps stay on one thread all the same.

    Raises TypeError for no integer; ValueError below 1, or above what Numba was started with (NUMBA_NUM_THREADS).
    """
    wanted = checks.count("count", count)
    if wanted > numba.config.NUMBA_NUM_THREADS:
        raise ValueError(f"count: got {wanted}, expected at most {numba.config.NUMBA_NUM_THREADS} (NUMBA_NUM_THREADS)")
    sharing.use_threads(wanted)


def is_thread_invariant() -> bool:
    """Whether training steps give the same bits at any number of threads; at first not."""
    return _invariant


def set_thread_invariant(invariant: bool) -> None:
    """Whether training steps shall give the same bits at any number of threads.

    At a fixed number they always do, from run to run, and the other functions at any. For steps it costs memory for up
    to eight gradients and the time to add them up, 5% as a rule. Raises TypeError for no bool.
    """
    global _invariant
    _invariant = checks.flag("invariant", invariant)
