"""Numba as a good user writes it by hand: the NumPy code of the network of the notes, in nopython mode.

Products are `np.dot` (SciPy's BLAS); element by element work is in loops, as Numba's users are taught.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from benchmarks.cases import Case
from benchmarks.peers.base import Peer, own, require_plain, require_two_layers

SIGMOID, TANH, RELU = range(3)
_ACTIVATIONS = {"sigmoid": SIGMOID, "tanh": TANH, "relu": RELU}


@njit(cache=True)
def add_bias(z, b):
    for r in range(z.shape[0]):
        for c in range(z.shape[1]):
            z[r, c] += b[c]


@njit(cache=True)
def activate(z, kind):
    one = z.dtype.type(1)
    for r in range(z.shape[0]):
        for c in range(z.shape[1]):
            if kind == SIGMOID:
                z[r, c] = one / (one + math.exp(-z[r, c]))
            elif kind == TANH:
                z[r, c] = math.tanh(z[r, c])
            elif z[r, c] < 0:
                z[r, c] = 0


@njit(cache=True)
def activate_backward(delta, y, kind):
    one = y.dtype.type(1)
    for r in range(y.shape[0]):
        for c in range(y.shape[1]):
            if kind == SIGMOID:
                delta[r, c] *= y[r, c] * (one - y[r, c])
            elif kind == TANH:
                delta[r, c] *= one - y[r, c] * y[r, c]
            elif y[r, c] <= 0:
                delta[r, c] = 0


@njit(cache=True)
def softmax_cross_entropy(z, t):
    """Mean loss; z becomes its gradient."""
    n = z.shape[0]
    loss = 0.0
    for r in range(n):
        peak = z[r].max()
        total = z.dtype.type(0)
        loss -= z[r, t[r]] - peak
        for c in range(z.shape[1]):
            z[r, c] = math.exp(z[r, c] - peak)
            total += z[r, c]
        loss += math.log(total)
        for c in range(z.shape[1]):
            z[r, c] /= total * n
        z[r, t[r]] -= z.dtype.type(1 / n)
    return loss / n


@njit(cache=True)
def gradients(x, t, w1, b1, w2, b2, kind):
    y = np.dot(x, w1)
    add_bias(y, b1)
    activate(y, kind)
    z = np.dot(y, w2)
    add_bias(z, b2)
    loss = softmax_cross_entropy(z, t)
    dw2 = np.dot(y.T, z)
    db2 = z.sum(axis=0)
    delta = np.dot(z, w2.T)
    activate_backward(delta, y, kind)
    dw1 = np.dot(x.T, delta)
    db1 = delta.sum(axis=0)
    return loss, dw1, db1, dw2, db2


@njit(cache=True)
def sgd(w, g, lr):
    for i in range(w.size):
        w[i] -= lr * g[i]


@njit(cache=True)
def adam(w, g, m, v, lr, steps):
    dtype = w.dtype.type
    beta1, beta2, epsilon, one = dtype(0.9), dtype(0.999), dtype(1e-8), dtype(1)
    rate = dtype(lr / (1 - 0.9**steps))
    scale = dtype(1 / math.sqrt(1 - 0.999**steps))
    for i in range(w.size):
        m[i] = beta1 * m[i] + (one - beta1) * g[i]
        v[i] = beta2 * v[i] + (one - beta2) * g[i] * g[i]
        w[i] -= rate * m[i] / (math.sqrt(v[i]) * scale + epsilon)


@njit(cache=True)
def sgd_step(x, t, w1, b1, w2, b2, kind, lr):
    loss, dw1, db1, dw2, db2 = gradients(x, t, w1, b1, w2, b2, kind)
    rate = w1.dtype.type(lr)
    sgd(w1.ravel(), dw1.ravel(), rate)
    sgd(b1, db1, rate)
    sgd(w2.ravel(), dw2.ravel(), rate)
    sgd(b2, db2, rate)
    return loss


@njit(cache=True)
def adam_step(x, t, w1, b1, w2, b2, m1, c1, m2, c2, v1, d1, v2, d2, kind, lr, steps):
    loss, dw1, db1, dw2, db2 = gradients(x, t, w1, b1, w2, b2, kind)
    adam(w1.ravel(), dw1.ravel(), m1.ravel(), v1.ravel(), lr, steps)
    adam(b1, db1, c1, d1, lr, steps)
    adam(w2.ravel(), dw2.ravel(), m2.ravel(), v2.ravel(), lr, steps)
    adam(b2, db2, c2, d2, lr, steps)
    return loss


class Handwritten(Peer):
    """One compiled function per step."""

    def __init__(self, case: Case, weights: list[NDArray], inputs: list[Any]) -> None:
        require_two_layers(case)
        require_plain(case)
        self._inputs = inputs
        self._kind, self._lr = own(_ACTIVATIONS, "activation", case.model.activation), case.model.lr
        self._adam = own({"sgd": False, "adam": True}, "optimizer", case.model.optimizer)
        self._initial = weights
        self.restart()

    def restart(self) -> None:
        self._params = [w.copy() for w in self._initial]
        self._moments = [np.zeros_like(w) for w in 2 * self._initial]
        self._steps = 0

    def step(self, k: int) -> float:
        x, t = self._inputs[k % len(self._inputs)]
        if not self._adam:
            return sgd_step(x, t, *self._params, self._kind, self._lr)
        self._steps += 1
        return adam_step(x, t, *self._params, *self._moments, self._kind, self._lr, self._steps)

    def weights(self) -> list[NDArray]:
        return [w.copy() for w in self._params]
