"""The whole training step of a multi-layer perceptron, row block by row block.

Each worker takes its row blocks through forward, loss and backward while they are in the second-level cache, or all
share the pass of one (`step/shared_pass.py`); nothing grows with the batch. Then each updates its part of the
parameters.

The entry kernels `train_step` and `parallel_train_step` call, in this order: `start_step`, which looks at the
arguments, takes the lock of the net and calls the phase `begin`; `work`, the phases `accumulate_gradients`, or
`share_pass` stage by stage, and `apply_update`, each once for each worker, or in turns some once for all, with the
phase `transform_gradients` between them where it is needed; and `finish_step`. `step/epoch.py` has the same for many
steps in one call. The phases are units, called by their addresses, which the plan holds, so that each is compiled once
for all that call it.

The entry kernels, `start_step` and `finish_step` are compiled once for both precisions. They read the plan as one of
float32, but only its integers, float64 numbers and the addresses of such, which lie in the same places in either.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba.core import types

from fastnn.intrinsics import (
    flush_subnormals,
    indirect_call,
    offset,
    opaque,
    pointer,
    restore_subnormals,
    try_lock,
    unlock,
)
from fastnn.jit import entry_point, force_inline, kernel
from fastnn.kernels.encoding import first_label_out_of_range
from fastnn.linalg.sparse_inputs import NEVER, sparsity_of
from fastnn.step.arguments import data_of, rows_like_last
from fastnn.step.backward import forward_backward_block, transpose_weights
from fastnn.step.crew import in_parallel
from fastnn.step.deltas import finish_deltas
from fastnn.step.phases import call_phase, share_or_cut_rows
from fastnn.step.plan import STEP, block_of, layer_of, loss_of, optimizer_of
from fastnn.step.shared_pass import begin_shared_pass, share_pass, stages_of_step
from fastnn.step.transform import penalizes, transform_gradients
from fastnn.step.update import add_block_gradient, apply_update
from fastnn.units import unit

# What a step returns beside its loss: that it was made; that nothing was done, for the arrays are not like the last
# ones, or they are but have more rows, or for another thread trains the net; or the position of the first label out of
# range.
DONE, UNLIKE_LAST, IN_USE, MORE_ROWS = -1, -2, -3, -4

# _call_constants(slot, hyper, step, constants): writes the constants of the step. The first is the weight decay; if the
# update is linear, the second is the rate.
_call_constants = indirect_call(types.none)

# _call_sum_weights(slot, t, n, options): the sum of the weights of n rows, from the address of their targets.
_call_sum_weights = indirect_call(types.float64)

_step_of = STEP.at


@unit("StepPlan -> none")
def begin(plan):
    """What all workers need: how the batch is cut up, the constants of the update, transposed weights."""
    layer, optimizer = layer_of(plan.layers, 0, plan), optimizer_of(plan.optimizer, 0, plan)
    n, workers = plan.n, plan.workers
    # Here and below zeros[0] tells the precision of the net; its value is not used.
    plan.x = pointer(plan.x_address, plan.zeros[0])
    # `Preparation.following` allocates gradients where there are more row blocks than workers.
    share_or_cut_rows(plan, n, workers)
    # The norm of the gradient of one row needs no gradient.
    plan.stores_gradients = plan.n_blocks > workers or penalizes(plan) or (plan.clip_norm > 0 and n > 1)
    divisor = 1.0 * n * plan.loss_terms_per_row
    if plan.sum_weights != 0:
        options = loss_of(plan.loss_options, 0, plan)
        divisor = _call_sum_weights(plan.sum_weights, plan.t, n, options) * plan.loss_terms_per_row
    plan.divisor = divisor if plan.loss_is_mean else 1.0
    # Where nothing weighs anything the loss is 0 / 0, and no weight moves.
    plan.scale = 1.0 / plan.divisor if plan.divisor != 0 else 0.0
    shares = plan.penalty_per_row and plan.loss_is_mean
    plan.penalty_share = plan.scale * plan.loss_terms_per_row if shares else 1.0
    transpose_weights(plan)
    plan.sparsity = NEVER
    if not plan.compressed:
        plan.sparsity = sparsity_of(plan.x, n, layer.inputs, plan.parameters, layer.outputs - layer.tail)
    _call_constants(optimizer.compute_constants, optimizer.hyper, optimizer.steps + 1, optimizer.constants)
    decays = optimizer.constants[0] != 0
    is_plain = optimizer.is_linear and not decays and plan.clip_value == 0 and plan.clip_norm == 0
    plan.fused_update = is_plain and not plan.stores_gradients
    # Where weights and moments are still in a near cache nothing is gained. And what `transform_gradients` does to the
    # deltas comes after the pass.
    plan.updates_on_the_way = (
        n == 1
        and plan.parts == 1
        and optimizer.n_fetched > 0
        and plan.transform_gradients == 0
        and not (plan.fused_update or plan.clip_value > 0)
    )
    plan.stages = 1
    if plan.shares_pass:
        # Its sums are those of one worker, but for the ones of `transform_gradients`.
        if plan.transform_gradients != 0:
            plan.parts = workers
        begin_shared_pass(plan)
        plan.stages = stages_of_step(plan)


@unit("StepPlan int -> none")
def accumulate_gradients(plan, worker):
    """Forward, loss and backward of the worker's row blocks.

    Leaves the sum of their losses in `losses[worker]`, and the sum of their gradients where gradients are stored. Where
    they are not, no worker has more than one row block, and each row block's activations and deltas are left in the
    BLOCK of its index, for `apply_update` of all workers; for a fused update the deltas are scaled by -rate.
    """
    own = block_of(plan.blocks, worker, plan)
    gradient = offset(plan.gradients, worker * plan.parameters_size)
    if plan.stores_gradients:
        for k in range(plan.parameters_size):
            gradient[k] = 0
    total = 0.0
    before = flush_subnormals()
    n_blocks, workers = plan.n_blocks, plan.workers
    for index in range(n_blocks * worker // workers, n_blocks * (worker + 1) // workers):
        first = index * plan.block_rows
        m = min(plan.block_rows, plan.n - first)
        # With fewer row blocks than workers the index of a row block need not be that of its worker.
        block = own if plan.stores_gradients else block_of(plan.blocks, index, plan)
        total += forward_backward_block(plan, first, m, block)
        finish_deltas(plan, m, 0, m, block)
        if plan.stores_gradients:
            add_block_gradient(plan, index, block, gradient)
    restore_subnormals(before)
    plan.losses[worker] = total


def phase_addresses(real: types.Float) -> dict[str, int]:
    """Where the phases that every step has are in memory, compiled for that precision, by the names of their slots."""
    return {phase.unit.name: phase.unit.link(real) for phase in (begin, accumulate_gradients, share_pass, apply_update)}


def transform_address(real: types.Float) -> int:
    """Where the phase `transform_gradients` is in memory, compiled for that precision."""
    return transform_gradients.unit.link(real)


@kernel
def start_step(x, t, n, address, workers, parts):
    """Look at the arguments, take the lock of the net, and call `begin`; see `train_step` for the arguments. parts : as
    many as workers, or 1 where they take turns.

    Returns DONE, or why nothing was done. `finish_step` frees the lock. No Python code may run in between: it could be
    interrupted.
    """
    plan = _step_of(address, 0, np.float32(0))
    first, last = layer_of(plan.layers, 0, plan), layer_of(plan.layers, plan.n_layers - 1, plan)
    if n == 0:
        n = rows_like_last(x, t, plan, first.inputs, last.outputs)
        if n <= 0:
            return UNLIKE_LAST if n == 0 else MORE_ROWS
    if plan.t_dimensions == 1:
        options, labels = loss_of(plan.loss_options, 0, plan), pointer(data_of(t), np.int64(0))
        wrong = first_label_out_of_range(labels, n, plan.labels, options.ignores, options.ignored)
        if wrong >= 0:
            return wrong
    if not try_lock(plan.in_use):
        return IN_USE
    plan.x_address, plan.t, plan.n, plan.workers, plan.parts = data_of(x), data_of(t), n, workers, parts
    call_phase(plan.begin, opaque(address))
    return DONE


@kernel
def complete_step(address):
    """The end of a step: counts it, and returns its loss."""
    plan = _step_of(address, 0, np.float32(0))
    optimizer_of(plan.optimizer, 0, plan).steps += 1
    plan.net_steps[0] += 1
    total = penalty = 0.0
    for worker in range(plan.workers):
        total += plan.losses[worker]
    loss = total / plan.divisor
    if plan.transform_gradients != 0:
        for worker in range(plan.workers):
            penalty += plan.penalties[worker]
        loss = (np.sqrt(loss) if plan.loss_has_root else loss) + penalty
    return loss


@kernel
def finish_step(address):
    """`complete_step`, which also frees the lock of the net."""
    loss = complete_step(address)
    unlock(_step_of(address, 0, np.float32(0)).in_use)
    return loss


@force_inline
def _passes(plan):
    """The slot of the phase of the passes."""
    return plan.share_pass if plan.shares_pass else plan.accumulate_gradients


@kernel
def work(address, workers):
    """The phases of a step between its start and its end, one worker after the other."""
    plan = _step_of(address, 0, np.float32(0))
    shares = plan.parts if plan.shares_pass else workers
    for stage in range(plan.stages):
        for share in range(shares):
            call_phase(_passes(plan), opaque(address), share, stage)
    # The sums of `transform_gradients` are one for each part. Else parts change no bit, and one takes less time.
    if plan.transform_gradients != 0:
        plan.parts = workers
        for worker in range(workers):
            call_phase(plan.transform_gradients, opaque(address), worker, 0)
    for part in range(plan.parts):
        call_phase(plan.apply_update, opaque(address), part, 0)


@kernel
def parallel_work(address, workers, region):
    """`work`, each worker on a thread of the parallel region, whose address is `region`."""
    plan = _step_of(address, 0, np.float32(0))
    in_parallel(
        _passes(plan), plan.stages, plan.transform_gradients, plan.apply_update, address, workers, region
    )  # fmt: skip


@kernel
def train_step(x, t, n, address, workers):
    """Forward, loss, backward, update, on the calling thread.

    x, t : the `id` of the rows and targets, C-contiguous arrays of n rows that fit the plan. With n of 0 they may be
    anything: nothing is done unless they are arrays like the last ones, of at most `max_rows` rows. address : of the
    plan. workers : between how many the batch is shared. Here one thread does all shares; sums are formed as by so
    many threads.

    Returns the loss before the update, in float64, and DONE; or NaN and why nothing was done: UNLIKE_LAST, MORE_ROWS,
    IN_USE, or the position of the first label out of range.
    """
    status = start_step(x, t, n, address, workers, 1)
    if status != DONE:
        return np.nan, status
    work(address, workers)
    return finish_step(address), DONE


def train_step_entry() -> Callable[[int, int, int, int, int], tuple[float, int]]:
    """`train_step` as a function that does not look at the types of its arguments: that takes a tenth of a
    microsecond, as long as a small step's products."""
    return entry_point(train_step, (types.int64,) * 5)


@kernel
def parallel_train_step(x, t, n, address, workers, region):
    """`train_step`, to the bit, each worker on a thread of the parallel region, whose address is `region`.

    One kernel, so that no interrupt can come between its phases.
    """
    status = start_step(x, t, n, address, workers, workers)
    if status != DONE:
        return np.nan, status
    parallel_work(address, workers, region)
    return finish_step(address), DONE
