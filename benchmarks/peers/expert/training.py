"""Many training steps in one call of nopython code."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from numba import njit
from numpy.typing import NDArray

from benchmarks.peers.expert import loops, one_row, rows
from benchmarks.peers.expert.blas import multiply
from benchmarks.peers.expert.loops import SUMS


class Net(NamedTuple):
    """All that training writes to. Tuples have an array for each layer; those of parameters are views of flat ones."""

    w: tuple[NDArray, ...]  # (i, o)
    b: tuple[NDArray, ...]  # (o,)
    gradient_w: tuple[NDArray, ...]
    gradient_b: tuple[NDArray, ...]
    m_w: tuple[NDArray, ...]  # Adam's moments
    m_b: tuple[NDArray, ...]
    v_w: tuple[NDArray, ...]
    v_b: tuple[NDArray, ...]
    parameters: NDArray  # (p,)
    gradients: NDArray
    m: NDArray
    v: NDArray
    y: tuple[NDArray, ...]  # (n, o)
    delta: tuple[NDArray, ...]  # (n, o); of the last layer the same as y
    partial: NDArray  # (threads, widest)
    row: NDArray  # (i,) of the first layer
    places: tuple[NDArray, ...]  # (i,) int64
    count: NDArray  # (layers,) int64
    scratch: tuple[NDArray, ...]  # of `blas.multiply`


@lru_cache
def compiled(activation: str, adam: bool, compressed: bool, threads: int) -> Callable[..., None]:
    """`train_steps` for such a net, Adam or plain gradient descent."""
    own = loops.compiled(activation, threads)
    first_layer = rows.compressed(threads) if compressed else rows.dense()
    activate, differentiate, cross_entropy = own.activate, own.differentiate, own.cross_entropy
    update, add_scaled = own.adam, own.add_scaled
    forward_rows, gradient_rows, take_row = first_layer.forward, first_layer.gradient, first_layer.row
    jit = njit(fastmath=SUMS, error_model="numpy")

    @jit
    def step(net, x, labels, first, n, lr, rate, scale):
        last = len(net.w) - 1
        for layer in range(last + 1):
            if layer == 0:
                forward_rows(net.scratch, x, first, n, net.w[0], net.y[0])
            else:
                multiply(net.scratch, 1.0, net.y[layer - 1], False, net.w[layer], False, 0.0, net.y[layer])
            if layer < last:
                activate(net.y[layer], net.b[layer])
        loss = cross_entropy(net.y[last], net.b[last], labels[first : first + n], net.gradient_b[last])
        for layer in range(last, -1, -1):
            delta = net.delta[layer]
            if layer > 0:
                multiply(net.scratch, 1.0, delta, False, net.w[layer], True, 0.0, net.delta[layer - 1])
            alpha, beta, g = (1.0, 0.0, net.gradient_w[layer]) if adam else (-lr, 1.0, net.w[layer])
            if layer > 0:
                multiply(net.scratch, alpha, net.y[layer - 1], True, delta, False, beta, g)
                differentiate(net.delta[layer - 1], net.y[layer - 1], net.gradient_b[layer - 1], net.partial)
            elif adam or not compressed:
                gradient_rows(net.scratch, x, first, n, alpha, delta, beta, g)
            else:
                # Added to the weights few at a time, the terms would be rounded as coarsely as these are.
                gradient_rows(net.scratch, x, first, n, 1.0, delta, 0.0, net.gradient_w[0])
                add_scaled(net.w[0].ravel(), net.parameters.dtype.type(-lr), net.gradient_w[0].ravel())
            if not adam:
                add_scaled(net.b[layer], net.b[layer].dtype.type(-lr), net.gradient_b[layer])
        if adam:
            update(net.parameters, net.gradients, net.m, net.v, rate, scale)
        return loss

    @jit
    def step_on_one(net, x, labels, first, lr, rate, scale):
        """Everything is a loop over what is not 0."""
        last, real = len(net.w) - 1, net.parameters.dtype.type
        take_row(x, first, net.row)
        for layer in range(last + 1):
            below = net.row if layer == 0 else net.y[layer - 1].reshape(-1)
            net.count[layer] = one_row.nonzero(below, net.places[layer])
            one_row.forward(below, net.places[layer], net.count[layer], net.w[layer], net.y[layer])
            if layer < last:
                activate(net.y[layer], net.b[layer])
        loss = cross_entropy(net.y[last], net.b[last], labels[first : first + 1], net.gradient_b[last])
        for layer in range(last, -1, -1):
            delta = net.delta[layer]
            if layer > 0:
                one_row.backward(delta, net.w[layer], net.delta[layer - 1])
            below = net.row if layer == 0 else net.y[layer - 1].reshape(-1)
            if adam:
                one_row.adam(below, delta, net.w[layer], net.m_w[layer], net.v_w[layer], rate, scale)
                update(net.b[layer], net.gradient_b[layer], net.m_b[layer], net.v_b[layer], rate, scale)
            else:
                one_row.descend(below, net.places[layer], net.count[layer], real(-lr), delta, net.w[layer])
                add_scaled(net.b[layer], real(-lr), net.gradient_b[layer])
            if layer > 0:
                differentiate(net.delta[layer - 1], net.y[layer - 1], net.gradient_b[layer - 1], net.partial)
        return loss

    @jit
    def train_steps(net, x, labels, n, first, made, lr, losses):
        """A step for each of `losses`, from batch `first` on round all batches of n rows, after `made` steps."""
        batches = labels.size // n
        real = net.parameters.dtype.type
        for k in range(losses.size):
            steps = made + k + 1
            rate, scale = real(lr / (1 - 0.9**steps)), real(1 / math.sqrt(1 - 0.999**steps))
            row = (first + k) % batches * n
            if n == 1:
                losses[k] = step_on_one(net, x, labels, row, lr, rate, scale)
            else:
                losses[k] = step(net, x, labels, row, n, lr, rate, scale)

    return train_steps
