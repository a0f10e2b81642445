"""The update of the parameters in a training step.

Where no worker has more than one tile of rows, nobody stores a gradient: each worker takes a share of the rows of
every layer's panels, and block by block computes their gradient over the whole batch and uses it; the first one takes
what does not lie in panels too. Else each worker sums up the gradients of its tiles, and then adds up everybody's for
its share of the parameters.
"""

from __future__ import annotations

from fastnn.intrinsics import (
    MR,
    NR_VECTORS,
    VECTOR_BYTES,
    element,
    lanes_of,
    offset,
)
from fastnn.jit import force_inline, inline_ir, kernel
from fastnn.kernels.optimizers import is_plain_descent, update, update_by_products
from fastnn.linalg.gemm import (
    NOTHING,
    add_outer_product,
    add_transposed_product,
    gather_columns,
    panel_product,
)
from fastnn.linalg.layout import layer_size, panel_vectors, tail_columns, weights_size
from fastnn.linalg.packing import padded, panel_count, panel_start
from fastnn.linalg.sparse_inputs import sparse_gradient, sparse_gradient_panel
from fastnn.linalg.tail_columns import tail_product
from fastnn.step.forward_backward import TILE

# Elements of a block of weights whose gradient is used while it is in the first-level cache.
BLOCK = 8192

# Elements of a worker's scratch: a block, and the columns of one panel of a tile.
SCRATCH = BLOCK + TILE * NR_VECTORS * VECTOR_BYTES // 4


@kernel
def add_rows(m, rows, row, total):
    """total ← total + Σ rows: m of them, `row` elements from one to the next."""
    for r in range(m):
        one = offset(rows, r * row)
        for c in range(total.size):
            total[c] += one[c]


@kernel
def update_block(at, size, optimizer, parameters, gradient, state, numbers):
    """Update `size` parameters from `at` on by a gradient that begins with the block."""
    end = at + size
    update(optimizer, parameters[at:end], gradient[:size], state[0, at:end], state[1, at:end], numbers)


@force_inline
def room_of(workspace):
    """Elements of a worker's outputs, and of its deltas, which lie behind them in its row of the workspace."""
    return (workspace.shape[1] - SCRATCH) // 2


@force_inline
def rows_of_tile(k, tile, x, workspace, i, before):
    """Of the k-th tile, which lies in the k-th row of the workspace: its rows, and of one layer where the input of i
    columns begins, the step from row to row, and where its delta begins.

    `before` is how wide the padded outputs of all layers before are together.
    """
    m = min(tile, x.shape[0] - k * tile)
    dy = element(workspace[k], room_of(workspace) + m * before)
    if before == 0:
        return m, element(x, k * tile * i), i, dy
    a_row = padded(i, lanes_of(x))
    return m, element(workspace[k], m * (before - a_row)), a_row, dy


@inline_ir
def use_gradient(
    top, bottom, with_rest, tiles, tile, x, i, outputs, before, at, optimizer, parameters, state, numbers, workspace,
    listed, listing, zeros, scratch
):  # fmt: skip
    """Update the rows from `top` to `bottom` of the panels of one layer's weights at `at`, and the rest of it, its
    remainder and its bias, by the gradient of all tiles: block by block, each used while it is in the first-level
    cache."""
    count = lanes_of(parameters)
    o, vectors = padded(outputs, count), panel_vectors(i, outputs, count)
    remainder, whole = tail_columns(i, outputs, count), vectors * count
    bias = at + weights_size(i, outputs, count)
    panels = panel_count(vectors)
    for p in range(panels):
        first, last = panel_start(p, panels, vectors) * count, panel_start(p + 1, panels, vectors) * count
        width = last - first
        rows = BLOCK // width // MR * MR
        for r in range(top, bottom, rows):
            height = min(rows, bottom - r)
            block = at + first * i + r * width
            if x.shape[0] == 1:
                _, a, _, dy = rows_of_tile(0, tile, x, workspace, i, before)
                end = block + height * width
                update_by_products(
                    optimizer, parameters[block:end], offset(a, r), width, offset(dy, first), scratch,
                    state[0, block:end], state[1, block:end], numbers,
                )  # fmt: skip
                continue
            for k in range(tiles):
                m, a, a_row, dy = rows_of_tile(k, tile, x, workspace, i, before)
                if before == 0 and listed[k, 0] != 0:
                    if k == 0:
                        scratch[: height * width] = 0
                    sparse_gradient_panel(
                        r, r + height, m, i, width // count, count, a, a_row, offset(dy, first), o,
                        element(scratch, -r * width), element(listed[k], 0), listing,
                    )  # fmt: skip
                    continue
                b, b_row = gather_columns(m, count, width, offset(dy, first), o, element(scratch, BLOCK))
                start, start_row = (element(zeros, 0), 0) if k == 0 else (element(scratch, 0), width)
                panel_product(
                    height, width // count, offset(a, r), 1, a_row, b, b_row, start, start_row, element(scratch, 0),
                    width, m, NOTHING,
                )  # fmt: skip
            update_block(block, height * width, optimizer, parameters, scratch, state, numbers)
    widest = BLOCK // max(remainder, 1) // count * count
    for first in range(0, i if with_rest and remainder > 0 else 0, widest):
        width = min(widest, i - first)
        for k in range(tiles):
            m, a, a_row, dy = rows_of_tile(k, tile, x, workspace, i, before)
            start, start_row = (element(zeros, 0), 0) if k == 0 else (element(scratch, 0), width)
            tail_product(
                remainder, offset(dy, whole), 1, o, width, count, offset(a, first), a_row, start, start_row,
                element(scratch, 0), width, m,
            )  # fmt: skip
        # Whole rows lie side by side.
        rows = remainder if width == i else 1
        for c in range(0, remainder, rows):
            block = at + (whole + c) * i + first
            update_block(block, rows * width, optimizer, parameters, scratch[c * width :], state, numbers)
    for first in range(0, o if with_rest else 0, BLOCK):
        width = min(BLOCK, o - first)
        scratch[:width] = 0
        for k in range(tiles):
            m, a, a_row, dy = rows_of_tile(k, tile, x, workspace, i, before)
            add_rows(m, offset(dy, first), o, scratch[:width])
        update_block(bias + first, width, optimizer, parameters, scratch, state, numbers)


