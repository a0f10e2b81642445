"""How many threads one call may use."""

from __future__ import annotations

import numba

from fastnn import sharing
from fastnn.ops import checks


def get_num_threads() -> int:
    """The most threads that one call uses; at first the physical cores that the process may use."""
    return sharing.most_threads()


def set_num_threads(count: int) -> None:
    """Use at most so many threads from now on. Small steps and small products stay on one thread all the same.

    Raises TypeError for no integer; ValueError below 1, or above what Numba was started with (NUMBA_NUM_THREADS).
    """
    wanted = checks.count("count", count)
    if wanted > numba.config.NUMBA_NUM_THREADS:
        raise ValueError(f"count: got {wanted}, expected at most {numba.config.NUMBA_NUM_THREADS} (NUMBA_NUM_THREADS)")
    sharing.use_threads(wanted)
