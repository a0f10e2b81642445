"""The loops between the products, each pass over an array doing all that there is to do there.

`compiled(activation, threads)` makes them for one activation. With several threads, arrays of more than GRAIN numbers
are shared between them. Sums may be reordered; nothing is assumed of NaN and infinity.
"""

from __future__ import annotations

import math
from functools import lru_cache
from types import SimpleNamespace

import numpy as np
from numba import njit, prange

from benchmarks.peers.expert.exponential import exponential

SUMS = {"reassoc", "contract", "nsz"}  # what lets LLVM vectorise a sum
GRAIN = 1 << 15


@njit(fastmath=SUMS, error_model="numpy", inline="always")
def adam_of(w, m, v, place, g, rate, scale):
    """The update of one parameter by its gradient g. rate : lr / (1 - beta1**t). scale : 1 / sqrt(1 - beta2**t)."""
    real = w.dtype.type
    beta1, beta2, epsilon, one = real(0.9), real(0.999), real(1e-8), real(1)
    m[place] = beta1 * m[place] + (one - beta1) * g
    v[place] = beta2 * v[place] + (one - beta2) * g * g
    w[place] -= rate * m[place] / (np.sqrt(v[place]) * scale + epsilon)


@lru_cache
def compiled(activation: str, threads: int) -> SimpleNamespace:
    """The functions below, as attributes."""
    parallel = threads > 1
    jit = njit(fastmath=SUMS, error_model="numpy")
    shared = njit(fastmath=SUMS, error_model="numpy", parallel=parallel)
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
    def activate_rows(z, bias):
        for r in range(z.shape[0]):
            for c in range(z.shape[1]):
                z[r, c] = activated(z[r, c] + bias[c])

    @shared
    def activate(z, bias):
        """z = activation(z + bias)."""
        n = z.shape[0]
        if not parallel or z.size <= GRAIN:
            activate_rows(z, bias)
        else:
            for k in prange(threads):
                activate_rows(z[k * n // threads : (k + 1) * n // threads], bias)

    @jit
    def differentiate_rows(delta, y, sums):
        sums[:] = 0
        for r in range(y.shape[0]):
            for c in range(y.shape[1]):
                delta[r, c] *= slope(y[r, c])
                sums[c] += delta[r, c]

    @shared
    def differentiate(delta, y, sums, partial):
        """delta *= activation'(y), and sums (o,) those of its columns; partial (threads, at least o) is scratch."""
        n, o = y.shape
        if not parallel or y.size <= GRAIN:
            differentiate_rows(delta, y, sums)
        else:
            for k in prange(threads):
                part = slice(k * n // threads, (k + 1) * n // threads)
                differentiate_rows(delta[part], y[part], partial[k, :o])
            sums[:] = 0
            for k in range(threads):
                sums += partial[k, :o]

    @jit
    def cross_entropy(z, bias, labels, sums):
        """Mean loss (nats) of softmax(z + bias); z becomes its gradient, sums (o,) those of its columns."""
        n, o = z.shape
        real = z.dtype.type
        loss, share = 0.0, real(1 / n)
        sums[:] = 0
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
        return loss / n

    @jit
    def adam_range(w, g, m, v, rate, scale):
        for i in range(w.size):
            adam_of(w, m, v, i, g[i], rate, scale)

    @shared
    def adam(w, g, m, v, rate, scale):
        """One update of all parameters (p,), with Adam's usual numbers."""
        n = w.size
        if not parallel or n <= GRAIN:
            adam_range(w, g, m, v, rate, scale)
        else:
            for k in prange(threads):
                part = slice(k * n // threads, (k + 1) * n // threads)
                adam_range(w[part], g[part], m[part], v[part], rate, scale)

    @jit
    def add_scaled(y, factor, x):
        """y += factor * x."""
        for c in range(y.size):
            y[c] += factor * x[c]

    return SimpleNamespace(
        activate=activate,
        differentiate=differentiate,
        cross_entropy=cross_entropy,
        adam=adam,
        add_scaled=add_scaled,
    )
