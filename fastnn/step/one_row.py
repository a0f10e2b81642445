"""The update of panels by a batch of one row, whose gradient is an outer product."""

from __future__ import annotations

from numba.core import types

from fastnn.intrinsics import MR, indirect_call, lanes_of, offset
from fastnn.jit import inline_ir
from fastnn.linalg.gemv import ROWS_OF_A_DOT_TILE, add_dot_products, columns_taking_part
from fastnn.linalg.packing import panel_count, panel_start
from fastnn.step.plan import UPDATE_BLOCK, optimizer_of
from fastnn.units import unit

# call_rank_one_update(slot, ...): weights, a factor for each row, how many rows, the row that times its
# factor is a row's gradient, its width (whole vectors), first moment, the elements from one moment to the next,
# constants.
_call_rank_one_update = indirect_call(types.none)


@inline_ir
def _update_rows(plan, start, a, rows, d, width):
    """Update so many rows of a panel, which begin `start` elements after the first parameter, by the gradient a dᵀ."""
    optimizer = optimizer_of(plan.optimizer, 0, plan)
    _call_rank_one_update(
        optimizer.rank_one_update, offset(plan.parameters, start), a, rows, d, width,
        offset(optimizer.moments, start), optimizer.moment_stride, optimizer.constants,
    )  # fmt: skip


@unit("StepPlan LayerPlan real* real* BlockPlan -> none")
def update_panels_by_one_row(plan, layer, a, dy, own):
    """Update the worker's part of a layer's panels, from the layer's input a and its deltas dy."""
    lanes, n_panels = lanes_of(plan.parameters), panel_count(layer.panel_vectors)
    for panel in range(own.begin_panel, own.end_panel):
        first = panel_start(panel, n_panels, layer.panel_vectors) * lanes
        width = panel_start(panel + 1, n_panels, layer.panel_vectors) * lanes - first
        rows = UPDATE_BLOCK // width // MR * MR
        for row in range(own.top, own.bottom, rows):
            start = layer.weights + first * layer.inputs + row * width
            _update_rows(plan, start, offset(a, row), min(rows, own.bottom - row), offset(dy, first), width)


@unit("StepPlan LayerPlan real* real* real* -> none")
def update_panels_on_the_way(plan, layer, a, dy, dx):
    """`gemv_transposed`, dx ← dy wᵀ; as soon as it has read a few rows of a panel of w these are updated, from the
    layer's input a and its deltas dy.

    So weights are read once, and not once for dx and again for the update. Few rows at a time, for the CPU fetches
    ahead of what is read: of weights as of moments it never has to begin anew.
    """
    lanes, n_panels = lanes_of(plan.parameters), panel_count(layer.panel_vectors)
    columns = layer.outputs - layer.tail
    for k in range(layer.input_row):
        dx[k] = 0
    for p in range(n_panels):
        first = panel_start(p, n_panels, layer.panel_vectors) * lanes
        width = panel_start(p + 1, n_panels, layer.panel_vectors) * lanes - first
        begin, d = layer.weights + first * layer.inputs, offset(dy, first)
        panel = offset(plan.parameters, begin)
        used = columns_taking_part(d, panel, width, min(width, columns - first))
        for row in range(0, layer.inputs, ROWS_OF_A_DOT_TILE):
            bottom = min(row + ROWS_OF_A_DOT_TILE, layer.inputs)
            add_dot_products(row, bottom, d, panel, width, used, dx)
            _update_rows(plan, begin + row * width, offset(a, row), bottom - row, d, width)
