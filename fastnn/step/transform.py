"""What comes between the passes and the update where the gradient is more than the sum of the row blocks' gradients:
the square root of the mean, penalties of the weights, and a bound of the gradient's norm.

`MLP` has the phase `transform_gradients` called only where there is such a thing. Gradients are stored then, unless a
factor of the deltas does: for a square root alone, and for the norm of the gradient of one row.
"""

from __future__ import annotations

import numpy as np

from fastnn.intrinsics import flush_subnormals, lanes_of, like, offset, restore_subnormals
from fastnn.jit import force_inline, force_inline_reassociated, inline_ir
from fastnn.linalg.packing import panel_count, panel_start, part_start
from fastnn.step.deltas import pack_deltas, scale_in_place
from fastnn.step.plan import block_of, layer_of
from fastnn.units import unit


@force_inline
def part_of_parameters(plan, worker):
    """Where a worker's part of the parameters begins and ends: groups of whole vectors, so that an update takes each
    vector as it does for a single worker (`optimizers/loops.py`)."""
    lanes = lanes_of(plan.parameters)
    vectors = plan.parameters_size // lanes
    return part_start(vectors, worker, plan.parts) * lanes, part_start(vectors, worker + 1, plan.parts) * lanes


@inline_ir
def sum_gradients(plan, start, size):
    """The first worker's gradient of `size` parameters from `start` on ← the sum of all workers' gradients."""
    gradient = offset(plan.gradients, start)
    for worker in range(1, plan.workers):
        other = offset(plan.gradients, worker * plan.parameters_size + start)
        for k in range(size):
            gradient[k] += other[k]


@force_inline
def penalizes(plan):
    """Whether there is a penalty of the weights."""
    return plan.l1 > 0 or plan.l2 > 0


@force_inline
def _norm_factor(plan):
    """What the gradient is multiplied by for its norm to be at most `clip_norm`, as `torch.nn.utils.clip_grad_norm_`:
    clip_norm / (norm + 1e-6), at most 1."""
    total = 0.0
    for worker in range(plan.workers):
        total += plan.norms[worker]
    factor = plan.clip_norm / (np.sqrt(total) + 1e-6)
    return 1.0 if factor > 1 else factor  # NaN stays


@force_inline
def _root_factor(plan):
    """The slope of the square root at the mean: 1 / (2 √mean); 0 at a mean of 0, where all gradients are 0."""
    if not plan.loss_has_root:
        return 1.0
    mean = 0.0
    for worker in range(plan.workers):
        mean += plan.losses[worker]
    mean *= plan.scale
    # Not infinite in the precision of the deltas: these may be 0 where the mean is next to nothing.
    return 0.0 if mean == 0 else min(0.5 / np.sqrt(mean), 1e37)


@inline_ir
def _clear_padding(plan, numbers, first, last):
    """Zero the padding that lies from `first` to `last` in the parameters, or in what is laid out like them.

    An update without eps makes it 0 / 0, which neither a penalty nor a norm may see.
    """
    lanes = lanes_of(plan.parameters)
    for index in range(plan.n_layers):
        layer = layer_of(plan.layers, index, plan)
        vectors, columns = layer.panel_vectors, layer.outputs - layer.tail
        if columns < vectors * lanes:
            n_panels = panel_count(vectors)
            begin = panel_start(n_panels - 1, n_panels, vectors)
            width = (vectors - begin) * lanes
            # The vector that holds padding is the last in each row of the last panel.
            start = layer.weights + begin * lanes * layer.inputs + width - lanes
            for r in range(layer.inputs):
                vector = start + r * width
                if first <= vector and vector < last:
                    for k in range(lanes - (vectors * lanes - columns), lanes):
                        numbers[vector + k] = 0
        for k in range(max(first, layer.bias + layer.outputs), min(last, layer.bias + layer.row)):
            numbers[k] = 0


@force_inline_reassociated
def _sum_of_squares(numbers, size):
    total = 0.0
    for k in range(size):
        number = np.float64(numbers[k])
        total += number * number
    return total


@force_inline_reassociated
def _sum_of_sizes(numbers, size):
    total = 0.0
    for k in range(size):
        total += abs(np.float64(numbers[k]))
    return total


