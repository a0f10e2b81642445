"""The predictions of a net: the forward pass alone, shared between workers as in a step."""

from __future__ import annotations

import numpy as np
from numba.core import types

from fastnn.intrinsics import offset, opaque, pointer
from fastnn.jit import force_inline, inline_ir, kernel
from fastnn.linalg.packing import part_start
from fastnn.linalg.sparse_inputs import NEVER, sparsity_of
from fastnn.step.arguments import data_of
from fastnn.step.crew import in_parallel
from fastnn.step.forward import forward_block
from fastnn.step.phases import call_phase, share_or_cut_rows
from fastnn.step.plan import STEP, block_of, layer_of
from fastnn.step.shared_pass import begin_shared_pass, forward_by_rows, forward_columns, take_share_of_rows
from fastnn.units import unit

_step_of = STEP.at


@unit("StepPlan -> none")
def begin_predictions(plan):
    """What all workers of `predict_rows` need."""
    first = layer_of(plan.layers, 0, plan)
    plan.x = pointer(plan.x_address, plan.zeros[0])
    plan.sparsity = NEVER
    if not plan.compressed:
        plan.sparsity = sparsity_of(plan.x, plan.n, first.inputs, plan.parameters, first.outputs - first.tail)
    share_or_cut_rows(plan, plan.n, plan.workers)
    plan.stages = 1
    if plan.shares_pass:
        begin_shared_pass(plan)
        plan.stages += plan.takes_rows + plan.shared_layers


@inline_ir
def _write(plan, first, m, begin, end, block):
    """z ← the last layer's outputs for the rows from `begin` to `end` of a row block of m rows."""
    last, z = layer_of(plan.layers, plan.n_layers - 1, plan), pointer(plan.z, plan.zeros[0])
    y = offset(block.activations, m * last.column)
    for r in range(begin, end):
        for c in range(last.outputs):
            z[(first + r) * last.outputs + c] = y[r * last.row + c]


@unit("StepPlan int int -> none")
def predict_rows(plan, worker, stage):
    """z (n, outputs) ← the last layer's output for n rows x: the worker's row blocks, or its share in a stage of the
    pass that all workers share."""
    n, workers = plan.n, plan.workers
    if plan.shares_pass:
        block, stage = block_of(plan.blocks, 0, plan), stage - plan.takes_rows
        begin, end = part_start(n, worker, workers), part_start(n, worker + 1, workers)
        if stage < 0:
            take_share_of_rows(plan, begin, end, block)
        elif stage < plan.shared_layers:
            forward_columns(plan, stage, worker, block)
        elif begin < end:
            forward_by_rows(plan, begin, end, block)
            _write(plan, 0, n, begin, end, block)
        return
    block, n_blocks = block_of(plan.blocks, worker, plan), plan.n_blocks
    for index in range(n_blocks * worker // workers, n_blocks * (worker + 1) // workers):
        first = index * plan.block_rows
        m = min(plan.block_rows, n - first)
        forward_block(plan, first, m, block)
        _write(plan, first, m, 0, m, block)


def prediction_addresses(real: types.Float) -> tuple[int, int]:
    """Where `begin_predictions` and `predict_rows` are in memory, compiled for that precision."""
    return begin_predictions.unit.link(real), predict_rows.unit.link(real)


@force_inline
def _begin(slot, address, x, n, z, workers):
    plan = _step_of(address, 0, np.float32(0))
    # Without an array x is what the plan has: compressed rows.
    if x != 0:
        plan.x_address = data_of(x)
    plan.n, plan.z, plan.workers, plan.parts = n, data_of(z), workers, workers
    call_phase(slot, opaque(address))
    return plan.stages


@kernel
def predict(begin, phase, address, x, n, z):
    """z (n, outputs) ← the last layer's output for n rows x, on the calling thread.

    begin, phase : `prediction_addresses`. address : of the plan, which has a BLOCK. x, z : the `id` of C-contiguous
    arrays in the net's dtype; x may be 0 where the plan loads rows.
    """
    _begin(begin, address, x, n, z, 1)
    call_phase(phase, opaque(address), 0, 0)


@kernel
def parallel_predict(begin, phase, address, x, n, z, workers, region):
    """`predict`, to the bit, between so many workers, each on a thread of the parallel region, whose address is
    `region`."""
    stages = _begin(begin, address, x, n, z, workers)
    in_parallel(phase, stages, 0, 0, address, workers, region)
