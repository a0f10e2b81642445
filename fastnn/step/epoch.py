"""Many training steps in one call: batch after batch of a source of rows, without Python in between."""

from __future__ import annotations

import numpy as np

from fastnn.intrinsics import offset, opaque, pointer, try_lock, unlock
from fastnn.jit import force_inline, kernel
from fastnn.step.phases import call_phase
from fastnn.step.plan import STEP, loss_of, source_of
from fastnn.step.train_step import DONE, IN_USE, complete_step, parallel_work, work

_step_of = STEP.at


@force_inline
def _take_batch(plan, source, first, n):
    """Have the plan point to the n rows from `first` on, in the order in which they are taken: to their place, or
    where the order scatters them, to the row block that loads them and to copies of their targets and weights."""
    index = source.order[first] if source.is_ordered else first
    plan.position, plan.n, plan.x_address = first, n, source.x + index * source.row_bytes
    targets, size = source.t + index * plan.t_row_bytes, plan.t_row_bytes // 4
    if source.is_ordered and n > 1:
        own = source.targets
        for r in range(n):
            row = pointer(source.t + source.order[first + r] * plan.t_row_bytes, np.int32(0))
            for k in range(size):
                own[r * size + k] = row[k]
        plan.t = source.targets_address
    else:
        plan.t = targets
    if source.has_weights:
        options = loss_of(plan.loss_options, 0, plan)
        options.sample_weights = offset(source.sample_weights, index)
        if source.is_ordered:
            for r in range(n):
                source.weights[r] = source.sample_weights[source.order[first + r]]
            options.sample_weights = source.weights


@force_inline
def _begin_step(plan, source, address, first, n, step, workers, parts):
    _take_batch(plan, source, first, n)
    plan.workers, plan.parts = workers, parts
    if source.has_rates:
        source.rate[0] = source.rates[step]
    call_phase(plan.begin, opaque(address))


@force_inline
def _end_step(plan, address, n, total, rows):
    """The sums with the loss of the step, and that loss: 0 where nothing in the batch weighs anything."""
    loss = complete_step(address)
    if plan.divisor == 0:
        return total, rows, 0.0
    return total + loss * n, rows + n, loss


@kernel
def train_steps(address, first, n, steps, workers, stops_at_nan, total):
    """`steps` training steps of n rows each, from the row `first` on, on the calling thread.

    address : of a plan with a SOURCE, whose targets are all in range. workers : as in `train_step`. stops_at_nan :
    whether to stop after a step whose loss is not finite. total : of the steps before, which the losses are added to
    one by one: how many steps a call makes depends on the time that they take, and the last digit must not.

    Returns `total` with the sum of the losses, each times n; how many rows these are, without the batches in which
    nothing weighs anything; the steps made; and DONE, or IN_USE, with nothing done.
    """
    plan = _step_of(address, 0, np.float32(0))
    source = source_of(plan.source, 0, plan)
    rows = made = 0
    if not try_lock(plan.in_use):
        return total, rows, made, IN_USE
    for step in range(steps):
        _begin_step(plan, source, address, first + step * n, n, step, workers, 1)
        work(address, workers)
        total, rows, loss = _end_step(plan, address, n, total, rows)
        made += 1
        if stops_at_nan and not np.isfinite(loss):
            break
    unlock(plan.in_use)
    return total, rows, made, DONE


@kernel
def parallel_train_steps(address, first, n, steps, workers, stops_at_nan, total, region):
    """`train_steps`, to the bit, each worker on a thread of the parallel region, whose address is `region`."""
    plan = _step_of(address, 0, np.float32(0))
    source = source_of(plan.source, 0, plan)
    rows = made = 0
    if not try_lock(plan.in_use):
        return total, rows, made, IN_USE
    for step in range(steps):
        _begin_step(plan, source, address, first + step * n, n, step, workers, workers)
        parallel_work(address, workers, region)
        total, rows, loss = _end_step(plan, address, n, total, rows)
        made += 1
        if stops_at_nan and not np.isfinite(loss):
            break
    unlock(plan.in_use)
    return total, rows, made, DONE
