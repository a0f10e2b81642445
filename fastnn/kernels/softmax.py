"""Softmax and its logarithm over the last axis. Kernels take two dimensions; the output may be the input array."""

from __future__ import annotations

from fastnn.kernels import vecmath
from fastnn.kernels.jit import inlined_sum, kernel
from fastnn.kernels.simd import prefer_full_vectors

# Elements handled between two passes, so that they are still in the first-level cache at the second.
_BLOCK = 2048


@inlined_sum
def row_sum(y, r):
    """Σ y[r]."""
    total = y.dtype.type(0)
    for c in range(y.shape[1]):
        total += y[r, c]
    return total


@inlined_sum
def row_dot(a, b, r):
    """Σ a[r] b[r]."""
    total = a.dtype.type(0)
    for c in range(a.shape[1]):
        total += a[r, c] * b[r, c]
    return total


@inlined_sum
def row_sum_of_exp(y, r):
    """Σ exp(y[r])."""
    total = y.dtype.type(0)
    for c in range(y.shape[1]):
        total += vecmath.exp(y[r, c])
    return total


@kernel
def subtract_row_maximum(z, y):
    """y ← z - the maximum of its row. A NaN in a row stays where it is."""
    for r in range(z.shape[0]):
        maximum = z[r, 0]
        for c in range(1, z.shape[1]):
            maximum = max(maximum, z[r, c])
        for c in range(z.shape[1]):
            y[r, c] = z[r, c] - maximum


@kernel
def exponentiate(x, y):
    """y ← exp(x), over arrays of one dimension."""
    prefer_full_vectors()
    for k in range(x.size):
        y[k] = vecmath.exp(x[k])


@kernel
def softmax(z, p):
    """p ← exp(z - m) / Σ exp(z - m), m the maximum of the row."""
    columns = z.shape[1]
    rows = max(1, _BLOCK // columns)
    one = z.dtype.type(1)
    for start in range(0, z.shape[0], rows):
        block = p[start : start + rows]
        subtract_row_maximum(z[start : start + rows], block)
        # One loop over the whole block: rows of few columns would leave most lanes of a vector empty.
        exponentiate(block.reshape(-1), block.reshape(-1))
        for r in range(block.shape[0]):
            scale = one / row_sum(block, r)
            for c in range(columns):
                block[r, c] *= scale


@kernel
def softmax_backward(dp, p, dz):
    """dz ← p (dp - Σ dp p)."""
    for r in range(p.shape[0]):
        inner = row_dot(dp, p, r)
        for c in range(p.shape[1]):
            dz[r, c] = p[r, c] * (dp[r, c] - inner)


@kernel
def log_softmax(z, lp):
    """lp ← z - m - log Σ exp(z - m), m the maximum of the row."""
    prefer_full_vectors()
    subtract_row_maximum(z, lp)
    for r in range(z.shape[0]):
        logarithm = vecmath.log(row_sum_of_exp(lp, r))
        for c in range(z.shape[1]):
            lp[r, c] -= logarithm


@kernel
def log_softmax_backward(dlp, lp, dz):
    """dz ← dlp - exp(lp) Σ dlp."""
    prefer_full_vectors()
    for r in range(lp.shape[0]):
        total = row_sum(dlp, r)
        for c in range(lp.shape[1]):
            dz[r, c] = dlp[r, c] - vecmath.exp(lp[r, c]) * total
