"""Forward, loss and backward of one tile of rows, layer by layer.

Softmax cross-entropy is row-wise and the divisor of its mean is known before, so that a tile needs nothing of the
others. Outputs and deltas, the gradients of the loss with respect to every layer's affine output, lie in padded rows,
one layer behind the other.
"""

from __future__ import annotations

from fastnn.kernels.activations import activate, activate_backward
from fastnn.kernels.jit import expanded, inlined, kernel
from fastnn.kernels.losses import loss_sum
from fastnn.kernels.matmul import row_times_transposed_panels, times_panels, times_transposed_panels
from fastnn.kernels.panels import padded, transpose_panels
from fastnn.kernels.simd import address, lanes

# Rows of a tile: enough that a panel of weights is used often while it is in the cache, few enough that the tile's
# rows and outputs stay in the second-level cache.
TILE = 64


@inlined
def layer_size(inputs, outputs, lanes_):
    """Elements of one layer in the flat array: weights and bias."""
    return (inputs + 1) * padded(outputs, lanes_)


@expanded
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


@expanded
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


@expanded
def input_gradient(m, few, i, o, dy, weights, transposed, dx, zeros, scratch):
    """dx ← dy wᵀ for m rows: dy (m, o) and dx (m, i) in padded rows."""
    count = lanes(zeros)
    di, do = padded(i, count), padded(o, count)
    if m == 1:
        row_times_transposed_panels(i, do // count, count, dy, weights, dx, di, scratch)
    elif few:
        times_transposed_panels(m, i, o, count, dy, weights, dx, di, address(zeros, 0), scratch)
    else:
        times_panels(m, o, di // count, count, dy, do, transposed, address(zeros, 0), 0, dx, di)


@expanded
def tile_loss(loss, m, classes, out, outputs, t, deltas, scale):
    """The sum of the losses of m rows of logits at `out`; the deltas there ← their gradients."""
    o = padded(classes, lanes(outputs))
    z, dz = outputs[out : out + m * o].reshape(m, o), deltas[out : out + m * o].reshape(m, o)
    return loss_sum(loss, z, classes, t, dz, scale)


@expanded
def tile_deltas(
    x, t, first, m, few, parameters, sizes, activation, loss, scale, transposed, outputs, deltas, zeros, scratch
):  # fmt: skip
    """outputs and deltas ← those of the m rows from `first` on; returns the sum of their losses."""
    count, layers = lanes(x), sizes.size - 1
    out = forward_tile(x, first, m, parameters, sizes, activation, outputs)
    total = tile_loss(loss, m, sizes[layers], out, outputs, t[first : first + m], deltas, scale)
    at, turned = parameters.size, transposed.size
    for layer in range(layers - 1, 0, -1):
        i, o = sizes[layer], sizes[layer + 1]
        at -= layer_size(i, o, count)
        turned -= o * padded(i, count)
        before = out - m * padded(i, count)
        input_gradient(
            m, few, i, o, address(deltas, out), address(parameters, at), address(transposed, turned),
            address(deltas, before), zeros, scratch,
        )  # fmt: skip
        activate_backward(activation, deltas[before:out], outputs[before:out])
        out = before
    return total
