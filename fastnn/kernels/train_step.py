"""The whole training step of a multi-layer perceptron, tile of rows by tile of rows.

Softmax cross-entropy is row-wise and the divisor of its mean is known before, so that forward, loss, backward and the
sum of the gradients run through for one tile of rows while it is in the second-level cache; nothing grows with the
batch. Each worker sums the gradients of its tiles; then one pass over the parameters adds up the workers' sums and
updates. A batch of one tile is never given a gradient at all: block by block of the weights it is computed and used.

Parameters live packed in one flat array: for each layer the weights in panels, then the padded bias. Gradients and
optimizer moments have the same layout. Padding starts as zero, its gradient is zero, and it is never read as data.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from fastnn.kernels.activations import activate, activate_backward
from fastnn.kernels.jit import expanded, inlined, kernel, parallel_kernel
from fastnn.kernels.losses import MEAN_SQUARED_ERROR, loss_sum
from fastnn.kernels.matmul import (
    NOTHING,
    add_transposed_product,
    gather_columns,
    panel_product,
    times_panels,
    times_transposed_panels,
)
from fastnn.kernels.optimizers import is_plain_descent, update
from fastnn.kernels.panels import padded, panel_count, panel_start, transpose_panels
from fastnn.kernels.simd import (
    TILE_ROWS,
    TILE_VECTORS,
    VECTOR_BYTES,
    address,
    flush_subnormals,
    lanes,
    moved,
    restore_subnormals,
)
from fastnn.kernels.step_arguments import arrays_of, wrong_label

# Rows of a tile: enough that a panel of weights is used often while it is in the cache, few enough that the tile's
# rows and outputs stay in the second-level cache.
TILE = 64

# Elements of a block of weights whose gradient is used while it is in the first-level cache.
BLOCK = 8192

# Elements of a worker's scratch: a block, and the columns of one panel of a tile.
SCRATCH = BLOCK + TILE * TILE_VECTORS * VECTOR_BYTES // 4


@inlined
def layer_size(inputs, outputs, lanes_):
    """Elements of one layer in the flat array: weights and bias."""
    return (inputs + 1) * padded(outputs, lanes_)


@kernel
def forward_tile(x, first, m, parameters, sizes, activation, outputs):
    """outputs ← every layer's output for the m rows of x from `first` on, in padded rows; returns where the last
    layer's begin."""
    count = lanes(x)
    layers = sizes.size - 1
    a, a_row = address(x, first * sizes[0]), sizes[0]
    at = out = 0
    for layer in range(layers):
        i, o = sizes[layer], padded(sizes[layer + 1], count)
        y = address(outputs, out)
        times_panels(
            m, i, o // count, count, a, a_row,
            address(parameters, at), address(parameters, at + i * o), 0, y, o,
        )  # fmt: skip
        if layer < layers - 1:
            activate(activation, outputs[out : out + m * o])
            out += m * o
        a, a_row = y, o
        at += (i + 1) * o
    return out


@kernel
def transpose_weights(parameters, sizes, transposed):
    """transposed ← the panels of every layer's weights but the first's, transposed, one after the other."""
    count = lanes(parameters)
    at, out = layer_size(sizes[0], sizes[1], count), 0
    for layer in range(1, sizes.size - 1):
        i, o = sizes[layer], sizes[layer + 1]
        transpose_panels(parameters[at:], i, o, transposed[out:], count)
        at += layer_size(i, o, count)
        out += o * padded(i, count)


@kernel
def few_rows(n, count):
    """Whether a batch is so small that transposing the weights would cost more than it saves."""
    return n <= 2 * count


