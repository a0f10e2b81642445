"""Forward, loss and backward of one tile of rows, layer by layer.

Softmax cross-entropy is row-wise and the divisor of its mean is known before, so that a tile needs nothing of the
others. Outputs and deltas, the gradients of the loss with respect to every layer's affine output, lie in padded rows,
one layer behind the other.
"""

from __future__ import annotations

from fastnn.intrinsics import element, lanes_of, offset
from fastnn.jit import inline_ir, kernel
from fastnn.kernels.activations import activate, activate_backward
from fastnn.kernels.losses import loss_sum
from fastnn.linalg.gemm import row_times_transposed_panels, times_panels, times_transposed_panels
from fastnn.linalg.layout import layer_size, panel_vectors, tail_columns, transposed_size, weights_size
from fastnn.linalg.packing import padded, transpose_panels
from fastnn.linalg.sparse_inputs import ALWAYS, NEVER, WHAT, find_active_columns, sparse_forward
from fastnn.linalg.tail_columns import tail_forward, tail_product

# Rows of a tile: enough that a panel of weights is used often while it is in the cache, few enough that the tile's
# rows and outputs stay in the second-level cache.
TILE = 64


@inline_ir
def forward_tile(x, first, m, parameters, sizes, activation, outputs, listed, listing):
    """outputs ← every layer's output for the m rows of x from `first` on, in padded rows; returns where the last
    layer's begin. listed ← their list, but where `listing` says never (`listed.py`)."""
    count = lanes_of(x)
    layers = sizes.size - 1
    a, a_row = element(x, first * sizes[0]), sizes[0]
    at = out = 0
    listed[0] = 0
    if listing[WHAT] != NEVER:
        find_active_columns(m, sizes[0], count, a, a_row, listed)
    for layer in range(layers):
        i, o = sizes[layer], padded(sizes[layer + 1], count)
        vectors, remainder = panel_vectors(i, sizes[layer + 1], count), tail_columns(i, sizes[layer + 1], count)
        w, y = element(parameters, at), element(outputs, out)
        bias = offset(w, weights_size(i, sizes[layer + 1], count))
        if layer == 0 and listing[WHAT] == ALWAYS and listed[0] != 0:
            sparse_forward(m, i, vectors, count, a, a_row, w, bias, y, o, listed, listing)
        else:
            times_panels(m, i, vectors, count, a, a_row, w, bias, 0, y, o)
        if remainder > 0:
            whole = vectors * count
            tail_forward(m, i, remainder, a, a_row, offset(w, i * whole), offset(bias, whole), offset(y, whole), o)
        if layer < layers - 1:
            activate(activation, outputs[out : out + m * o])
            out += m * o
        a, a_row = y, o
        at += layer_size(i, sizes[layer + 1], count)
    return out


@inline_ir
def transpose_weights(parameters, sizes, transposed):
    """transposed ← the panels of every layer's weights but the first's, transposed, one after the other."""
    count = lanes_of(parameters)
    at, out = layer_size(sizes[0], sizes[1], count), 0
    for layer in range(1, sizes.size - 1):
        i, o = sizes[layer], sizes[layer + 1]
        columns = o - tail_columns(i, o, count)
        transpose_panels(parameters[at:], i, columns, transposed[out:], count)
        at += layer_size(i, o, count)
        out += transposed_size(i, o, count)


@kernel
def few_rows(n, count):
    """Whether a batch is so small that transposing the weights would cost more than it saves."""
    return n <= 2 * count


@inline_ir
def input_gradient(m, few, i, o, dy, weights, transposed, dx, zeros, scratch):
    """dx ← dy wᵀ for m rows: dy (m, o) and dx (m, i) in padded rows."""
    count = lanes_of(zeros)
    di, do = padded(i, count), padded(o, count)
    vectors, remainder = panel_vectors(i, o, count), tail_columns(i, o, count)
    start, start_row = element(zeros, 0), 0
    if vectors > 0:
        if m == 1:
            row_times_transposed_panels(i, vectors, count, dy, weights, dx, di)
        elif few:
            times_transposed_panels(m, i, o - remainder, count, dy, do, weights, dx, di, start, scratch)
        else:
            times_panels(m, o - remainder, di // count, count, dy, do, transposed, start, 0, dx, di)
        start, start_row = dx, di
    if remainder > 0:
        whole = vectors * count
        tail_product(
            m, offset(dy, whole), do, 1, i, count, offset(weights, i * whole), i, start, start_row, dx, di, remainder
        )  # fmt: skip


@inline_ir
def tile_loss(loss, m, classes, out, outputs, t, deltas, scale):
    """The sum of the losses of m rows of logits at `out`; the deltas there ← their gradients."""
    o = padded(classes, lanes_of(outputs))
    z, dz = outputs[out : out + m * o].reshape(m, o), deltas[out : out + m * o].reshape(m, o)
    return loss_sum(loss, z, classes, t, dz, scale)


@kernel
def tile_deltas(
    x, t, first, m, few, parameters, sizes, activation, loss, scale, transposed, outputs, deltas, zeros, scratch,
    listed, listing
):  # fmt: skip
    """outputs and deltas ← those of the m rows from `first` on, and their list; returns the sum of their losses."""
    count, layers = lanes_of(x), sizes.size - 1
    out = forward_tile(x, first, m, parameters, sizes, activation, outputs, listed, listing)
    total = tile_loss(loss, m, sizes[layers], out, outputs, t[first : first + m], deltas, scale)
    at, turned = parameters.size, transposed.size
    for layer in range(layers - 1, 0, -1):
        i, o = sizes[layer], sizes[layer + 1]
        at -= layer_size(i, o, count)
        turned -= transposed_size(i, o, count)
        before = out - m * padded(i, count)
        input_gradient(
            m, few, i, o, element(deltas, out), element(parameters, at), element(transposed, turned),
            element(deltas, before), zeros, scratch,
        )  # fmt: skip
        activate_backward(activation, deltas[before:out], outputs[before:out])
        out = before
    return total
