"""The predictions of a net: the forward pass alone, row block by row block, shared between workers."""

from __future__ import annotations

import numpy as np

from fastnn.intrinsics import opaque
from fastnn.jit import force_inline, kernel
from fastnn.step.arguments import data_of
from fastnn.step.crew import in_parallel
from fastnn.step.phases import call_phase, cut_rows
from fastnn.step.plan import STEP

_step_of = STEP.at


@force_inline
def _begin(slot, address, x, n, z, workers):
    plan = _step_of(address, 0, np.float32(0))
    # Without an array x is what the plan has: compressed rows.
    if x != 0:
        plan.x_address = data_of(x)
    plan.n, plan.z, plan.workers = n, data_of(z), workers
    cut_rows(plan, n, workers)
    call_phase(slot, opaque(address))


@kernel
def predict(begin, part, address, x, n, z, workers):
    """z (n, outputs) ← the last layer's output for n rows x, on the calling thread.

    begin, part : `prediction_addresses`. address : of the plan, which has a BLOCK for each worker. x, z : the `id` of
    C-contiguous arrays in the net's dtype; x may be 0 where the plan loads rows.
    """
    _begin(begin, address, x, n, z, workers)
    for worker in range(workers):
        call_phase(part, opaque(address), worker)


@kernel
def parallel_predict(begin, part, address, x, n, z, workers, region):
    """`predict`, each worker on a thread of the parallel region, whose address is `region`."""
    _begin(begin, address, x, n, z, workers)
    in_parallel(part, 1, 0, 0, address, workers, region)
