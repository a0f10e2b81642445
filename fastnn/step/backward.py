"""The backward pass of one row block: the loss, and the deltas of every layer."""

from __future__ import annotations

from numba.core import types

from fastnn.intrinsics import indirect_call, lanes_of, offset
from fastnn.jit import force_inline, inline_ir
from fastnn.linalg.few_rows import multiply_transposed
from fastnn.linalg.gemm import multiply_panels, multiply_transposed_panels, pack_rows
from fastnn.linalg.gemv import gemv_transposed
from fastnn.linalg.packing import transpose_panels
from fastnn.linalg.tail_columns import tail_product
from fastnn.step.dropout import drop
from fastnn.step.forward import call_activation, forward_block
from fastnn.step.plan import layer_of, loss_of
from fastnn.units import unit

# call_loss(slot, ...): logits z in padded rows, the rows, their columns and padded columns, the address
# of the rows' targets, the deltas dz to be written and their scale, the LOSS, and the first row's position in the
# batch. It returns the sum of the rows' losses, and may overwrite z.
call_loss = indirect_call(types.float64)


@force_inline
def transposes(plan, layer):
    """Whether the panels of a layer's weights are transposed for its input gradient.

    That takes as long for few rows as for many. Without it each row takes dot products, whose lanes must be added up:
    the shorter they are, the more that counts. Many weights are not transposed in a cache.
    """
    return plan.n > 2 * min(lanes_of(plan.parameters), layer.panel_vectors)


@force_inline
def transposes_each_panel(plan, layer):
    """Whether each worker transposes a panel of such weights before it uses it, and not one of them all at first.

    That costs the same for each row block as for all; but it stays in the caches, and nobody waits for it.
    """
    return layer.transposes_each_panel != 0 and plan.n_blocks <= plan.parts


@inline_ir
def transpose_weights(plan):
    """Transpose the panels of the weights of every layer but the first, where that pays."""
    lanes = lanes_of(plan.parameters)
    for index in range(1, plan.n_layers):
        layer = layer_of(plan.layers, index, plan)
        if transposes(plan, layer) and not transposes_each_panel(plan, layer):
            w, transposed = offset(plan.parameters, layer.weights), offset(plan.transposed, layer.transposed)
            transpose_panels(w, layer.inputs, layer.outputs - layer.tail, transposed, lanes)


@inline_ir
def input_gradient(plan, layer, m, dy, dx, block):
    """dx ← dy wᵀ for m rows of deltas dy, in padded rows, of that row block."""
    lanes = lanes_of(dy)
    w, columns = offset(plan.parameters, layer.weights), layer.outputs - layer.tail
    # The products with the panels come first. Those with the tail columns are added to them, or to zero without panels.
    start, start_row = plan.zeros, 0
    if layer.panel_vectors > 0:
        if m == 1:
            gemv_transposed(layer.inputs, columns, lanes, dy, w, dx, layer.input_row)
        elif transposes(plan, layer) and transposes_each_panel(plan, layer):
            multiply_transposed_panels(
                m, layer.inputs, columns, lanes, dy, layer.row, w, start, dx, layer.input_row, plan.depth, block.panel
            )
        elif transposes(plan, layer):
            transposed = offset(plan.transposed, layer.transposed)
            multiply_panels(
                m, columns, layer.input_row // lanes, lanes, dy, layer.row, transposed, start, 0, dx,
                layer.input_row, plan.depth, False,
            )  # fmt: skip
        else:
            multiply_transposed(m, layer.inputs, columns, lanes, dy, layer.row, w, dx, layer.input_row, start)
        start, start_row = dx, layer.input_row
    if layer.tail > 0:
        tail = offset(plan.parameters, layer.tail_weights)
        tail_product(
            m, offset(dy, layer.panel_vectors * lanes), layer.row, 1, layer.inputs, lanes, tail, layer.inputs,
            start, start_row, dx, layer.input_row, layer.tail,
        )  # fmt: skip


@unit("StepPlan int int BlockPlan -> float")
def forward_backward_block(plan, first, m, block):
    """Activations and deltas of m rows from `first` on, into that row block; returns the sum of their losses."""
    z = forward_block(plan, first, m, block)
    last = layer_of(plan.layers, plan.n_layers - 1, plan)
    activations, deltas = block.activations, block.deltas
    t, dz = plan.t + first * plan.t_row_bytes, offset(deltas, m * last.column)
    options = loss_of(plan.loss_options, 0, plan)
    total = call_loss(plan.loss, z, m, last.outputs, last.row, t, dz, plan.scale, options, first)
    for index in range(plan.n_layers - 1, 0, -1):
        layer, before = layer_of(plan.layers, index, plan), layer_of(plan.layers, index - 1, plan)
        dx, y = offset(deltas, m * before.column), offset(activations, m * before.column)
        input_gradient(plan, layer, m, offset(deltas, m * layer.column), dx, block)
        if plan.drops and before.dropout > 0:
            drop(plan, dx, dx, first, m, before.row, index, before.dropout)
            y = offset(block.outputs, m * before.column)
        x = offset(block.activation_inputs, m * before.column) if before.keeps_input else y
        call_activation(before.activate_backward, dx, x, y, before.numbers, m * before.row)
    return total


@unit("StepPlan int BlockPlan -> none")
def pack_deltas(plan, m, block):
    """Pack the deltas of m rows, of all layers whose gradient is a product with panels of them."""
    lanes = lanes_of(plan.parameters)
    for index in range(plan.n_layers):
        layer = layer_of(plan.layers, index, plan)
        if index > 0 or not (plan.compressed or block.active[0] != 0):
            start = m * layer.column
            pack_rows(
                m, layer.panel_vectors, lanes, offset(block.deltas, start), layer.row,
                offset(block.packed_deltas, start),
            )  # fmt: skip
