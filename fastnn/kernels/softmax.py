"""Softmax and its logarithm over the last axis of arrays of two dimensions.

Rows are processed in blocks that stay in the first-level cache. In a block they are padded to full vectors with
-infinity, whose exponential is 0. Unpadded rows of few columns would be computed element by element.
"""

from __future__ import annotations

import numpy as np

from fastnn.intrinsics import (
    element,
    lanes_of,
    offset,
    prefer_full_vectors,
    scale_row,
    shift_row,
    subtract_row,
    sum_row,
)
from fastnn.jit import force_inline, force_inline_reassociated, kernel
from fastnn.kernels import vecmath
from fastnn.kernels.elementary import exp
from fastnn.linalg.packing import padded

# Elements of a block of padded rows; a wider row is a block of its own.
_BLOCK = 4096


@kernel
def rows_of_block(n, width):
    """The rows of a block, at most n, for rows padded to `width` elements."""
    return max(1, min(n, _BLOCK // width))


@kernel
def exponentiate(y, size):
    """y ← exp(y), in place. LLVM would not vectorise a loop from one address to another, which might overlap."""
    prefer_full_vectors()
    for k in range(size):
        y[k] = vecmath.exp(y[k])


@kernel
def logarithms(y, size):
    """y ← log(y), in place."""
    prefer_full_vectors()
    for k in range(size):
        y[k] = vecmath.log(y[k])


@force_inline
def shift_rows(z, z_row, m, columns, block, row):
    """block ← z - max(z), row by row, for m rows of `columns` columns; rows of `block` are padded with -infinity.

    `z` and `block` are addresses, `z_row` and `row` the elements from one row to the next.
    """
    for r in range(m):
        shift_row(offset(z, r * z_row), columns, offset(block, r * row))


@kernel
def softmax(z, p):
    """p ← exp(z - max(z)) / Σ exp(z - max(z)), row by row."""
    n, columns = z.shape
    width = padded(columns, lanes_of(z))
    rows, one = rows_of_block(n, width), z.dtype.type(1)
    block = np.empty(rows * width, z.dtype)
    for first in range(0, n, rows):
        m = min(rows, n - first)
        shift_rows(element(z, first * columns), columns, m, columns, element(block, 0), width)
        exponentiate(block, m * width)
        for r in range(m):
            row = element(block, r * width)
            scale_row(row, one / sum_row(row, width), columns, element(p, (first + r) * columns))


@kernel
def log_softmax(z, lp):
    """lp ← z - max(z) - log Σ exp(z - max(z)), row by row."""
    n, columns = z.shape
    width = padded(columns, lanes_of(z))
    rows = rows_of_block(n, width)
    shifted, block, totals = np.empty(rows * width, z.dtype), np.empty(rows * width, z.dtype), np.empty(rows, z.dtype)
    for first in range(0, n, rows):
        m = min(rows, n - first)
        shift_rows(element(z, first * columns), columns, m, columns, element(shifted, 0), width)
        exp(shifted[: m * width], block[: m * width])
        for r in range(m):
            totals[r] = sum_row(element(block, r * width), width)
        logarithms(totals, m)
        for r in range(m):
            subtract_row(element(shifted, r * width), totals[r], columns, element(lp, (first + r) * columns))


@force_inline_reassociated
def row_dot(a, b, r):
    """The dot product of row r of a and of b."""
    total = a.dtype.type(0)
    for c in range(a.shape[1]):
        total += a[r, c] * b[r, c]
    return total


@kernel
def softmax_backward(dp, p, dz):
    """dz ← p (dp - Σ dp p), row by row."""
    for r in range(p.shape[0]):
        inner = row_dot(dp, p, r)
        for c in range(p.shape[1]):
            dz[r, c] = p[r, c] * (dp[r, c] - inner)


@kernel
def log_softmax_backward(dlp, lp, dz):
    """dz ← dlp - exp(lp) Σ dlp, row by row."""
    prefer_full_vectors()
    columns = lp.shape[1]
    logarithm, exponential = lp.reshape(-1), dz.reshape(-1)
    for k in range(lp.size):
        exponential[k] = vecmath.exp(logarithm[k])
    for r in range(lp.shape[0]):
        total = sum_row(element(dlp, r * columns), columns)
        for c in range(columns):
            dz[r, c] = dlp[r, c] - dz[r, c] * total
