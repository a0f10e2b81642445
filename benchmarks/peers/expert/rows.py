"""The first layer's products with the rows of a batch: dense ones by BLAS, compressed ones (CSR) by loops."""

from __future__ import annotations

from functools import lru_cache
from types import SimpleNamespace
from typing import NamedTuple

from numba import njit, prange
from numpy.typing import NDArray

from benchmarks.peers.expert.blas import multiply
from benchmarks.peers.expert.loops import GRAIN, SUMS


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
    def gradient(scratch, x, first, n, alpha, delta, beta, g):
        """g (i, o) = alpha * x[first : first + n].T @ delta + beta * g."""
        multiply(scratch, alpha, x[first : first + n], True, delta, False, beta, g)

    @njit
    def row(x, r, values):
        """Copy row r into values (i,)."""
        for c in range(values.size):
            values[c] = x[r, c]

    return SimpleNamespace(forward=forward, gradient=gradient, row=row)


@lru_cache
def compressed(threads: int) -> SimpleNamespace:
    """Of `Compressed` rows. Threads share the rows of y and of g."""
    parallel = threads > 1
    jit = njit(fastmath=SUMS, error_model="numpy")
    shared = njit(fastmath=SUMS, error_model="numpy", parallel=parallel)

    @jit
    def forward_rows(x, first, w, y):
        """Four rows of w in one pass over a row of y."""
        o = w.shape[1]
        for r in range(y.shape[0]):
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

    @shared
    def forward(scratch, x, first, n, w, y):
        if not parallel or y.size * w.shape[0] <= GRAIN:
            forward_rows(x, first, w, y)
        else:
            for k in prange(threads):
                begin, end = k * n // threads, (k + 1) * n // threads
                forward_rows(x, first + begin, w, y[begin:end])

    @jit
    def gradient_rows(x, columns, first_column, alpha, delta, g):
        """Four rows of delta in one pass over a row of g."""
        o = delta.shape[1]
        data, rows = x.column_data, x.column_rows
        for i in range(g.shape[0]):
            begin, end = columns[first_column + i], columns[first_column + i + 1]
            full = end - (end - begin) % 4
            for c in range(o):
                g[i, c] = 0
            for p in range(begin, full, 4):
                r0, r1, r2, r3 = rows[p], rows[p + 1], rows[p + 2], rows[p + 3]
                x0, x1, x2, x3 = alpha * data[p], alpha * data[p + 1], alpha * data[p + 2], alpha * data[p + 3]
                for c in range(o):
                    g[i, c] += (x0 * delta[r0, c] + x1 * delta[r1, c]) + (x2 * delta[r2, c] + x3 * delta[r3, c])
            for p in range(full, end):
                value, r = alpha * data[p], rows[p]
                for c in range(o):
                    g[i, c] += value * delta[r, c]

    @shared
    def gradient(scratch, x, first, n, alpha, delta, beta, g):
        """Written, not added: beta is 0."""
        columns, rows = x.column_indptr[first // n], g.shape[0]
        factor = g.dtype.type(alpha)
        if not parallel or n * g.size <= GRAIN:
            gradient_rows(x, columns, 0, factor, delta, g)
        else:
            for k in prange(threads):
                begin, end = k * rows // threads, (k + 1) * rows // threads
                gradient_rows(x, columns, begin, factor, delta, g[begin:end])

    @njit
    def row(x, r, values):
        values[:] = 0
        for p in range(x.indptr[r], x.indptr[r + 1]):
            values[x.indices[p]] = x.data[p]

    return SimpleNamespace(forward=forward, gradient=gradient, row=row)
