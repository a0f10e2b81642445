"""How an entry kernel has a phase done: by its address, for one worker, or for all workers on threads."""

from __future__ import annotations

from numba import prange
from numba.core import types

from fastnn.intrinsics import indirect_call, opaque
from fastnn.jit import parallel_kernel

# call_phase(slot, ...): the plan, and the number of the worker (not for what is done once). The address of the plan is
# passed without a type, because a phase is compiled for a plan of its own precision.
call_phase = indirect_call(types.none)


@parallel_kernel
def for_each_worker(slot, address, workers):
    """One phase of all workers, each on a thread."""
    for worker in prange(workers):
        call_phase(slot, opaque(address), worker)
