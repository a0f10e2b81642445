"""Losses, averaged over the rows (over all elements for the mean squared error). Their sums are in float64.

Targets are labels (n,) or rows (n, c): the branch on `t.ndim` is settled when the kernel is compiled.
"""

from __future__ import annotations

import numpy as np

from fastnn.kernels import vecmath
from fastnn.kernels.jit import kernel
from fastnn.kernels.simd import prefer_full_vectors
from fastnn.kernels.softmax import row_sum, row_sum_of_exp, subtract_row_maximum

# How a training step names a loss.
SOFTMAX_CROSS_ENTROPY, MEAN_SQUARED_ERROR = 0, 1
CODES = {"softmax_cross_entropy": SOFTMAX_CROSS_ENTROPY, "mean_squared_error": MEAN_SQUARED_ERROR}


@kernel
def cross_entropy(p, t, eps):
    """-Σ t log(p + eps) / n, where a target of 0 counts nothing."""
    total = 0.0
    small = p.dtype.type(eps)
    if t.ndim == 1:
        for r in range(p.shape[0]):
            total -= vecmath.log(p[r, t[r]] + small)
    else:
        for r in range(p.shape[0]):
            for c in range(p.shape[1]):
                if t[r, c] != 0:
                    total -= t[r, c] * vecmath.log(p[r, c] + small)
    return p.dtype.type(total / p.shape[0])


@kernel
def softmax_cross_entropy(z, t, dz):
    """The cross-entropy of softmax(z); dz ← its gradient (softmax(z) Σ t - t) / n."""
    total = softmax_cross_entropy_sum(z, t, dz, 1.0 / z.shape[0])
    return z.dtype.type(total / z.shape[0])


@kernel
def softmax_cross_entropy_sum(z, t, dz, scale):
    """The float64 sum, not the mean, of the rows' losses; dz ← (softmax(z) Σ t - t) scale.

    A part of a batch can be given: the scale is one over the rows of the whole.
    """
    prefer_full_vectors()
    total = 0.0
    factor = z.dtype.type(scale)
    zero = z.dtype.type(0)
    for r in range(z.shape[0]):
        row = dz[r : r + 1]
        subtract_row_maximum(z[r : r + 1], row)
        normaliser = row_sum_of_exp(row, 0)
        logarithm = vecmath.log(normaliser)
        if t.ndim == 1:
            total += logarithm - row[0, t[r]]
            for c in range(z.shape[1]):
                row[0, c] = vecmath.exp(row[0, c]) * (factor / normaliser)
            row[0, t[r]] -= factor
        else:
            weight = row_sum(t, r)
            for c in range(z.shape[1]):
                if t[r, c] != zero:
                    total += t[r, c] * (logarithm - row[0, c])
            for c in range(z.shape[1]):
                row[0, c] = vecmath.exp(row[0, c]) * (weight * (factor / normaliser)) - t[r, c] * factor
    return total


@kernel
def mean_squared_error(y, t, dy):
    """The mean of (y - t)² over all elements; dy ← its gradient 2 (y - t) / size."""
    total = squared_error_sum(y.reshape(-1), t.reshape(-1), dy.reshape(-1), 1.0 / y.size)
    return y.dtype.type(total / y.size)


@kernel
def squared_error_sum(y, t, dy, scale):
    """The float64 sum of (y - t)²; dy ← 2 (y - t) scale. Arrays of one dimension."""
    total = 0.0
    factor = y.dtype.type(2.0 * scale)
    for k in range(y.size):
        difference = y[k] - t[k]
        total += np.float64(difference) * np.float64(difference)
        dy[k] = difference * factor
    return total


@kernel
def loss_sum(code, z, t, dz, scale):
    """The sum of the rows' losses by the loss of that code, and dz ← its gradient times scale.

    Labels (n,) have but one meaning, so the branch on `t.ndim` leaves no other loss to choose there.
    """
    if t.ndim == 1:
        return softmax_cross_entropy_sum(z, t, dz, scale)
    if code == SOFTMAX_CROSS_ENTROPY:
        return softmax_cross_entropy_sum(z, t, dz, scale)
    return squared_error_sum(z.reshape(-1), t.reshape(-1), dz.reshape(-1), scale)
