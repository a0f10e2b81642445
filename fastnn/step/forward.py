"""The forward pass of one row block, and of a whole batch for predictions."""

from __future__ import annotations

from numba.core import types

from fastnn.intrinsics import indirect_call, lanes_of, offset, opaque, pointer
from fastnn.jit import inline_ir, kernel
from fastnn.linalg.gemm import multiply_panels
from fastnn.linalg.sparse_inputs import ALWAYS, NEVER, find_active_columns, sparse_forward, sparsity_of
from fastnn.linalg.tail_columns import tail_forward
from fastnn.step.dropout import drop
from fastnn.step.plan import block_of, layer_of
from fastnn.units import unit

# call_activation(slot, ...): with the slot `activate`, (x, y, numbers, size) writes y; with the slot
# `activate_backward`, (dy, x, y, numbers, size) overwrites dy by dx. x is the address of y where the slope needs y
# alone: there y overwrites x.
call_activation = indirect_call(types.none)


@inline_ir
def affine_block(plan, layer, m, a, z, active):
    """z ← a w + b for m rows of the layer's input a, with these active columns where they are used."""
    lanes = lanes_of(a)
    w, bias = offset(plan.parameters, layer.weights), offset(plan.parameters, layer.bias)
    if layer.column == 0 and plan.sparsity == ALWAYS and active[0] != 0:
        sparse_forward(
            m, layer.inputs, layer.panel_vectors, lanes, a, layer.input_row, w, bias, z, layer.row,
            active,
        )  # fmt: skip
    else:
        multiply_panels(m, layer.inputs, layer.panel_vectors, lanes, a, layer.input_row, w, bias, 0, z, layer.row)
    if layer.tail > 0:
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
    a = offset(plan.x, first * layer.inputs)
    if plan.drops and plan.input_dropout > 0:
        drop(plan, a, block.inputs, first, m, layer.inputs, 0, plan.input_dropout)
        a = block.inputs
    block.x = a
    active = block.active
    active[0] = 0
    if plan.sparsity != NEVER:
        find_active_columns(m, layer.inputs, lanes_of(a), a, layer.input_row, active)
    for index in range(plan.n_layers):
        layer = layer_of(plan.layers, index, plan)
        a_next = offset(block.activations, m * layer.column)
        drops = plan.drops and layer.dropout > 0
        y = offset(block.outputs, m * layer.column) if drops else a_next
        # The affine output lies where y shall be, unless the slope needs it.
        z = offset(block.activation_inputs, m * layer.column) if layer.keeps_input else y
        affine_block(plan, layer, m, a, z, active)
        if layer.activate != 0:
            call_activation(layer.activate, z, y, layer.numbers, m * layer.row)
        if drops:
            drop(plan, y, a_next, first, m, layer.row, index + 1, layer.dropout)
        a = a_next
    return a


@unit("StepPlan int int int -> none")
def forward_batch(plan, x, n, z):
    """z (n, outputs) ← the last layer's output for n rows x, row block by row block; x and z are integers."""
    first_layer, last_layer = layer_of(plan.layers, 0, plan), layer_of(plan.layers, plan.n_layers - 1, plan)
    block = block_of(plan.blocks, 0, plan)
    rows, out = pointer(x, plan.zeros[0]), pointer(z, plan.zeros[0])
    plan.x = rows
    panels_size = first_layer.tail_weights - first_layer.weights
    plan.sparsity = sparsity_of(rows, n, first_layer.inputs, plan.parameters, panels_size)
    outputs, row = last_layer.outputs, last_layer.row
    for first in range(0, n, plan.block_rows):
        m = min(plan.block_rows, n - first)
        y = forward_block(plan, first, m, block)
        for r in range(m):
            for c in range(outputs):
                out[(first + r) * outputs + c] = y[r * row + c]


def forward_address(real: types.Float) -> int:
    """Where `forward_batch` is in memory, compiled for that precision."""
    return forward_batch.unit.link(real)


_call_forward = indirect_call(types.none)


@kernel
def forward(slot, address, x, n, z):
    """z (n, outputs) ← the last layer's output for n rows x.

    slot : `forward_address`; address : of the plan, whose first block is written; x, z :
    addresses too.
    """
    _call_forward(slot, opaque(address), x, n, z)
