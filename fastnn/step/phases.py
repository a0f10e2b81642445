"""How an entry kernel has a phase done, by its address; and how a batch is cut up for it."""

from __future__ import annotations

from numba.core import types

from fastnn.intrinsics import indirect_call
from fastnn.jit import force_inline

# call_phase(slot, ...): the plan, and the number of the worker (not for what is done once). The address of the plan is
# passed without a type, because a phase is compiled for a plan of its own precision.
call_phase = indirect_call(types.none)


@force_inline
def cut_rows(plan, n, workers):
    """Cut n rows into row blocks of one size, a multiple of eight, as many for each worker: none has much more to do.

    There are more row blocks than workers exactly if n > workers * most_rows.
    """
    most = workers * plan.most_rows
    each = (n + most - 1) // most
    plan.block_rows = (n + 8 * workers * each - 1) // (8 * workers * each) * 8
    plan.n_blocks = (n + plan.block_rows - 1) // plan.block_rows
