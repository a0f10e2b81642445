"""The update of the parameters.

Where no worker has more than one row block, nobody stores a gradient: each worker takes a part of every layer's panels
(`take_part`), computes their gradient over the whole batch update block by update block, and uses each at once; one of
them takes tail columns and biases too, of each layer another. What an update reads, weights and moments, is prefetched
while the gradient is computed, which leaves memory idle. Else each worker adds up the gradients of its row blocks,
and then updates a part of the parameters by the sum of all workers' gradients. Where more than that sum is needed of
the gradient (`step/transform.py`), gradients are stored too.
"""

from __future__ import annotations

from numba.core import types

from fastnn.intrinsics import (
    MR,
    flush_subnormals,
    indirect_call,
    lanes_of,
    offset,
    restore_subnormals,
    stack_alloc,
)
from fastnn.jit import force_inline, inline_ir
from fastnn.linalg.compressed_rows import compressed_gradient, compressed_places, compressed_tail_gradient
from fastnn.linalg.few_rows_gradient import accumulate_few_rows
from fastnn.linalg.gemm import TARGET, accumulate_transposed, copy_columns, panel_product, product_before_update
from fastnn.linalg.packing import panel_count, panel_start, panels_of, part_start
from fastnn.linalg.sparse_inputs import NEVER, sparse_gradient, sparse_gradient_panels, used_in_gradient
from fastnn.linalg.tail_columns import tail_product
from fastnn.step.one_row import update_panels_by_one_row
from fastnn.step.plan import BLOCK_ROWS, UPDATE_BLOCK, block_of, layer_of, optimizer_of, source_of
from fastnn.step.transform import bound_gradient, part_of_parameters, sum_gradients
from fastnn.units import unit

# call_update(slot, ...): weights, gradient, first moment, the elements from one moment to the next,
# how many weights, the constants of the step.
call_update = indirect_call(types.none)

# Rows of a row block below which a product is over before much can be prefetched meanwhile.
_ROWS_WORTH_FETCHING = 16

# Below so many rows, those that groups of MR rows leave over weigh most.
_FEW_ROWS = 8

# Places of a row block's rows among the values of compressed rows.
_alloc_places = stack_alloc(BLOCK_ROWS)


@force_inline
def block_operands(plan, layer, index, block):
    """Of the row block with that index, held in `block`: its rows m, the address of the layer's input and of its
    deltas."""
    m = min(plan.block_rows, plan.n - index * plan.block_rows)
    dy = offset(block.deltas, m * layer.column)
    if layer.column == 0:  # the first layer, whose input is x
        return m, block.x, dy
    # The activations of the layer before: its `column` is less by its `row`, which is this layer's `input_row`.
    return m, offset(block.activations, m * (layer.column - layer.input_row)), dy


@force_inline
def leaves_out_zeros_of_few_rows(plan, layer, m):
    """Whether the gradient of m rows of the layer's input is one of a few rows with many zeros: groups of MR rows
    (`linalg/sparse_inputs.py`) would leave some over, or all."""
    return layer.column == 0 and plan.sparsity != NEVER and m < _FEW_ROWS and m % MR != 0


@unit("StepPlan int int real* -> none")
def update_range(plan, start, size, gradient):
    """Update `size` parameters from `start` on by the gradient at that address, where it is clipped first; for a fused
    update it is scaled already, and added."""
    if plan.fused_update:
        w = offset(plan.parameters, start)
        for k in range(size):
            w[k] += gradient[k]
        return
    optimizer = optimizer_of(plan.optimizer, 0, plan)
    if plan.clip_value > 0 or plan.clip_norm > 0:
        bound_gradient(plan, gradient, size)
    w, moments = offset(plan.parameters, start), offset(optimizer.moments, start)
    call_update(optimizer.update, w, gradient, moments, optimizer.moment_stride, size, optimizer.constants)


@inline_ir
def add_rows(m, rows, row, total, size):
    """total ← total + Σ rows: m rows of `size` elements, `row` elements from one to the next."""
    for r in range(m):
        one = offset(rows, r * row)
        for c in range(size):
            total[c] += one[c]


