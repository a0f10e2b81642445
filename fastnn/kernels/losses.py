"""Losses, averaged over the rows (over all elements for the mean squared error). Their sums are in float64.

Targets are labels (n,) or rows (n, c): the branch on `t.ndim` is settled when the kernel is compiled.
"""

from __future__ import annotations

import numpy as np

from fastnn.intrinsics import element, lanes_of, scale_row, sum_row
from fastnn.jit import kernel
from fastnn.kernels import vecmath
from fastnn.kernels.softmax import exponentiate, rows_of_block, shift_rows
from fastnn.linalg.packing import padded

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
    n, classes = z.shape
    width = padded(classes, lanes_of(z))
    rows = rows_of_block(n, width)
    block = np.empty(rows * width, z.dtype)
    total = 0.0
    for first in range(0, n, rows):
        m = min(rows, n - first)
        total += softmax_cross_entropy_sum(
            z[first : first + m], classes, t[first : first + m], block, dz[first : first + m], 1.0 / n
        )
    return z.dtype.type(total / n)


@kernel
def softmax_cross_entropy_sum(z, classes, t, block, dz, scale):
    """The float64 sum, not the mean, of the rows' losses; dz ← (softmax(z) Σ t - t) scale.

    `block` has room for the rows, padded to whole vectors; it may be z where z is padded. Columns of dz from `classes`
    on are padding; there dz ← 0.
    """
    width = padded(classes, lanes_of(z))
    m = z.shape[0]
    total = 0.0
    factor, zero, one = z.dtype.type(scale), z.dtype.type(0), z.dtype.type(1)
    shift_rows(z, 0, m, classes, block)
    for r in range(m):
        if t.ndim == 1:
            total -= block[r * width + t[r]]
        else:
            for c in range(classes):
                if t[r, c] != zero:
                    total -= t[r, c] * block[r * width + c]
    exponentiate(block[: m * width])
    for r in range(m):
        row = element(block, r * width)
        normaliser = sum_row(row, width)
        weight = one if t.ndim == 1 else sum_row(element(t, r * classes), classes)
        total += weight * vecmath.log(normaliser)
        scale_row(row, weight * (factor / normaliser), dz.shape[1], element(dz, r * dz.shape[1]))
        if t.ndim == 1:
            dz[r, t[r]] -= factor
        else:
            for c in range(classes):
                dz[r, c] -= t[r, c] * factor
    return total


@kernel
def mean_squared_error(y, t, dy):
    """The mean of (y - t)² over all elements; dy ← its gradient 2 (y - t) / size."""
    total = squared_error_sum(y.reshape(1, -1), y.size, t.reshape(1, -1), dy.reshape(1, -1), 1.0 / y.size)
    return y.dtype.type(total / y.size)


@kernel
def squared_error_sum(y, columns, t, dy, scale):
    """The float64 sum of (y - t)²; dy ← 2 (y - t) scale, and 0 in the padding from `columns` on."""
    total = 0.0
    factor, zero = y.dtype.type(2.0 * scale), y.dtype.type(0)
    for r in range(y.shape[0]):
        for c in range(columns):
            difference = y[r, c] - t[r, c]
            total += np.float64(difference) * np.float64(difference)
            dy[r, c] = difference * factor
        for c in range(columns, y.shape[1]):
            dy[r, c] = zero
    return total


@kernel
def loss_sum(code, z, classes, t, dz, scale):
    """The sum of the losses of padded rows by the loss of that code; dz ← its gradient times scale, z is used up.

    Labels (n,) have but one meaning, so the branch on `t.ndim` leaves no other loss to choose there.
    """
    if t.ndim == 1:
        return softmax_cross_entropy_sum(z, classes, t, z.reshape(-1), dz, scale)
    if code == SOFTMAX_CROSS_ENTROPY:
        return softmax_cross_entropy_sum(z, classes, t, z.reshape(-1), dz, scale)
    return squared_error_sum(z, classes, t, dz, scale)