@kernel
def input_gradient(m, few, i, o, dy, weights, transposed, dx, zeros, scratch):
    """dx ← dy wᵀ for m rows: dy (m, o) and dx (m, i) in padded rows."""
    count = lanes(zeros)
    di, do = padded(i, count), padded(o, count)
    if few:
        times_transposed_panels(m, i, o, count, dy, weights, dx, di, address(zeros, 0), scratch)
    else:
        times_panels(m, o, di // count, count, dy, do, transposed, address(zeros, 0), 0, dx, di)


@kernel
def add_rows(rows, total):
    """total ← total + Σ rows, over rows (m, columns)."""
    for r in range(rows.shape[0]):
        for c in range(rows.shape[1]):
            total[c] += rows[r, c]


@kernel
def update_block(at, size, optimizer, parameters, gradient, state, step, hyper):
    """Update `size` parameters from `at` on by a gradient that begins with the block."""
    end = at + size
    update(
        optimizer, parameters[at:end], gradient[:size], state[0, at:end], state[1, at:end], step, hyper
    )  # fmt: skip


@kernel
def use_gradient(m, i, o, a, a_row, dy, at, optimizer, parameters, state, step, hyper, zeros, scratch):
    """Update one layer at `at` block by block, by the gradient of m rows a (m, i), dy (m, o padded).

    A block's gradient is used while it is in the first-level cache.
    """
    count = lanes(parameters)
    vectors = o // count
    panels = panel_count(vectors)
    for p in range(panels):
        first, last = panel_start(p, panels, vectors) * count, panel_start(p + 1, panels, vectors) * count
        width = last - first
        b, b_row = gather_columns(m, count, width, moved(dy, first), o, address(scratch, BLOCK))
        rows = BLOCK // width // TILE_ROWS * TILE_ROWS
        for k in range(0, i, rows):
            height = min(rows, i - k)
            panel_product(
                height, width // count, moved(a, k), 1, a_row, b, b_row, address(zeros, 0), 0, address(scratch, 0),
                width, m, NOTHING,
            )  # fmt: skip
            block = at + first * i + k * width
            update_block(block, height * width, optimizer, parameters, scratch, state, step, hyper)


@kernel
def descend(m, i, o, a, a_row, dy, at, parameters, rate, scratch):
    """Plain gradient descent on one layer: w ← w + aᵀ (-rate dy), with no gradient in between. dy is used up."""
    count = lanes(parameters)
    for r in range(m):
        for c in range(o):
            dy[r, c] *= -rate
    add_transposed_product(
        m, i, o // count, count, a, a_row, address(dy, 0), o, address(parameters, at), address(scratch, 0)
    )
    add_rows(dy, parameters[at + i * o : at + (i + 1) * o])


@expanded
def tile_step(
    x, t, first, m, few, one_tile, parameters, gradient, state, sizes, activation, loss, optimizer, step, hyper, scale,
    transposed, outputs, deltas, zeros, scratch
):  # fmt: skip
    """Forward, loss and backward for m rows from `first` on; returns the sum of their losses.

    gradient ← gradient + theirs; but where they are the whole batch (`one_tile`), each layer is updated at once,
    after the gradient of its input is known, and `gradient` is not touched.
    """
    count, layers = lanes(x), sizes.size - 1
    out = forward_tile(x, first, m, parameters, sizes, activation, outputs)
    total = tile_loss(loss, m, sizes[layers], out, outputs, t[first : first + m], deltas, scale)
    at, turned = parameters.size, transposed.size
    for layer in range(layers - 1, -1, -1):
        i, o = sizes[layer], padded(sizes[layer + 1], count)
        at -= (i + 1) * o
        dy = address(deltas, out)
        before = out - m * padded(i, count)
        if layer == 0:
            a, a_row = address(x, first * i), i
        else:
            a, a_row = address(outputs, before), padded(i, count)
            turned -= sizes[layer + 1] * a_row
            input_gradient(
                m, few, i, sizes[layer + 1], dy, address(parameters, at), address(transposed, turned),
                address(deltas, before), zeros, scratch,
            )  # fmt: skip
            activate_backward(activation, deltas[before:out], outputs[before:out])
        rows = deltas[out : out + m * o].reshape(m, o)
        if not one_tile:
            add_transposed_product(m, i, o // count, count, a, a_row, dy, o, address(gradient, at), address(scratch, 0))
            add_rows(rows, gradient[at + i * o : at + (i + 1) * o])
        elif is_plain_descent(optimizer, hyper):
            descend(m, i, o, a, a_row, rows, at, parameters, parameters.dtype.type(hyper[0]), scratch)
        else:
            use_gradient(m, i, o, a, a_row, dy, at, optimizer, parameters, state, step, hyper, zeros, scratch)
            bias = scratch[:o]
            bias[:] = 0
            add_rows(rows, bias)
            update_block(at + i * o, o, optimizer, parameters, bias, state, step, hyper)
        out = before
    return total


@kernel
def tile_loss(loss, m, classes, out, outputs, t, deltas, scale):
    """The sum of the losses of m rows of logits at `out`; the deltas there ← their gradients."""
    o = padded(classes, lanes(outputs))
    z, dz = outputs[out : out + m * o].reshape(m, o), deltas[out : out + m * o].reshape(m, o)
    return loss_sum(loss, z, classes, t, dz, scale)


@kernel
def worker_step(
    worker, workers, tile, x, t, one_tile, parameters, gradients, state, sizes, activation, loss, optimizer, step,
    hyper, scale, transposed, workspace
):  # fmt: skip
    """The worker's gradient ← that of its share of the tiles; returns the sum of their losses."""
    n, room = x.shape[0], (workspace.shape[1] - SCRATCH) // 2
    outputs, deltas = workspace[worker, :room], workspace[worker, room : 2 * room]
    scratch, zeros = workspace[worker, 2 * room :], workspace[-1]
    gradient = gradients[worker]
    if not one_tile:
        gradient[:] = 0
    tiles = (n + tile - 1) // tile
    few = few_rows(n, lanes(x))
    total = 0.0
    before = flush_subnormals()
    for k in range(tiles * worker // workers, tiles * (worker + 1) // workers):
        first = k * tile
        total += tile_step(
            x, t, first, min(tile, n - first), few, one_tile, parameters, gradient, state, sizes, activation, loss,
            optimizer, step, hyper, scale, transposed, outputs, deltas, zeros, scratch,
        )  # fmt: skip
    restore_subnormals(before)
    return total


@kernel
def reduce_and_update(first, last, workers, optimizer, parameters, gradients, state, step, hyper):
    """Update the parameters from `first` to `last`, block by block, by the sum of the workers' gradients."""
    for at in range(first, last, BLOCK):
        end = min(at + BLOCK, last)
        gradient = gradients[0, at:end]
        for worker in range(1, workers):
            other = gradients[worker, at:end]
            for k in range(end - at):
                gradient[k] += other[k]
        update_block(at, end - at, optimizer, parameters, gradient, state, step, hyper)


@inlined
def mean_divisor(loss, n, classes):
    """The mean squared error is a mean over elements, the cross-entropy over rows."""
    return n * classes if loss == MEAN_SQUARED_ERROR else n


@kernel
def train_step(x, t, n, like, target_like, table, optimizer, step, tile, workers):
    """Forward, loss, backward, update on one thread; the arguments are those of `step_arguments`.

    Returns the mean loss before the update, in float64, and -1; or, with nothing changed, where the first label out of
    range is. Sums are those of so many workers; with one the gradient of a batch of one tile is never stored.
    """
    x, t, parameters, state, gradients, workspace, transposed, sizes, hyper, _, activation, loss = arrays_of(
        x, t, n, like, target_like, table
    )
    wrong = wrong_label(t, sizes[-1])
    if wrong >= 0:
        return np.nan, wrong
    divisor = mean_divisor(loss, n, sizes[-1])
    if not few_rows(n, lanes(x)):
        transpose_weights(parameters, sizes, transposed)
    one_tile = workers == 1 and n <= tile
    total = 0.0
    for worker in range(workers):
        total += worker_step(
            worker, workers, tile, x, t, one_tile, parameters, gradients, state, sizes, activation, loss, optimizer,
            step, hyper, 1.0 / divisor, transposed, workspace,
        )  # fmt: skip
    if not one_tile:
        reduce_and_update(0, parameters.size, workers, optimizer, parameters, gradients, state, step, hyper)
    return total / divisor, wrong


@parallel_kernel
def parallel_train_step(x, t, n, like, target_like, table, optimizer, step, tile, workers):
    """The same, to the bit, with each worker on a thread: two parallel regions, the tiles and the update."""
    x, t, parameters, state, gradients, workspace, transposed, sizes, hyper, losses, activation, loss = arrays_of(
        x, t, n, like, target_like, table
    )
    wrong = wrong_label(t, sizes[-1])
    if wrong >= 0:
        return np.nan, wrong
    divisor = mean_divisor(loss, n, sizes[-1])
    if not few_rows(n, lanes(x)):
        transpose_weights(parameters, sizes, transposed)
    for worker in prange(workers):
        losses[worker] = worker_step(
            worker, workers, tile, x, t, False, parameters, gradients, state, sizes, activation, loss, optimizer, step,
            hyper, 1.0 / divisor, transposed, workspace,
        )  # fmt: skip
    count = lanes(parameters)
    vectors = parameters.size // count
    for worker in prange(workers):
        first, last = vectors * worker // workers * count, vectors * (worker + 1) // workers * count
        reduce_and_update(first, last, workers, optimizer, parameters, gradients, state, step, hyper)
    total = 0.0
    for worker in range(workers):
        total += losses[worker]
    return total / divisor, wrong


@kernel
def forward(x, parameters, sizes, activation, outputs, tile, z):
    """z (n, outputs) ← the last layer's output, tile by tile."""
    n, classes = z.shape
    o = padded(classes, lanes(x))
    for first in range(0, n, tile):
        m = min(tile, n - first)
        out = forward_tile(x, first, m, parameters, sizes, activation, outputs)
        for r in range(m):
            for c in range(classes):
                z[first + r, c] = outputs[out + r * o + c]
