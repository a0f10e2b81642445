"""The loops between the products, each pass over an array doing all that there is to do there.

`compiled(activation)` makes them for one activation. Sums may be reordered; nothing is assumed of NaN and infinity.
"""

from __future__ import annotations

import math
from functools import lru_cache
from types import SimpleNamespace

import numpy as np
from numba import njit

from benchmarks.peers.expert.exponential import exponential

SUMS = {"reassoc", "contract", "nsz"}  # what lets LLVM vectorise a sum


@njit(fastmath=SUMS, error_model="numpy", inline="always")
def adam_of(w, m, v, place, g, rate, scale):
    """The update of one parameter by its gradient g. rate : lr / (1 - beta1**t). scale : 1 / sqrt(1 - beta2**t)."""
    real = w.dtype.type
    beta1, beta2, epsilon, one = real(0.9), real(0.999), real(1e-8), real(1)
    m[place] = beta1 * m[place] + (one - beta1) * g
    v[place] = beta2 * v[place] + (one - beta2) * g * g
    w[place] -= rate * m[place] / (np.sqrt(v[place]) * scale + epsilon)


@lru_cache
def compiled(activation: str) -> SimpleNamespace:
    """The functions below, as attributes."""
    jit = njit(fastmath=SUMS, error_model="numpy")
    is_sigmoid, is_tanh = activation == "sigmoid", activation == "tanh"

    @jit
    def activated(z):
        one = type(z)(1)
        if is_sigmoid:
            return one / (one + exponential(-z))
        if is_tanh:
            return one - (one + one) / (exponential(z + z) + one)
        return z if z > 0 or z != z else type(z)(0)

    @jit
    def slope(y):
        """Of the activation, from its value."""
        one = type(y)(1)
        if is_sigmoid:
            return y * (one - y)
        if is_tanh:
            return one - y * y
        return one if y > 0 else type(y)(0)

    @jit
    def activate(z, bias):
        """z = activation(z + bias)."""
        for r in range(z.shape[0]):
            for c in range(z.shape[1]):
                z[r, c] = activated(z[r, c] + bias[c])

    @jit
    def differentiate(delta, y, sums):
        """delta *= activation'(y), and sums (at least o,) those of its columns."""
        sums[: y.shape[1]] = 0
        for r in range(y.shape[0]):
            for c in range(y.shape[1]):
                delta[r, c] *= slope(y[r, c])
                sums[c] += delta[r, c]

    @jit
    def cross_entropy(z, bias, labels, batch, sums):
        """Loss (nats) of softmax(z + bias) over `batch`, of whose rows z has some or all; z becomes the gradient,
        sums (at least o,) those of its columns."""
        n, o = z.shape
        real = z.dtype.type
        loss, share = 0.0, real(1 / batch)
        sums[:o] = 0
        for r in range(n):
            peak = z[r, 0] + bias[0]
            for c in range(o):
                z[r, c] += bias[c]
                peak = z[r, c] if z[r, c] > peak or z[r, c] != z[r, c] else peak
            own = z[r, labels[r]] - peak
            total = real(0)
            for c in range(o):
                z[r, c] = exponential(z[r, c] - peak)
                total += z[r, c]
            loss += math.log(total) - own
            scale = share / total
            for c in range(o):
                z[r, c] *= scale
            z[r, labels[r]] -= share
            for c in range(o):
                sums[c] += z[r, c]
        return loss / batch

    @jit
    def adam(w, g, m, v, rate, scale):
        """One update of parameters (p,), with Adam's usual numbers."""
        for i in range(w.size):
            adam_of(w, m, v, i, g[i], rate, scale)

    @jit
    def add_scaled(y, factor, x):
        """y (o,) += factor * x (at least o,)."""
        for c in range(y.size):
            y[c] += factor * x[c]

    return SimpleNamespace(
        activate=activate,
        differentiate=differentiate,
        cross_entropy=cross_entropy,
        adam=adam,
        add_scaled=add_scaled,
    )