@force_inline
def strip_of(plan, columns, index, worker):
    """Where a worker copies a strip of so many columns of the layer's input in the row block with that index."""
    scratch = block_of(plan.blocks, worker, plan).scratch
    return offset(scratch, UPDATE_BLOCK + index * plan.most_rows * columns)


@unit("StepPlan LayerPlan int int int int -> none")
def copy_strips(plan, layer, top, height, strip, worker):
    """Copy `height` columns from `top` on of the layer's input to strips of `strip` columns, in every row block but
    those with active columns."""
    for index in range(plan.n_blocks):
        block = block_of(plan.blocks, index, plan)
        m, a, _ = block_operands(plan, layer, index, block)
        if layer.column > 0 or not (plan.compressed or used_in_gradient(block.active)):
            copy_columns(m, height, offset(a, top), layer.input_row, strip_of(plan, strip, index, worker), strip)


@unit("StepPlan LayerPlan int int int -> none")
def find_places(plan, layer, top, height, worker):
    """Find where `height` columns from `top` on begin and end in every compressed row of the batch."""
    source, own = source_of(plan.source, 0, plan), block_of(plan.blocks, worker, plan)
    for index in range(plan.n_blocks):
        block, place = block_of(plan.blocks, index, plan), index * BLOCK_ROWS
        m, _, _ = block_operands(plan, layer, index, block)
        compressed_places(
            top, top + height, layer.inputs, m, source.columns, block.begins, block.ends,
            offset(own.firsts, place), offset(own.lasts, place),
        )  # fmt: skip


@unit("StepPlan LayerPlan int int int int int -> none")
def panel_block_gradient(plan, layer, panel, top, height, strip, worker):
    """The worker's scratch ← the gradient over the whole batch of `height` rows from `top` on of one panel. strip : the
    columns of strips of the layer's input, or 0 where there are none."""
    lanes = lanes_of(plan.parameters)
    n_panels = panel_count(layer.panel_vectors)
    first = panel_start(panel, n_panels, layer.panel_vectors) * lanes
    width = panel_start(panel + 1, n_panels, layer.panel_vectors) * lanes - first
    scratch, optimizer = block_of(plan.blocks, worker, plan).scratch, optimizer_of(plan.optimizer, 0, plan)
    begin = layer.weights + first * layer.inputs + top * width
    fetches = optimizer.n_fetched > 0 and plan.block_rows >= _ROWS_WORTH_FETCHING
    for index in range(plan.n_blocks):
        block = block_of(plan.blocks, index, plan)
        m, a, dy = block_operands(plan, layer, index, block)
        few = leaves_out_zeros_of_few_rows(plan, layer, m)
        if layer.column == 0 and (plan.compressed or few or used_in_gradient(block.active)):
            if index == 0:
                for k in range(height * width):
                    scratch[k] = 0
            if plan.compressed:
                source, own, place = (
                    source_of(plan.source, 0, plan),
                    block_of(plan.blocks, worker, plan),
                    index * BLOCK_ROWS,
                )
                firsts, lasts = offset(own.firsts, place), offset(own.lasts, place)
                compressed_gradient(
                    m, width // lanes, width, source.values, source.columns, firsts, lasts, offset(dy, first),
                    layer.row, offset(scratch, -top * width),
                )  # fmt: skip
                continue
            # What follows takes the address of the panel's row 0; scratch begins with row `top`.
            if few:
                accumulate_few_rows(
                    top, top + height, m, layer.inputs, width // lanes, 0, 1, lanes, a, layer.input_row,
                    offset(dy, first), layer.row, offset(scratch, -top * width),
                )  # fmt: skip
                continue
            sparse_gradient(
                top, top + height, m, layer.inputs, width // lanes, lanes, a, layer.input_row,
                offset(dy, first), layer.row, offset(scratch, -top * width), block.active,
            )  # fmt: skip
            continue
        columns, columns_row = offset(a, top), layer.input_row
        if strip > 0:
            columns, columns_row = strip_of(plan, strip, index, worker), strip
        b = offset(block.packed_deltas, m * (layer.column + first))
        start, start_row = (plan.zeros, 0) if index == 0 else (scratch, width)
        if fetches and index == plan.n_blocks - 1:
            w, moments = offset(plan.parameters, begin), offset(optimizer.moments, begin)
            product_before_update(
                height, width // lanes, columns, columns_row, b, width, start, start_row, scratch, m,
                optimizer.n_fetched, w, moments, optimizer.moment_stride,
            )  # fmt: skip
        else:
            panel_product(
                height, width // lanes, columns, 1, columns_row, b, width, start, start_row, scratch, width, m, TARGET,
                scratch, 0,
            )  # fmt: skip


