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
    """Rows without their zeros, as SciPy's csr_array has them."""

    data: NDArray
    indices: NDArray
    indptr: NDArray


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
    """Of `Compressed` rows. Threads share the rows of y, and the columns of g."""
    parallel = threads > 1
    jit = njit(fastmath=SUMS, error_model="numpy")
    shared = njit(fastmath=SUMS, error_model="numpy", parallel=parallel)

    @jit
    def forward_rows(x, first, w, y):
        y[:] = 0
        for r in range(y.shape[0]):
            for p in range(x.indptr[first + r], x.indptr[first + r + 1]):
                value, i = x.data[p], x.indices[p]
                for c in range(y.shape[1]):
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
    def gradient_columns(x, first, alpha, delta, g):
        for r in range(delta.shape[0]):
            for p in range(x.indptr[first + r], x.indptr[first + r + 1]):
                value, i = alpha * x.data[p], x.indices[p]
                for c in range(delta.shape[1]):
                    g[i, c] += value * delta[r, c]

    @shared
    def gradient(scratch, x, first, n, alpha, delta, beta, g):
        if beta == 0:
            g[:] = 0
        o = delta.shape[1]
        if not parallel or n * g.size <= GRAIN:
            gradient_columns(x, first, alpha, delta, g)
        else:
            for k in prange(threads):
                part = slice(k * o // threads, (k + 1) * o // threads)
                gradient_columns(x, first, alpha, delta[:, part], g[:, part])

    @njit
    def row(x, r, values):
        values[:] = 0
        for p in range(x.indptr[r], x.indptr[r + 1]):
            values[x.indices[p]] = x.data[p]

    return SimpleNamespace(forward=forward, gradient=gradient, row=row)
