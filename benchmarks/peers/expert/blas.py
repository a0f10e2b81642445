"""SciPy's BLAS from nopython code, with alpha and beta: `np.dot` has neither, and allocates."""

from __future__ import annotations

import ctypes

import scipy.linalg.cython_blas  # noqa: F401 - from whose table Numba takes the addresses
from numba import njit, types
from numba.extending import get_cython_function_address, overload

_ROUTINE = ctypes.CFUNCTYPE(None, *13 * [ctypes.c_void_p])
_SGEMM, _DGEMM = (_ROUTINE(get_cython_function_address("scipy.linalg.cython_blas", f"{real}gemm")) for real in "sd")
_AS_IT_IS, _TRANSPOSED = ord("N"), ord("T")


def _gemm(chars, sizes, reals, a, b, c):
    """BLAS's routine for the dtype of the matrices."""


@overload(_gemm)
def _gemm_of_dtype(chars, sizes, reals, a, b, c):
    routine = _SGEMM if reals.dtype == types.float32 else _DGEMM

    def call(chars, sizes, reals, a, b, c):
        routine(
            chars.ctypes,
            chars[1:].ctypes,
            sizes.ctypes,
            sizes[1:].ctypes,
            sizes[2:].ctypes,
            reals.ctypes,
            a.ctypes,
            sizes[3:].ctypes,
            b.ctypes,
            sizes[4:].ctypes,
            reals[1:].ctypes,
            c.ctypes,
            sizes[5:].ctypes,
        )

    return call


@njit(inline="always")
def multiply(scratch, alpha, a, a_transposed, b, b_transposed, beta, c):
    """c = alpha * a @ b + beta * c of matrices whose rows are contiguous, either of the factors transposed.

    scratch : chars (2,) uint8, sizes (6,) int32 and reals (2,) of the matrices' dtype; BLAS takes addresses.
    """
    chars, sizes, reals = scratch
    # BLAS takes columns first: to it each matrix is its transpose, and c.T = b.T @ a.T.
    chars[0] = _TRANSPOSED if b_transposed else _AS_IT_IS
    chars[1] = _TRANSPOSED if a_transposed else _AS_IT_IS
    sizes[0], sizes[1] = c.shape[1], c.shape[0]
    sizes[2] = a.shape[0] if a_transposed else a.shape[1]
    sizes[3], sizes[4], sizes[5] = b.strides[0] // b.itemsize, a.strides[0] // a.itemsize, c.strides[0] // c.itemsize
    reals[0], reals[1] = alpha, beta
    _gemm(chars, sizes, reals, b, a, c)
