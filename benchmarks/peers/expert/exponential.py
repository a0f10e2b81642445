"""exp as arithmetic alone, so that LLVM vectorises the loops around it: `math.exp` is a call for each element.

e**x = 2**k e**r with k the integer next to x / ln 2, as in Cephes (S. L. Moshier). NaN stays NaN; what would underflow
or overflow stays at the smallest normal or near the largest number.
"""

from __future__ import annotations

import math

import numpy as np
from numba import types
from numba.extending import overload

# Adding and subtracting it rounds to an integer: 1.5 * 2**(mantissa bits).
_ROUND32, _ROUND64 = np.float32(1.5 * 2**23), 1.5 * 2.0**52
_LOW32, _HIGH32, _LOW64, _HIGH64 = np.float32(-87.3), np.float32(88.3), -708.3, 709.0
_LOG2_E32, _LOG2_E64 = np.float32(math.log2(math.e)), math.log2(math.e)
# ln 2 in two parts: the product of the first with any k is exact.
_LN2_32, _LN2_REST32 = np.float32(0.693359375), np.float32(-2.12194440e-4)
_LN2_64, _LN2_REST64 = 6.93145751953125e-1, 1.42860682030941723212e-6
_ONE32 = np.float32(1)
# (e**r - 1 - r) / r**2, from Cephes; in float64 Taylor's series, whose error on |r| <= ln(2)/2 is 4e-18.
_P0, _P1, _P2, _P3, _P4, _P5 = map(
    np.float32,
    (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1),
)
_T2, _T3, _T4, _T5, _T6, _T7, _T8, _T9, _T10, _T11, _T12, _T13 = (1 / math.factorial(k) for k in range(2, 14))


def exponential(x):
    """Of a float32 or float64 number, in its own type; from nopython code."""


@overload(exponential, jit_options={"fastmath": {"contract"}})
def _exponential(x):
    return _exponential32 if x == types.float32 else _exponential64


def _exponential32(x):
    x = _LOW32 if x < _LOW32 else x
    x = _HIGH32 if x > _HIGH32 else x
    k = (x * _LOG2_E32 + _ROUND32) - _ROUND32
    r = (x - k * _LN2_32) - k * _LN2_REST32
    p = ((((_P0 * r + _P1) * r + _P2) * r + _P3) * r + _P4) * r + _P5
    scale = np.int32((np.int32(k) + np.int32(127)) << np.int32(23)).view(np.float32)
    return (p * (r * r) + r + _ONE32) * scale


def _exponential64(x):
    x = _LOW64 if x < _LOW64 else x
    x = _HIGH64 if x > _HIGH64 else x
    k = (x * _LOG2_E64 + _ROUND64) - _ROUND64
    r = (x - k * _LN2_64) - k * _LN2_REST64
    p = ((((_T13 * r + _T12) * r + _T11) * r + _T10) * r + _T9) * r + _T8
    p = (((((p * r + _T7) * r + _T6) * r + _T5) * r + _T4) * r + _T3) * r + _T2
    scale = np.int64((np.int64(np.int32(k)) + 1023) << 52).view(np.float64)
    return (p * (r * r) + r + 1.0) * scale
