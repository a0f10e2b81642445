"""The first layer's products with the rows of a batch: dense ones by BLAS, compressed ones (CSR) by loops."""

from __future__ import annotations

from functools import lru_cache
from types import SimpleNamespace
from typing import NamedTuple

from numba import njit
from numpy.typing import NDArray

from benchmarks.peers.expert.blas import multiply
from benchmarks.peers.expert.loops import SUMS


class Compressed(NamedTuple):
    """Rows without their zeros, as SciPy's csr_array has them; and each batch of them as its csc_array has it, for the
    gradient, so that what belongs to a row of the weights is added up before it is written."""

    data: NDArray
    indices: NDArray
    indptr: NDArray
    column_data: NDArray
    column_rows: NDArray  # within the batch
    column_indptr: NDArray  # (batches, i + 1)


@lru_cache
def dense() -> SimpleNamespace:
    """Of rows x (rows, i)."""

    @njit
    def forward(scratch, x, first, n, w, y):
        """y (n, o) = x[first : first + n] @ w."""
        multiply(scratch, 1.0, x[first : first + n], False, w, False, 0.0, y)

    @njit
    def gradient(scratch, x, first, n, begin, end, alpha, delta, beta, g):
        """g (end - begin, o) = alpha * x[first : first + n, begin:end].T @ delta + beta * g."""
        multiply(scratch, alpha, x[first : first + n, begin:end], True, delta, False, beta, g)

    @njit
    def row(x, r, values):
        """Copy row r into values (i,)."""
        for c in range(values.size):
            values[c] = x[r, c]

    return SimpleNamespace(forward=forward, gradient=gradient, row=row)


@lru_cache
def compressed() -> SimpleNamespace:
    """Of `Compressed` rows."""
    jit = njit(fastmath=SUMS, error_model="numpy")

    @jit
    def forward(scratch, x, first, n, w, y):
        """Four rows of w in one pass over a row of y."""
        o = w.shape[1]
        for r in range(n):
            begin, end = x.indptr[first + r], x.indptr[first + r + 1]
            full = end - (end - begin) % 4
            for c in range(o):
                y[r, c] = 0
            for p in range(begin, full, 4):
                i0, i1, i2, i3 = x.indices[p], x.indices[p + 1], x.indices[p + 2], x.indices[p + 3]
                x0, x1, x2, x3 = x.data[p], x.data[p + 1], x.data[p + 2], x.data[p + 3]
                for c in range(o):
                    y[r, c] += (x0 * w[i0, c] + x1 * w[i1, c]) + (x2 * w[i2, c] + x3 * w[i3, c])
            for p in range(full, end):
                value, i = x.data[p], x.indices[p]
                for c in range(o):
                    y[r, c] += value * w[i, c]

    @jit
    def gradient(scratch, x, first, n, first_column, end_column, alpha, delta, beta, g):
        """Four rows of delta in one pass over a row of g, which is written, not added to: beta is 0."""
        o, factor = delta.shape[1], g.dtype.type(alpha)
        data, rows, columns = x.column_data, x.column_rows, x.column_indptr[first // n]
        for i in range(end_column - first_column):
            begin, end = columns[first_column + i], columns[first_column + i + 1]
            full = end - (end - begin) % 4
            for c in range(o):
                g[i, c] = 0
            for p in range(begin, full, 4):
                r0, r1, r2, r3 = rows[p], rows[p + 1], rows[p + 2], rows[p + 3]
                x0, x1, x2, x3 = factor * data[p], factor * data[p + 1], factor * data[p + 2], factor * data[p + 3]
                for c in range(o):
                    g[i, c] += (x0 * delta[r0, c] + x1 * delta[r1, c]) + (x2 * delta[r2, c] + x3 * delta[r3, c])
            for p in range(full, end):
                value, r = factor * data[p], rows[p]
                for c in range(o):
                    g[i, c] += value * delta[r, c]

    @njit
    def row(x, r, values):
        values[:] = 0
        for p in range(x.indptr[r], x.indptr[r + 1]):
            values[x.indices[p]] = x.data[p]

    return SimpleNamespace(forward=forward, gradient=gradient, row=row)