@inline_ir
def _penalize(plan, first, last):
    """Add the gradient of the penalty to that of the parameters from `first` to `last`; returns their penalty."""
    of_sizes, of_squares = plan.penalty_share * plan.l1, plan.penalty_share * plan.l2
    l1, l2, zero = like(plan.zeros[0], of_sizes), like(plan.zeros[0], 2 * of_squares), like(plan.zeros[0], 0)
    total = 0.0
    for index in range(plan.n_layers):
        layer = layer_of(plan.layers, index, plan)
        start = max(first, layer.weights)
        size = min(last, layer.bias) - start
        if size > 0:
            w, g = offset(plan.parameters, start), offset(plan.gradients, start)
            for k in range(size):
                g[k] += l2 * w[k] + (l1 if w[k] > zero else -l1 if w[k] < zero else w[k])
            total += of_sizes * _sum_of_sizes(w, size) + of_squares * _sum_of_squares(w, size)
    return total


@inline_ir
def _squared_norm_of_row(plan, block):
    """The squared norm of the gradient by one row: of each layer's outer product of inputs and deltas, and of these
    for the bias."""
    total = 0.0
    for index in range(plan.n_layers):
        layer = layer_of(plan.layers, index, plan)
        # The activations of the layer before: its `column` is less by its `row`, which is this layer's `input_row`.
        a = block.x if layer.column == 0 else offset(block.activations, layer.column - layer.input_row)
        of_deltas = _sum_of_squares(offset(block.deltas, layer.column), layer.outputs)
        total += of_deltas * (1 + _sum_of_squares(a, layer.inputs))
    return total


@unit("StepPlan int -> none")
def transform_gradients(plan, worker):
    """A worker's part, after the passes of all workers and before any update.

    Leaves the penalty of its part in `penalties[worker]`. Where gradients are stored, leaves their sum in the first
    worker's gradient, without the factor for its norm; of that a part in `norms[worker]`.
    """
    before = flush_subnormals()
    factor = _root_factor(plan)
    plan.penalties[worker] = 0
    if plan.stores_gradients:
        first, last = part_of_parameters(plan, worker)
        sum_gradients(plan, first, last - first)
        gradient = offset(plan.gradients, first)
        if plan.loss_has_root:
            scale_in_place(gradient, last - first, factor)
        _clear_padding(plan, plan.gradients, first, last)
        _clear_padding(plan, plan.parameters, first, last)
        if penalizes(plan):
            plan.penalties[worker] = _penalize(plan, first, last)
        if plan.clip_norm > 0:
            plan.norms[worker] = _sum_of_squares(gradient, last - first)
    else:
        n_blocks, workers = plan.n_blocks, plan.workers
        last_layer = layer_of(plan.layers, plan.n_layers - 1, plan)
        for index in range(n_blocks * worker // workers, n_blocks * (worker + 1) // workers):
            block, m = block_of(plan.blocks, index, plan), min(plan.block_rows, plan.n - index * plan.block_rows)
            if plan.clip_norm > 0:  # of one row, by one worker
                for other in range(workers):
                    plan.norms[other] = 0
                plan.norms[worker] = factor * factor * _squared_norm_of_row(plan, block)
                factor *= _norm_factor(plan)
            scale_in_place(block.deltas, m * (last_layer.column + last_layer.row), factor)
            pack_deltas(plan, m, 0, m, block)
    restore_subnormals(before)


@unit("StepPlan real* int -> none")
def bound_gradient(plan, gradient, size):
    """Keep `size` elements of the gradient within `clip_value`, or make them shorter as `clip_norm` asks for.

    Where gradients are not stored, the deltas are shorter already.
    """
    if plan.clip_value > 0:
        high, low = like(gradient[0], plan.clip_value), like(gradient[0], -plan.clip_value)
        for k in range(size):
            gradient[k] = high if gradient[k] > high else low if gradient[k] < low else gradient[k]  # NaN stays
    elif plan.stores_gradients:
        factor = _norm_factor(plan)
        if factor != 1:
            scale_in_place(gradient, size, factor)
