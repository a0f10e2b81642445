"""What an update needs of the deltas: scaled for a fused update, and packed."""

from __future__ import annotations

from fastnn.intrinsics import lanes_of, like, offset
from fastnn.jit import inline_ir
from fastnn.linalg.gemm import pack_rows
from fastnn.linalg.sparse_inputs import USED, USED_IN_GRADIENT, all_finite, used_in_gradient
from fastnn.step.plan import layer_of, optimizer_of
from fastnn.units import unit


@inline_ir
def scale_in_place(numbers, size, factor):
    """numbers ← factor numbers."""
    own = like(numbers[0], factor)
    for k in range(size):
        numbers[k] *= own


@unit("StepPlan int int int BlockPlan -> none")
def pack_deltas(plan, m, begin, end, block):
    """Pack the deltas of the rows from `begin` to `end` of m rows, of all layers whose gradient is a product with
    panels of them."""
    lanes = lanes_of(plan.parameters)
    for index in range(plan.n_layers):
        layer = layer_of(plan.layers, index, plan)
        # Where workers share the pass, another one may still find that no column may be skipped.
        if index > 0 or not (plan.compressed or (used_in_gradient(block.active) and not plan.shares_pass)):
            start = m * layer.column
            pack_rows(
                m, begin, end, layer.panel_vectors, lanes, offset(block.deltas, start), layer.row,
                offset(block.packed_deltas, start),
            )  # fmt: skip


@unit("StepPlan int int int BlockPlan -> none")
def finish_deltas(plan, m, begin, end, block):
    """What an update needs of the deltas of the rows from `begin` to `end` of a row block of m rows: they are scaled by
    -rate for a fused update, and packed."""
    if plan.fused_update:
        rate = optimizer_of(plan.optimizer, 0, plan).constants[1]
        for index in range(plan.n_layers):
            layer = layer_of(plan.layers, index, plan)
            own = offset(block.deltas, m * layer.column + begin * layer.row)
            scale_in_place(own, (end - begin) * layer.row, -rate)
    # 0 times infinity is NaN: with such deltas the first layer's gradient may skip no column.
    first = layer_of(plan.layers, 0, plan)
    deltas = offset(block.deltas, begin * first.row)
    if block.active[USED] != 0 and not all_finite(deltas, end - begin, first.row, first.outputs):
        block.active[USED_IN_GRADIENT] = 0
    if plan.n > 1 or plan.clip_value > 0:
        pack_deltas(plan, m, begin, end, block)
