"""Many training steps in one call of nopython code.

A step has two parts, and threads share each: over its rows of the batch each takes the net there and back, to the
deltas of every layer; then over its rows of every layer's weights each adds up the gradient and updates. So nothing is
added up between threads but the sums for the biases, and they meet twice a step. BLAS runs on the thread that calls it:
a pool of its own would wait, spinning, on the cores that these threads need.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from numba import njit, prange
from numpy.typing import NDArray

from benchmarks.peers.expert import loops, one_row, rows
from benchmarks.peers.expert.blas import multiply
from benchmarks.peers.expert.loops import SUMS


class Net(NamedTuple):
    """All that training writes to. Tuples have an array for each layer."""

    w: tuple[NDArray, ...]  # (i, o)
    b: tuple[NDArray, ...]  # (o,)
    gradient_w: tuple[NDArray, ...]
    m_w: tuple[NDArray, ...]  # Adam's moments
    m_b: tuple[NDArray, ...]
    v_w: tuple[NDArray, ...]
    v_b: tuple[NDArray, ...]
    y: tuple[NDArray, ...]  # (n, o)
    delta: tuple[NDArray, ...]  # (n, o); of the last layer the same as y
    sums: NDArray  # (parts, layers, widest) of delta's columns
    losses: NDArray  # (parts,)
    row: NDArray  # (i,) of the first layer
    places: tuple[NDArray, ...]  # (i,) int64
    count: NDArray  # (layers,) int64
    scratch: tuple[NDArray, ...]  # of `blas.multiply`, (parts, ...)


@lru_cache
def compiled(activation: str, adam: bool, compressed: bool, one: bool, parallel: bool) -> Callable[..., None]:
    """`train_steps` for such a net, Adam or plain gradient descent, on batches of one row or of several."""
    own = loops.compiled(activation)
    first_layer = rows.compressed() if compressed else rows.dense()
    activate, differentiate, cross_entropy = own.activate, own.differentiate, own.cross_entropy
    update, add_scaled = own.adam, own.add_scaled
    forward_rows, gradient_rows, take_row = first_layer.forward, first_layer.gradient, first_layer.row
    jit = njit(fastmath=SUMS, error_model="numpy")

    @jit
    def there_and_back(w, b, y, delta, sums, scratch, x, labels, first, n, parts, part):
        """The loss of a part of the batch's rows, as a share of the batch's mean, and their deltas."""
        begin, end, last = part * n // parts, (part + 1) * n // parts, len(w) - 1
        own_scratch = (scratch[0][part], scratch[1][part], scratch[2][part])
        for layer in range(last + 1):
            z = y[layer][begin:end]
            if layer == 0:
                forward_rows(own_scratch, x, first + begin, end - begin, w[0], z)
            else:
                multiply(own_scratch, 1.0, y[layer - 1][begin:end], False, w[layer], False, 0.0, z)
            if layer < last:
                activate(z, b[layer])
        own_labels = labels[first + begin : first + end]
        loss = cross_entropy(y[last][begin:end], b[last], own_labels, n, sums[part, last])
        for layer in range(last, 0, -1):
            below = delta[layer - 1][begin:end]
            multiply(own_scratch, 1.0, delta[layer][begin:end], False, w[layer], True, 0.0, below)
            differentiate(below, y[layer - 1][begin:end], sums[part, layer - 1])
        return loss

    @jit
    def descend(w, g, m, v, y, delta, scratch, x, first, n, lr, rate, scale, parts, part):
        """Update a part of every layer's weights."""
        own_scratch = (scratch[0][part], scratch[1][part], scratch[2][part])
        for layer in range(len(w)):
            i = w[layer].shape[0]
            begin, end = part * i // parts, (part + 1) * i // parts
            own_w, own_g = w[layer][begin:end], g[layer][begin:end]
            # Sums of compressed rows have their own array: added to the weights few at a time, the terms would be
            # rounded as coarsely as these are.
            adds = not adam and (layer > 0 or not compressed)
            alpha, beta, to = (-lr, 1.0, own_w) if adds else (1.0, 0.0, own_g)
            if layer > 0:
                multiply(own_scratch, alpha, y[layer - 1][:, begin:end], True, delta[layer], False, beta, to)
            else:
                gradient_rows(own_scratch, x, first, n, begin, end, alpha, delta[0], beta, to)
            if adam:
                own_m, own_v = m[layer][begin:end], v[layer][begin:end]
                update(own_w.reshape(-1), own_g.reshape(-1), own_m.reshape(-1), own_v.reshape(-1), rate, scale)
            elif not adds:
                add_scaled(own_w.reshape(-1), own_w.dtype.type(-lr), own_g.reshape(-1))

    @jit
    def descend_biases(net, lr, rate, scale):
        for layer in range(len(net.b)):
            b, g = net.b[layer], net.sums[0, layer, : net.b[layer].size]
            for part in range(1, net.losses.size):
                add_scaled(g, g.dtype.type(1), net.sums[part, layer])
            if adam:
                update(b, g, net.m_b[layer], net.v_b[layer], rate, scale)
            else:
                add_scaled(b, b.dtype.type(-lr), g)

    def step(net, x, labels, first, n, lr, rate, scale):
        # Tuples of tuples cannot be taken into a parallel loop.
        w, b, g, m, v, y, delta = net.w, net.b, net.gradient_w, net.m_w, net.v_w, net.y, net.delta
        sums, losses, scratch, parts = net.sums, net.losses, net.scratch, net.losses.size
        for part in prange(parts):
            losses[part] = there_and_back(w, b, y, delta, sums, scratch, x, labels, first, n, parts, part)
        for part in prange(parts):
            descend(w, g, m, v, y, delta, scratch, x, first, n, lr, rate, scale, parts, part)
        descend_biases(net, lr, rate, scale)
        return losses.sum()

    @jit
    def there_and_back_on_one(net, x, labels, first):
        """Everything is a loop over what is not 0."""
        last = len(net.w) - 1
        take_row(x, first, net.row)
        for layer in range(last + 1):
            below = net.row if layer == 0 else net.y[layer - 1].reshape(-1)
            net.count[layer] = one_row.nonzero(below, net.places[layer])
            one_row.forward(below, net.places[layer], net.count[layer], net.w[layer], net.y[layer])
            if layer < last:
                activate(net.y[layer], net.b[layer])
        net.sums[1:] = 0
        loss = cross_entropy(net.y[last], net.b[last], labels[first : first + 1], 1, net.sums[0, last])
        for layer in range(last, 0, -1):
            one_row.backward(net.delta[layer], net.w[layer], net.delta[layer - 1])
            differentiate(net.delta[layer - 1], net.y[layer - 1], net.sums[0, layer - 1])
        return loss

    @jit
    def descend_on_one(w, m, v, y, delta, row, places, count, lr, rate, scale, parts, part):
        for layer in range(len(w)):
            below = row if layer == 0 else y[layer - 1].reshape(-1)
            if adam:
                begin, end = part * below.size // parts, (part + 1) * below.size // parts
                own_w, own_m, own_v = w[layer][begin:end], m[layer][begin:end], v[layer][begin:end]
                one_row.adam(below[begin:end], delta[layer], own_w, own_m, own_v, rate, scale)
            else:
                begin, end = part * count[layer] // parts, (part + 1) * count[layer] // parts
                factor = w[layer].dtype.type(-lr)
                one_row.descend(below, places[layer][begin:end], factor, delta[layer], w[layer])

    def step_on_one(net, x, labels, first, n, lr, rate, scale):
        loss = there_and_back_on_one(net, x, labels, first)
        w, m, v, y, delta = net.w, net.m_w, net.v_w, net.y, net.delta
        row, places, count, parts = net.row, net.places, net.count, net.losses.size
        for part in prange(parts):
            descend_on_one(w, m, v, y, delta, row, places, count, lr, rate, scale, parts, part)
        descend_biases(net, lr, rate, scale)
        return loss

    step_of_kind = njit(fastmath=SUMS, error_model="numpy", parallel=parallel)(step_on_one if one else step)

    @jit
    def train_steps(net, x, labels, n, first, made, lr, losses):
        """A step for each of `losses`, from batch `first` on round all batches of n rows, after `made` steps."""
        batches = labels.size // n
        real = net.w[0].dtype.type
        for k in range(losses.size):
            steps = made + k + 1
            rate, scale = real(lr / (1 - 0.9**steps)), real(1 / math.sqrt(1 - 0.999**steps))
            row = (first + k) % batches * n
            losses[k] = step_of_kind(net, x, labels, row, n, lr, rate, scale)

    return train_steps
