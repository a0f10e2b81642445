"""Products with one row, and updates by them: loops over whole matrices, for BLAS takes longer to be called.

Weights are not read where the row has a zero. Where that is so is found once: `nonzero` does.
"""

from __future__ import annotations

from numba import njit

from benchmarks.peers.expert.loops import SUMS, adam_of

_jit = njit(fastmath=SUMS, error_model="numpy")


@_jit
def nonzero(row, places):
    """Write the places where row (i,) is not 0 into places (at least i,); how many these are."""
    count = 0
    for i in range(row.size):
        places[count] = i
        count += row[i] != 0
    return count


@_jit
def forward(row, places, count, w, y):
    """y (1, o) = row @ w (i, o), four rows of w in one pass over y."""
    o = w.shape[1]
    full = count - count % 4
    for c in range(o):
        y[0, c] = 0
    for k in range(0, full, 4):
        i0, i1, i2, i3 = places[k], places[k + 1], places[k + 2], places[k + 3]
        x0, x1, x2, x3 = row[i0], row[i1], row[i2], row[i3]
        for c in range(o):
            y[0, c] += (x0 * w[i0, c] + x1 * w[i1, c]) + (x2 * w[i2, c] + x3 * w[i3, c])
    for k in range(full, count):
        i = places[k]
        x = row[i]
        for c in range(o):
            y[0, c] += x * w[i, c]


@_jit
def backward(delta, w, below):
    """below (1, i) = delta (1, o) @ w.T."""
    for i in range(w.shape[0]):
        total = delta.dtype.type(0)
        for c in range(w.shape[1]):
            total += delta[0, c] * w[i, c]
        below[0, i] = total


@_jit
def descend(row, places, factor, delta, w):
    """w += factor * outer(row, delta), where row is not 0."""
    for i in places:
        x = factor * row[i]
        for c in range(w.shape[1]):
            w[i, c] += x * delta[0, c]


@_jit
def adam(row, delta, w, m, v, rate, scale):
    """Adam's update by the gradient outer(row, delta), which is never written down."""
    for i in range(w.shape[0]):
        x = row[i]
        for c in range(w.shape[1]):
            adam_of(w, m, v, (i, c), x * delta[0, c], rate, scale)
