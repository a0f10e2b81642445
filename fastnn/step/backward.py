"""The backward pass of one row block: the loss, and the deltas of every layer."""

from __future__ import annotations

from numba.core import types

from fastnn.intrinsics import indirect_call, lanes_of, offset
from fastnn.jit import force_inline, inline_ir
from fastnn.linalg.few_rows import multiply_transposed
from fastnn.linalg.gemm import multiply_panels, multiply_transposed_panels
from fastnn.linalg.gemv import gemv_transposed
from fastnn.linalg.packing import panel_count, panel_start, transpose_panels
from fastnn.linalg.tail_columns import tail_product
from fastnn.step.dropout import drop
from fastnn.step.forward import call_activation, forward_block, pieces_of
from fastnn.step.one_row import update_panels_on_the_way
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
def input_gradient(plan, layer, m, panels, a, dy, dx, own):
    """dx ← dy wᵀ for m rows of deltas dy, in padded rows; only the columns of dx that the panels of wᵀ from the first
    of `panels` to the second have. a : the layer's input. own : the worker's BLOCK, which has room for a panel."""
    lanes = lanes_of(dy)
    begin_panel, end_panel = panels
    w, columns = offset(plan.parameters, layer.weights), layer.outputs - layer.tail
    top, end = transposed_columns(layer, panels, lanes)
    bottom = min(end, layer.inputs)
    # The products with the panels come first. Those with the tail columns are added to them, or to zero without panels.
    start, start_row = plan.zeros, 0
    if layer.panel_vectors > 0:
        if plan.updates_on_the_way:
            update_panels_on_the_way(plan, layer, a, dy, dx)
        elif plan.n == 1:
            gemv_transposed(layer.inputs, top, bottom, columns, lanes, dy, w, dx, layer.input_row)
        elif transposes(plan, layer) and transposes_each_panel(plan, layer):
            multiply_transposed_panels(
                m, layer.inputs, columns, begin_panel, end_panel, lanes, dy, layer.row, w, start, dx, layer.input_row,
                plan.depth, own.panel,
            )  # fmt: skip
        elif transposes(plan, layer):
            transposed = offset(plan.transposed, layer.transposed)
            multiply_panels(
                m, columns, layer.input_row // lanes, begin_panel, end_panel, lanes, dy, layer.row, transposed, start,
                0, dx, layer.input_row, plan.depth, False,
            )  # fmt: skip
        else:
            multiply_transposed(
                m, layer.inputs, top, bottom, columns, lanes, dy, layer.row, w, dx, layer.input_row, start
            )
        start, start_row = dx, layer.input_row
    if layer.tail > 0:
        tail = offset(plan.parameters, layer.tail_weights + top)
        tail_product(
            m, offset(dy, layer.panel_vectors * lanes), layer.row, 1, bottom - top, lanes, tail, layer.inputs,
            offset(start, top), start_row, offset(dx, top), layer.input_row, layer.tail,
        )  # fmt: skip


@force_inline
def transposed_columns(layer, panels, lanes):
    """Where the columns of the layer's input that these panels of wᵀ have begin and end."""
    vectors = layer.input_row // lanes
    n_panels = panel_count(vectors)
    return panel_start(panels[0], n_panels, vectors) * lanes, panel_start(panels[1], n_panels, vectors) * lanes


@inline_ir
def backward_layer(plan, index, first, m, part, block, own):
    """From the deltas of a layer those of the layer before, for a part of a row block of m rows, whose first one is the
    row `first` of the batch.

    part : from which row of the row block to which, and from which panel of wᵀ to which. own : the worker's BLOCK,
    which has room for a panel.
    """
    begin, end, begin_panel, end_panel = part
    panels = begin_panel, end_panel
    layer, before = layer_of(plan.layers, index, plan), layer_of(plan.layers, index - 1, plan)
    lanes, rows, place = lanes_of(plan.parameters), end - begin, m * before.column + begin * before.row
    dy, dx = offset(block.deltas, m * layer.column + begin * layer.row), offset(block.deltas, place)
    y = offset(block.activations, place)
    input_gradient(plan, layer, rows, panels, y, dy, dx, own)
    left, right = transposed_columns(layer, panels, lanes)
    if plan.drops and before.dropout > 0:
        drop(plan, dx, dx, first + begin, rows, left, right, index)
        y = offset(block.outputs, place)
    x = offset(block.activation_inputs, place) if before.keeps_input else y
    pieces, size = pieces_of(rows, before.row, left, right)
    for piece in range(pieces):
        here = piece * before.row + left
        call_activation(
            before.activate_backward, offset(dx, here), offset(x, here), offset(y, here), before.numbers, size
        )


@inline_ir
def loss_of_rows(plan, first, m, begin, end, block):
    """The loss of the rows from `begin` to `end` of a row block of m rows, and the deltas of the last layer; returns
    the sum of the rows' losses."""
    last = layer_of(plan.layers, plan.n_layers - 1, plan)
    place = m * last.column + begin * last.row
    z, dz = offset(block.activations, place), offset(block.deltas, place)
    t, options = plan.t + (first + begin) * plan.t_row_bytes, loss_of(plan.loss_options, 0, plan)
    return call_loss(plan.loss, z, end - begin, last.outputs, last.row, t, dz, plan.scale, options, first + begin)


@unit("StepPlan int int BlockPlan -> float")
def forward_backward_block(plan, first, m, block):
    """Activations and deltas of m rows from `first` on, into that row block; returns the sum of their losses."""
    forward_block(plan, first, m, block)
    total = loss_of_rows(plan, first, m, 0, m, block)
    for index in range(plan.n_layers - 1, 0, -1):
        layer = layer_of(plan.layers, index, plan)
        n_panels = panel_count(layer.input_row // lanes_of(plan.parameters))
        backward_layer(plan, index, first, m, (0, m, 0, n_panels), block, block)
    return total