@unit("StepPlan LayerPlan BlockPlan int -> none")
def update_panels(plan, layer, own, worker):
    """Update the worker's part of a layer's panels, update block by update block."""
    lanes, scratch = lanes_of(plan.parameters), own.scratch
    n_panels = panel_count(layer.panel_vectors)
    rows, strip = layer.update_rows, 0
    if layer.strip > 0 and not (layer.column == 0 and plan.compressed):
        # No power of two, but by chance: rows of strips that far apart would fall into few sets of a cache again.
        rows = strip = min(rows, plan.strip_columns // plan.n_blocks // MR * MR)
    for row in range(own.top, own.bottom if own.begin_panel < own.end_panel else own.top, rows):
        height = min(rows, own.bottom - row)
        if layer.column == 0 and plan.compressed:
            find_places(plan, layer, row, height, worker)
        elif strip > 0:
            copy_strips(plan, layer, row, height, strip, worker)
        for panel in range(own.begin_panel, own.end_panel):
            first = panel_start(panel, n_panels, layer.panel_vectors) * lanes
            width = panel_start(panel + 1, n_panels, layer.panel_vectors) * lanes - first
            panel_block_gradient(plan, layer, panel, row, height, strip, worker)
            update_range(plan, layer.weights + first * layer.inputs + row * width, height * width, scratch)


@unit("StepPlan LayerPlan int int int BlockPlan real* int -> none")
def _add_compressed_tail(plan, layer, top, bottom, index, block, target, row):
    """Add the gradient of one row block of compressed rows, of the tail columns' inputs from `top` to `bottom`, to
    `target`, `row` elements from one tail column to the next."""
    source, firsts, lasts = source_of(plan.source, 0, plan), _alloc_places(block.begins), _alloc_places(block.begins)
    m, _, dy = block_operands(plan, layer, index, block)
    for r in range(m):
        lasts[r] = block.begins[r]
    compressed_places(top, bottom, layer.inputs, m, source.columns, block.begins, block.ends, firsts, lasts)
    whole = layer.panel_vectors * lanes_of(dy)
    compressed_tail_gradient(
        m, layer.tail, top, source.values, source.columns, firsts, lasts, offset(dy, whole), layer.row, target, row
    )


@unit("StepPlan LayerPlan int -> none")
def update_tail_and_bias(plan, layer, worker):
    """Update a layer's tail columns and bias by their gradient over the whole batch."""
    lanes, scratch = lanes_of(plan.parameters), block_of(plan.blocks, worker, plan).scratch
    whole = layer.panel_vectors * lanes
    widest = UPDATE_BLOCK // max(layer.tail, 1) // lanes * lanes
    for first in range(0, layer.inputs if layer.tail > 0 else 0, widest):
        width = min(widest, layer.inputs - first)
        for index in range(plan.n_blocks):
            m, a, dy = block_operands(plan, layer, index, block_of(plan.blocks, index, plan))
            start, start_row = (plan.zeros, 0) if index == 0 else (scratch, width)
            if layer.column == 0 and plan.compressed:
                if index == 0:
                    for k in range(layer.tail * width):
                        scratch[k] = 0
                _add_compressed_tail(
                    plan, layer, first, first + width, index, block_of(plan.blocks, index, plan), scratch, width
                )
                continue
            tail_product(
                layer.tail, offset(dy, whole), 1, layer.row, width, lanes, offset(a, first), layer.input_row,
                start, start_row, scratch, width, m,
            )  # fmt: skip
        # Full rows are contiguous.
        rows = layer.tail if width == layer.inputs else 1
        for c in range(0, layer.tail, rows):
            update_range(
                plan, layer.tail_weights + c * layer.inputs + first, rows * width, offset(scratch, c * width)
            )  # fmt: skip
    for first in range(0, layer.row, UPDATE_BLOCK):
        width = min(UPDATE_BLOCK, layer.row - first)
        for c in range(width):
            scratch[c] = 0
        for index in range(plan.n_blocks):
            m, _, dy = block_operands(plan, layer, index, block_of(plan.blocks, index, plan))
            add_rows(m, offset(dy, first), layer.row, scratch, width)
        update_range(plan, layer.bias + first, width, scratch)


@unit("StepPlan LayerPlan int BlockPlan real* BlockPlan -> none")
def accumulate_panels(plan, layer, index, block, target, own):
    """Add one row block's gradient of the worker's part of a layer's panels to `target`, which is laid out like the
    panels. `index` is that of the row block, `own` the worker's BLOCK, which has room for a strip."""
    lanes, top, bottom = lanes_of(plan.parameters), own.top, own.bottom
    m, a, dy = block_operands(plan, layer, index, block)
    if layer.column == 0 and plan.compressed:
        source, firsts, lasts = (
            source_of(plan.source, 0, plan),
            _alloc_places(block.begins),
            _alloc_places(block.begins),
        )
        for r in range(m):
            lasts[r] = block.begins[r]
        compressed_places(top, bottom, layer.inputs, m, source.columns, block.begins, block.ends, firsts, lasts)
        n_panels = panel_count(layer.panel_vectors)
        for panel in range(own.begin_panel, own.end_panel):
            first = panel_start(panel, n_panels, layer.panel_vectors)
            last = panel_start(panel + 1, n_panels, layer.panel_vectors)
            compressed_gradient(
                m, last - first, (last - first) * lanes, source.values, source.columns, firsts, lasts,
                offset(dy, first * lanes), layer.row, offset(target, first * lanes * layer.inputs),
            )  # fmt: skip
    elif m == 1 or leaves_out_zeros_of_few_rows(plan, layer, m):
        accumulate_few_rows(
            top, bottom, m, layer.inputs, layer.panel_vectors, own.begin_panel, own.end_panel, lanes, a,
            layer.input_row, dy, layer.row, target,
        )  # fmt: skip
    elif layer.column == 0 and used_in_gradient(block.active):
        sparse_gradient_panels(
            top, bottom, m, layer.inputs, layer.panel_vectors, own.begin_panel, own.end_panel, lanes, a,
            layer.input_row, dy, layer.row, target, block.active,
        )  # fmt: skip
    else:
        accumulate_transposed(
            top, bottom, m, layer.inputs, layer.panel_vectors, own.begin_panel, own.end_panel, lanes, a,
            layer.input_row, layer.strip, offset(block.packed_deltas, m * layer.column), target,
            offset(own.scratch, UPDATE_BLOCK),
        )  # fmt: skip


@unit("StepPlan LayerPlan int BlockPlan real* -> none")
def accumulate_tail_and_bias(plan, layer, index, block, target):
    """target, laid out like the parameters, ← target + the gradient of one row block with respect to the layer's tail
    columns and bias."""
    lanes = lanes_of(plan.parameters)
    m, a, dy = block_operands(plan, layer, index, block)
    if layer.tail > 0 and layer.column == 0 and plan.compressed:
        _add_compressed_tail(
            plan, layer, 0, layer.inputs, index, block, offset(target, layer.tail_weights), layer.inputs
        )
    elif layer.tail > 0:
        tail = offset(target, layer.tail_weights)
        tail_product(
            layer.tail, offset(dy, layer.panel_vectors * lanes), 1, layer.row, layer.inputs, lanes, a,
            layer.input_row, tail, layer.inputs, tail, layer.inputs, m,
        )  # fmt: skip
    add_rows(m, dy, layer.row, offset(target, layer.bias), layer.row)


@force_inline
def take_part(plan, index, worker, parts, own):
    """Which part of that layer's panels is the worker's; returns whether tail columns and bias are too.

    Panels of its own, where it multiplied by them in a shared pass, and will forward in the next: what another wrote
    must be fetched. Else a part of the rows of all panels, and tail columns and bias of each layer another's.
    """
    layer = layer_of(plan.layers, index, plan)
    n_panels = panel_count(layer.panel_vectors)
    if index < plan.shared_layers:
        own.top, own.bottom = 0, layer.inputs
        own.begin_panel, own.end_panel = panels_of(n_panels, worker, parts)
        return worker == parts - 1
    own.top, own.bottom = part_start(layer.inputs, worker, parts), part_start(layer.inputs, worker + 1, parts)
    own.begin_panel, own.end_panel = 0, n_panels
    return worker == index % parts


@unit("StepPlan LayerPlan BlockPlan int -> none")
def fused_sgd_update(plan, layer, own, takes_tail):
    """w ← w + aᵀ (-rate delta), a worker's part of a layer: no gradient in between. Deltas are scaled already."""
    w = offset(plan.parameters, layer.weights)
    for index in range(plan.n_blocks):
        block = block_of(plan.blocks, index, plan)
        accumulate_panels(plan, layer, index, block, w, own)
        if takes_tail:
            accumulate_tail_and_bias(plan, layer, index, block, plan.parameters)


@inline_ir
def fused_gradient_update(plan, layer, own, worker, takes_tail):
    """Update a worker's part of a layer by the gradient over the whole batch, of which no more than an update block is
    stored."""
    if plan.n > 1 or plan.clip_value > 0:
        update_panels(plan, layer, own, worker)
    elif layer.column == 0 or not plan.updates_on_the_way:
        _, a, dy = block_operands(plan, layer, 0, block_of(plan.blocks, 0, plan))
        update_panels_by_one_row(plan, layer, a, dy, own)
    if takes_tail:
        update_tail_and_bias(plan, layer, worker)


@unit("StepPlan int BlockPlan real* -> none")
def add_block_gradient(plan, index, block, gradient):
    """gradient ← gradient + that of the row block with that index, all layers."""
    for k in range(plan.n_layers):
        layer = layer_of(plan.layers, k, plan)
        take_part(plan, k, 0, 1, block)
        accumulate_panels(plan, layer, index, block, offset(gradient, layer.weights), block)
        accumulate_tail_and_bias(plan, layer, index, block, gradient)


@unit("StepPlan int -> none")
def update_by_stored_gradient(plan, worker):
    """Update the worker's part of the parameters by the sum of all workers' gradients, update block by update block;
    `transform_gradients` has formed that sum, if it was called."""
    first, last = part_of_parameters(plan, worker)
    for start in range(first, last, UPDATE_BLOCK):
        size = min(UPDATE_BLOCK, last - start)
        if plan.transform_gradients == 0:
            sum_gradients(plan, start, size)
        update_range(plan, start, size, offset(plan.gradients, start))


@force_inline
def adds_products_to_weights(plan, layer):
    """Whether a fused update adds a layer's products to its weights one by one, without a sum of them in between.

    Of a matrix many products of a weight are summed in registers before. Of compressed rows each product that is added
    rounds a weight: that may be no more often than once for every weight.
    """
    if not plan.fused_update or layer.column > 0 or not plan.compressed:
        return plan.fused_update != 0
    stored = 0
    for index in range(plan.n_blocks):
        block = block_of(plan.blocks, index, plan)
        m, _, _ = block_operands(plan, layer, index, block)
        for r in range(m):
            stored += block.ends[r] - block.begins[r]
    return stored <= layer.inputs


@unit("StepPlan int -> none")
def apply_update(plan, worker):
    """Update the worker's part of the parameters, after the forward and backward passes of all workers."""
    before, own = flush_subnormals(), block_of(plan.blocks, worker, plan)
    if plan.stores_gradients:
        update_by_stored_gradient(plan, worker)
    else:
        for index in range(plan.n_layers):
            layer = layer_of(plan.layers, index, plan)
            takes_tail = take_part(plan, index, worker, plan.parts, own)
            if adds_products_to_weights(plan, layer):
                fused_sgd_update(plan, layer, own, takes_tail)
            else:
                fused_gradient_update(plan, layer, own, worker, takes_tail)
    restore_subnormals(before)
