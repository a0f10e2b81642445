"""The forward pass of one row block, and of all row blocks of a worker for predictions."""

from __future__ import annotations

from numba.core import types

from fastnn.intrinsics import indirect_call, lanes_of, offset, pointer
from fastnn.jit import inline_ir
from fastnn.linalg.compressed_rows import compressed_forward
from fastnn.linalg.gemm import multiply_panels
from fastnn.linalg.sparse_inputs import ALWAYS, NEVER, find_active_columns, sparse_forward, sparsity_of
from fastnn.linalg.tail_columns import tail_forward
from fastnn.step.dropout import drop
from fastnn.step.plan import block_of, layer_of, source_of
from fastnn.units import unit

# call_activation(slot, ...): with the slot `activate`, (x, y, numbers, size) writes y; with the slot
# `activate_backward`, (dy, x, y, numbers, size) overwrites dy by dx. x is the address of y where the slope needs y
# alone: there y overwrites x.
call_activation = indirect_call(types.none)

# call_load_rows(slot, plan, first, m, block): writes m rows of the batch from `first` on to the row block's `inputs`;
# or where they are taken as they are compressed, their places to `begins` and `ends`.
call_load_rows = indirect_call(types.none)


@inline_ir
def affine_block(plan, layer, m, a, z, block):
    """z ← a w + b for m rows of the layer's input a, with the row block's active columns where they are used."""
    lanes, active = lanes_of(a), block.active
    w, bias = offset(plan.parameters, layer.weights), offset(plan.parameters, layer.bias)
    if layer.column == 0 and plan.compressed:
        source = source_of(plan.source, 0, plan)
        compressed_forward(
            m, layer.inputs, layer.panel_vectors, layer.tail, lanes, source.values, source.columns, block.begins,
            block.ends, w, bias, z, layer.row,
        )  # fmt: skip
    elif layer.column == 0 and plan.sparsity == ALWAYS and active[0] != 0:
        sparse_forward(
            m, layer.inputs, layer.panel_vectors, lanes, a, layer.input_row, w, bias, z, layer.row,
            active,
        )  # fmt: skip
    else:
        # Where other row blocks may skip columns, these sums are not cut either, nor added up in another order: in
        # which of both a row is depends on how many workers there are, and its sums must not.
        others_skip = layer.column == 0 and plan.sparsity == ALWAYS
        depth = layer.inputs if others_skip else plan.depth
        multiply_panels(
            m, layer.inputs, layer.panel_vectors, lanes, a, layer.input_row, w, bias, 0, z, layer.row, depth,
            others_skip,
        )  # fmt: skip
    if layer.tail > 0 and not (layer.column == 0 and plan.compressed):
        whole = layer.panel_vectors * lanes
        tail = offset(plan.parameters, layer.tail_weights)
        tail_forward(
            m, layer.inputs, layer.tail, a, layer.input_row, tail, offset(bias, whole), offset(z, whole), layer.row
        )


@unit("StepPlan int int BlockPlan -> real*")
def forward_block(plan, first, m, block):
    """The activations of every layer for m rows of x from `first` on, and the active columns of these rows, into that
    row block; returns the address of the last layer's, which are its affine outputs."""
    layer = layer_of(plan.layers, 0, plan)
    a, active = offset(plan.x, first * layer.inputs), block.active
    active[0] = 0
    if plan.load_rows != 0:
        call_load_rows(plan.load_rows, plan, first, m, block)
        a = block.inputs
    if plan.drops and plan.input_dropout > 0:
        drop(plan, a, block.inputs, first, m, layer.inputs, 0, plan.input_dropout)
        a = block.inputs
    block.x = a
    if plan.sparsity != NEVER:
        find_active_columns(m, layer.inputs, lanes_of(a), a, layer.input_row, active)
    for index in range(plan.n_layers):
        layer = layer_of(plan.layers, index, plan)
        a_next = offset(block.activations, m * layer.column)
        drops = plan.drops and layer.dropout > 0
        y = offset(block.outputs, m * layer.column) if drops else a_next
        # The affine output lies where y shall be, unless the slope needs it.
        z = offset(block.activation_inputs, m * layer.column) if layer.keeps_input else y
        affine_block(plan, layer, m, a, z, block)
        if layer.activate != 0:
            call_activation(layer.activate, z, y, layer.numbers, m * layer.row)
        if drops:
            drop(plan, y, a_next, first, m, layer.row, index + 1, layer.dropout)
        a = a_next
    return a


@unit("StepPlan -> none")
def begin_predictions(plan):
    """What all workers of `predict_rows` need."""
    first = layer_of(plan.layers, 0, plan)
    plan.x = pointer(plan.x_address, plan.zeros[0])
    panels_size = first.tail_weights - first.weights
    plan.sparsity = NEVER
    if not plan.compressed:
        plan.sparsity = sparsity_of(plan.x, plan.n, first.inputs, plan.parameters, panels_size)


@unit("StepPlan int -> none")
def predict_rows(plan, worker):
    """z (n, outputs) ← the last layer's output for n rows x: the worker's row blocks."""
    last = layer_of(plan.layers, plan.n_layers - 1, plan)
    block, out = block_of(plan.blocks, worker, plan), pointer(plan.z, plan.zeros[0])
    outputs, row, n_blocks, workers = last.outputs, last.row, plan.n_blocks, plan.workers
    for index in range(n_blocks * worker // workers, n_blocks * (worker + 1) // workers):
        first = index * plan.block_rows
        m = min(plan.block_rows, plan.n - first)
        y = forward_block(plan, first, m, block)
        for r in range(m):
            for c in range(outputs):
                out[(first + r) * outputs + c] = y[r * row + c]


def prediction_addresses(real: types.Float) -> tuple[int, int]:
    """Where `begin_predictions` and `predict_rows` are in memory, compiled for that precision."""
    return begin_predictions.unit.link(real), predict_rows.unit.link(real)
