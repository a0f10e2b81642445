"""The forward pass of one row block, or of a part of it."""

from __future__ import annotations

from numba.core import types

from fastnn.intrinsics import MR, indirect_call, lanes_of, offset
from fastnn.jit import force_inline, inline_ir
from fastnn.linalg.compressed_rows import compressed_forward
from fastnn.linalg.gemm import multiply_panels
from fastnn.linalg.packing import panel_count, panel_start
from fastnn.linalg.sparse_inputs import (
    ALWAYS,
    NEVER,
    USED,
    find_active_columns,
    skipping_pays,
    sparse_forward,
)
from fastnn.linalg.tail_columns import tail_forward
from fastnn.step.dropout import drop
from fastnn.step.plan import layer_of, source_of
from fastnn.units import unit

# call_activation(slot, ...): with the slot `activate`, (x, y, numbers, size) writes y; with the slot
# `activate_backward`, (dy, x, y, numbers, size) overwrites dy by dx. x is the address of y where the slope needs y
# alone: there y overwrites x.
call_activation = indirect_call(types.none)

# call_load_rows(slot, plan, first, begin, end, block): writes the rows from `begin` to `end` of the row block, whose
# first one is the row `first` of the batch, to its `inputs`; or where they are taken as they are compressed, their
# places to `begins` and `ends`.
call_load_rows = indirect_call(types.none)


@force_inline
def columns_of(layer, panels, takes_tail, lanes):
    """Where these panels' columns begin and end in a row of a layer's output; `takes_tail` : and all behind them, tail
    columns and padding."""
    vectors = layer.panel_vectors
    n_panels = max(1, panel_count(vectors))
    begin, end = panel_start(panels[0], n_panels, vectors), panel_start(panels[1], n_panels, vectors)
    return begin * lanes, layer.row if takes_tail else end * lanes


@inline_ir
def affine_block(plan, layer, rows, panels, takes_tail, a, z, block):
    """z ← a w + b for some rows of the layer's input a, with the row block's active columns where they are used; only
    the columns of the panels from the first of `panels` to the second, and the tail columns if it `takes_tail`.

    rows : the first one's number in the row block, and how many.
    """
    lanes, active = lanes_of(a), block.active
    (begin, m), (begin_panel, end_panel) = rows, panels
    w, bias = offset(plan.parameters, layer.weights), offset(plan.parameters, layer.bias)
    tail = layer.tail if takes_tail else 0
    if layer.column == 0 and plan.compressed:
        source = source_of(plan.source, 0, plan)
        compressed_forward(
            m, layer.inputs, layer.panel_vectors, begin_panel, end_panel, tail, lanes, source.values, source.columns,
            offset(block.begins, begin), offset(block.ends, begin), w, bias, z, layer.row,
        )  # fmt: skip
    elif layer.column == 0 and plan.sparsity == ALWAYS and active[USED] != 0:
        sparse_forward(
            begin // MR, m, layer.inputs, layer.panel_vectors, begin_panel, end_panel, lanes, a, layer.input_row, w,
            bias, z, layer.row, active,
        )  # fmt: skip
    else:
        # Where other row blocks may skip columns, these sums are not cut either, nor added up in another order: in
        # which of both a row is depends on how many workers there are, and its sums must not.
        others_skip = layer.column == 0 and plan.sparsity == ALWAYS
        depth = layer.inputs if others_skip else plan.depth
        multiply_panels(
            m, layer.inputs, layer.panel_vectors, begin_panel, end_panel, lanes, a, layer.input_row, w, bias, 0, z,
            layer.row, depth, others_skip,
        )  # fmt: skip
    if tail > 0 and not (layer.column == 0 and plan.compressed):
        whole = layer.panel_vectors * lanes
        tail_weights = offset(plan.parameters, layer.tail_weights)
        tail_forward(
            m, layer.inputs, tail, a, layer.input_row, tail_weights, offset(bias, whole), offset(z, whole), layer.row
        )


@force_inline
def pieces_of(rows, row, begin, end):
    """In how many contiguous pieces the columns from `begin` to `end` of so many rows lie, and the size of each."""
    return (1, rows * row) if end - begin == row else (rows, end - begin)


@inline_ir
def forward_layer(plan, index, first, m, part, takes_tail, block):
    """The activations of a layer for a part of a row block of m rows, whose first one is the row `first` of the batch.

    part : from which row of the row block to which, and from which panel to which; and if it `takes_tail` the columns
    behind them.
    """
    layer = layer_of(plan.layers, index, plan)
    begin, end, begin_panel, end_panel = part
    lanes, rows, panels = lanes_of(plan.parameters), end - begin, (begin_panel, end_panel)
    a = offset(block.x, begin * layer.input_row)
    if index > 0:
        a = offset(block.activations, m * (layer.column - layer.input_row) + begin * layer.input_row)
    place = m * layer.column + begin * layer.row
    a_next = offset(block.activations, place)
    drops = plan.drops and layer.dropout > 0
    y = offset(block.outputs, place) if drops else a_next
    # The affine output lies where y shall be, unless the slope needs it.
    z = offset(block.activation_inputs, place) if layer.keeps_input else y
    affine_block(plan, layer, (begin, rows), panels, takes_tail, a, z, block)
    left, right = columns_of(layer, panels, takes_tail, lanes)
    if layer.activate != 0:
        pieces, size = pieces_of(rows, layer.row, left, right)
        for piece in range(pieces):
            own = piece * layer.row + left
            call_activation(layer.activate, offset(z, own), offset(y, own), layer.numbers, size)
    if drops:
        drop(plan, y, a_next, first + begin, rows, left, right, index + 1)


@unit("StepPlan int int int BlockPlan -> none")
def take_rows(plan, first, begin, end, block):
    """The rows from `begin` to `end` of a row block, whose first one is the row `first` of the batch: the net's input,
    and the active columns of these rows."""
    layer = layer_of(plan.layers, 0, plan)
    row, rows, a = layer.inputs, end - begin, offset(plan.x, first * layer.inputs)
    if plan.load_rows != 0:
        call_load_rows(plan.load_rows, plan, first, begin, end, block)
        a = block.inputs
    if plan.drops and plan.input_dropout > 0:
        own, dropped = offset(a, begin * row), offset(block.inputs, begin * row)
        drop(plan, own, dropped, first + begin, rows, 0, row, 0)
        a = block.inputs
    block.x = a
    if plan.sparsity != NEVER:
        find_active_columns(begin, end, row, lanes_of(a), a, layer.input_row, block.active)


@inline_ir
def choose_columns(plan, m, block):
    """Whether the row block's active columns are used, once they are found."""
    inputs = layer_of(plan.layers, 0, plan).inputs
    block.active[USED] = plan.sparsity != NEVER and skipping_pays(m, inputs, block.active)


@unit("StepPlan int int BlockPlan -> none")
def forward_block(plan, first, m, block):
    """The activations of every layer for m rows of x from `first` on, and the active columns of these rows, into that
    row block. Those of the last layer are its affine outputs."""
    take_rows(plan, first, 0, m, block)
    choose_columns(plan, m, block)
    for index in range(plan.n_layers):
        layer = layer_of(plan.layers, index, plan)
        forward_layer(plan, index, first, m, (0, m, 0, panel_count(layer.panel_vectors)), True, block)