@kernel
def add_gradient_of_rest(m, a, a_row, dy, i, outputs, layer):
    """Add the gradient of m rows to what of a layer does not lie in panels, its remainder and its bias."""
    count = lanes_of(layer)
    o, remainder = padded(outputs, count), tail_columns(i, outputs, count)
    if remainder > 0:
        whole = panel_vectors(i, outputs, count) * count
        rows = element(layer, whole * i)
        tail_product(remainder, offset(dy, whole), 1, o, i, count, a, a_row, rows, i, rows, i, m)
    bias = weights_size(i, outputs, count)
    add_rows(m, dy, o, layer[bias : bias + o])


@inline_ir
def descend(
    top, bottom, with_rest, tiles, tile, x, i, outputs, before, at, parameters, workspace, listed, listing, scratch
):  # fmt: skip
    """The same for plain gradient descent, with deltas times -rate: w ← w + aᵀ delta, no gradient in between."""
    count = lanes_of(parameters)
    o, vectors = padded(outputs, count), panel_vectors(i, outputs, count)
    w = element(parameters, at)
    for k in range(tiles):
        m, a, a_row, dy = rows_of_tile(k, tile, x, workspace, i, before)
        if m == 1:
            add_outer_product(top, bottom, i, vectors, count, a, dy, w)
        elif before == 0 and listed[k, 0] != 0:
            sparse_gradient(top, bottom, m, i, vectors, count, a, a_row, dy, o, w, element(listed[k], 0), listing)
        else:
            add_transposed_product(top, bottom, m, i, vectors, count, a, a_row, dy, o, w, element(scratch, 0))
        if with_rest:
            add_gradient_of_rest(m, a, a_row, dy, i, outputs, parameters[at:])


@force_inline
def share_of(rows, share, shares):
    """Where a share of so many rows begins: whole tiles of the micro-kernel, so that every sum is formed as it is by
    one worker alone."""
    return rows if share == shares else rows // MR * share // shares * MR


@kernel
def update_share(share, shares, tile, x, parameters, state, sizes, optimizer, numbers, workspace, listed, listing):
    """Update a share of every layer's panels, the first share the rest too, by the gradient of all tiles, none of them
    stored."""
    count, n = lanes_of(x), x.shape[0]
    tiles = (n + tile - 1) // tile
    scratch, zeros = workspace[share, 2 * room_of(workspace) :], workspace[-1]
    at = before = 0
    for layer in range(sizes.size - 1):
        i, o = sizes[layer], sizes[layer + 1]
        top, bottom = share_of(i, share, shares), share_of(i, share + 1, shares)
        if is_plain_descent(optimizer, numbers):
            descend(
                top, bottom, share == 0, tiles, tile, x, i, o, before, at, parameters, workspace, listed, listing,
                scratch,
            )  # fmt: skip
        else:
            use_gradient(
                top, bottom, share == 0, tiles, tile, x, i, o, before, at, optimizer, parameters, state, numbers,
                workspace, listed, listing, zeros, scratch,
            )  # fmt: skip
        at += layer_size(i, o, count)
        before += padded(o, count)


@inline_ir
def add_gradient(first, m, x, sizes, outputs, deltas, gradient, scratch, listed, listing):
    """gradient ← gradient + that of the m rows of x from `first` on, as listed."""
    count = lanes_of(x)
    a, a_row = element(x, first * sizes[0]), sizes[0]
    at = out = 0
    for layer in range(sizes.size - 1):
        i, o = sizes[layer], padded(sizes[layer + 1], count)
        dy, w, vectors = element(deltas, out), element(gradient, at), panel_vectors(i, sizes[layer + 1], count)
        if layer == 0 and listed[0] != 0:
            sparse_gradient(0, i, m, i, vectors, count, a, a_row, dy, o, w, listed, listing)
        else:
            add_transposed_product(0, i, m, i, vectors, count, a, a_row, dy, o, w, element(scratch, 0))
        add_gradient_of_rest(m, a, a_row, dy, i, sizes[layer + 1], gradient[at:])
        a, a_row = element(outputs, out), o
        out += m * o
        at += layer_size(i, sizes[layer + 1], count)


@kernel
def reduce_and_update(first, last, workers, optimizer, parameters, gradients, state, numbers):
    """Update the parameters from `first` to `last`, block by block, by the sum of the workers' gradients."""
    for at in range(first, last, BLOCK):
        end = min(at + BLOCK, last)
        gradient = gradients[0, at:end]
        for worker in range(1, workers):
            other = gradients[worker, at:end]
            for k in range(end - at):
                gradient[k] += other[k]
        update_block(at, end - at, optimizer, parameters, gradient, state, numbers)
