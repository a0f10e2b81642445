"""How an entry kernel has a phase done, by its address; and how a batch is cut up for it, or shared."""

from __future__ import annotations

from numba.core import types

from fastnn.intrinsics import indirect_call
from fastnn.jit import force_inline, shared
from fastnn.linalg.packing import busiest_part

# call_phase(slot, ...): the plan, the number of the worker (not for what is done once), and that of the stage (only for
# what has several). The address of the plan is passed without a type, because a phase is compiled for a plan of its own
# precision.
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


# Reading all weights takes as long as so many rows more: where each worker has few rows, a part of them takes less.
ROWS_OF_READING = 4


@shared
def columns_pay(n, workers, panels):
    """Whether wide layers take no longer for n rows where workers share them by panels, of which a layer has so many,
    than by rows."""
    rows = busiest_part(n, workers) + ROWS_OF_READING
    return n * ((panels + workers - 1) // workers) <= rows * panels


@force_inline
def share_or_cut_rows(plan, n, workers):
    """Leave n rows in one row block, whose pass the workers share, or cut them up where they are too many for that."""
    plan.shares_pass = workers > 1 and n <= plan.most_rows
    plan.shared_layers = plan.wide_layers if plan.shares_pass and columns_pay(n, workers, plan.fewest_panels) else 0
    cut_rows(plan, n, 1 if plan.shares_pass else workers)
