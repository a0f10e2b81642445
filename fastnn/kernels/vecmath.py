"""exp, expm1, log, tanh and sigmoid for float32 and float64, branch-free, so that LLVM vectorises loops over them.

The wheels of Numba carry no vector math library: `math.exp` in a nopython loop is one scalar call per element. These
functions are inlined into the caller instead, and are made of additions, products, selections and integer shifts
alone. Call them from nopython code; a scalar of either type gives a scalar of the same type.

Accuracy against the exact value, in units in the last place: exp, log and expm1 at most 1.5, tanh and sigmoid at most
3. NaN gives NaN; infinities, overflow to infinity and underflow through the subnormal numbers to zero are those of
NumPy; log of a negative number is NaN and of zero -infinity.

Sources: the range reduction of W. J. Cody and W. Waite, Software Manual for the Elementary Functions (1980), with
minimax polynomials; log follows fdlibm's e_log.c (Sun Microsystems, 1993).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba.core import types

from fastnn.kernels.jit import inlined, inlined_by_type
from fastnn.kernels.simd import bits_to_float, float_to_bits

_f4, _f8, _i4, _i8 = np.float32, np.float64, np.int32, np.int64

_LOG2E_4, _LOG2E_8 = _f4(1.4426950408889634), _f8(1.4426950408889634)
# ln 2 in two parts; the product of the first with any exponent is exact.
_LN2_HIGH_4, _LN2_LOW_4 = _f4(0.693359375), _f4(-2.12194440e-4)
_LN2_HIGH_8, _LN2_LOW_8 = _f8(6.93145751953125e-1), _f8(1.42860682030941723212e-6)
# Added to a small number and taken away again, it rounds that number to an integer and leaves it in the low bits.
_ROUNDER_4, _ROUNDER_8 = _f4(1.5 * 2**23), _f8(1.5 * 2**52)
_ONE_4, _ONE_8 = _f4(1), _f8(1)
_HALF_4, _HALF_8 = _f4(0.5), _f8(0.5)
_TWO_4, _TWO_8 = _f4(2), _f8(2)
_ZERO_4, _ZERO_8 = _f4(0), _f8(0)

# (e**r - 1 - r) / r**2 on |r| <= ln(2)/2: minimax, relative error of e**r 8e-9 and 1.3e-17.
_E4 = tuple(
    map(
        _f4,
        (
            0.0013926250831497611718,
            0.0083632328836826182041,
            0.041666554212984150314,
            0.16666576666119928305,
            0.5,
        ),
    )
)
_E8 = (
    2.5100472505694996003e-8,
    2.7620201591031548792e-7,
    2.7557268276905696187e-6,
    0.000024801521057868205199,
    0.00019841269863171556026,
    0.0013888888917367080562,
    0.0083333333333300381973,
    0.041666666666623820532,
    0.1666666666666666746,
    0.5,
)
# (log(1+f) - 2s) / s as a polynomial in s**2, s = f / (2 + f); from fdlibm's e_logf.c and e_log.c.
_L4 = tuple(map(_f4, (0.24279078841, 0.28498786688, 0.40000972152, 0.66666662693)))
_L8 = (
    1.479819860511658591e-01,
    1.531383769920937332e-01,
    1.818357216161805012e-01,
    2.222219843214978396e-01,
    2.857142874366239149e-01,
    3.999999999940941908e-01,
    6.666666666666735130e-01,
)


@inlined
def _expm1_core_4(r):
    p = _E4[0] * r + _E4[1]
    p = p * r + _E4[2]
    p = p * r + _E4[3]
    p = p * r + _E4[4]
    return p * (r * r) + r


@inlined
def _expm1_core_8(r):
    p = _E8[0] * r + _E8[1]
    p = p * r + _E8[2]
    p = p * r + _E8[3]
    p = p * r + _E8[4]
    p = p * r + _E8[5]
    p = p * r + _E8[6]
    p = p * r + _E8[7]
    p = p * r + _E8[8]
    p = p * r + _E8[9]
    return p * (r * r) + r


@inlined
def _power_of_two_4(k):
    return bits_to_float(_i4(_i4(k + _i4(127)) << _i4(23)))


@inlined
def _power_of_two_8(k):
    return bits_to_float(_i8((k + _i8(1023)) << _i8(52)))


# Comparisons below are written so that NaN fails them and is kept.
@inlined
def _clamp(x, low, high):
    x = low if x < low else x
    return high if x > high else x


@inlined
def _exp_4(x):
    c = _clamp(x, _f4(-104.0), _f4(89.0))
    shifted = c * _LOG2E_4 + _ROUNDER_4
    k = _i4(float_to_bits(shifted) - float_to_bits(_ROUNDER_4))
    n = shifted - _ROUNDER_4
    r = (c - n * _LN2_HIGH_4) - n * _LN2_LOW_4
    # 2**k in two factors: k reaches beyond the exponents of normal numbers on both sides.
    half = _i4(k >> _i4(1))
    return (_expm1_core_4(r) + _ONE_4) * _power_of_two_4(half) * _power_of_two_4(_i4(k - half))


@inlined
def _exp_8(x):
    c = _clamp(x, _f8(-746.0), _f8(710.0))
    shifted = c * _LOG2E_8 + _ROUNDER_8
    k = _i8(float_to_bits(shifted) - float_to_bits(_ROUNDER_8))
    n = shifted - _ROUNDER_8
    r = (c - n * _LN2_HIGH_8) - n * _LN2_LOW_8
    half = _i8(k >> _i8(1))
    return (_expm1_core_8(r) + _ONE_8) * _power_of_two_8(half) * _power_of_two_8(_i8(k - half))


@inlined
def _expm1_4(x):
    c = _clamp(x, _f4(-18.0), _f4(89.0))
    shifted = c * _LOG2E_4 + _ROUNDER_4
    k = _i4(float_to_bits(shifted) - float_to_bits(_ROUNDER_4))
    n = shifted - _ROUNDER_4
    r = (c - n * _LN2_HIGH_4) - n * _LN2_LOW_4
    # 2**k - 1 + 2**k * expm1(r), halved, for 2**128 is no float32.
    scale = _power_of_two_4(_i4(k - _i4(1)))
    y = ((scale - _HALF_4) + scale * _expm1_core_4(r)) * _TWO_4
    # Below, x is the answer to the last bit, and halves of the subnormal numbers would be lost.
    return x if abs(x) < _f4(1e-8) else y


@inlined
def _expm1_8(x):
    c = _clamp(x, _f8(-38.0), _f8(710.0))
    shifted = c * _LOG2E_8 + _ROUNDER_8
    k = _i8(float_to_bits(shifted) - float_to_bits(_ROUNDER_8))
    n = shifted - _ROUNDER_8
    r = (c - n * _LN2_HIGH_8) - n * _LN2_LOW_8
    scale = _power_of_two_8(_i8(k - _i8(1)))
    y = ((scale - _HALF_8) + scale * _expm1_core_8(r)) * _TWO_8
    return x if abs(x) < _f8(1e-17) else y


@inlined
def _log_4(x):
    subnormal = x < _f4(1.17549435e-38)
    scaled = x * _f4(2.0**25) if subnormal else x
    # Splits scaled = 2**k * m with m in [sqrt(1/2), sqrt(2)).
    bits = _i4(float_to_bits(scaled) - _i4(0x3F3504F3))
    k = _i4(bits >> _i4(23))
    m = bits_to_float(_i4(_i4(bits & _i4(0x007FFFFF)) + _i4(0x3F3504F3)))
    n = _f4(k) - (_f4(25.0) if subnormal else _ZERO_4)
    f = m - _ONE_4
    s = f / (_TWO_4 + f)
    z = s * s
    p = _L4[0] * z + _L4[1]
    p = p * z + _L4[2]
    p = p * z + _L4[3]
    h = _HALF_4 * f * f
    y = n * _LN2_HIGH_4 - ((h - (s * (h + p * z) + n * _LN2_LOW_4)) - f)
    y = x if x == _f4(np.inf) else y
    y = _f4(-np.inf) if x == _ZERO_4 else y
    return y if x >= _ZERO_4 else _f4(np.nan)


@inlined
def _log_8(x):
    subnormal = x < _f8(2.2250738585072014e-308)
    scaled = x * _f8(2.0**54) if subnormal else x
    bits = _i8(float_to_bits(scaled) - _i8(0x3FE6A09E667F3BCD))
    k = _i8(bits >> _i8(52))
    m = bits_to_float(_i8((bits & _i8(0x000FFFFFFFFFFFFF)) + _i8(0x3FE6A09E667F3BCD)))
    n = _f8(k) - (_f8(54.0) if subnormal else _ZERO_8)
    f = m - _ONE_8
    s = f / (_TWO_8 + f)
    z = s * s
    p = _L8[0] * z + _L8[1]
    p = p * z + _L8[2]
    p = p * z + _L8[3]
    p = p * z + _L8[4]
    p = p * z + _L8[5]
    p = p * z + _L8[6]
    h = _HALF_8 * f * f
    y = n * _LN2_HIGH_8 - ((h - (s * (h + p * z) + n * _LN2_LOW_8)) - f)
    y = x if x == _f8(np.inf) else y
    y = _f8(-np.inf) if x == _ZERO_8 else y
    return y if x >= _ZERO_8 else _f8(np.nan)


@inlined
def _with_sign_of_4(magnitude, x):
    sign = _i4(float_to_bits(x) & _i4(-0x80000000))
    return bits_to_float(_i4(float_to_bits(magnitude) | sign))


@inlined
def _with_sign_of_8(magnitude, x):
    sign = _i8(float_to_bits(x) & _i8(-0x8000000000000000))
    return bits_to_float(_i8(float_to_bits(magnitude) | sign))


@inlined
def _tanh_4(x):
    e = _expm1_4(_f4(-2.0) * abs(x))
    return _with_sign_of_4(-e / (e + _TWO_4), x)


@inlined
def _tanh_8(x):
    e = _expm1_8(_f8(-2.0) * abs(x))
    return _with_sign_of_8(-e / (e + _TWO_8), x)


@inlined
def _sigmoid_4(x):
    return _ONE_4 / (_ONE_4 + _exp_4(-x))


@inlined
def _sigmoid_8(x):
    return _ONE_8 / (_ONE_8 + _exp_8(-x))


def _by_type(name: str, for_float32: Callable, for_float64: Callable) -> Callable:
    """A name for nopython code that stands for one function or the other by the type of its argument."""

    def function(x):
        raise TypeError(f"vecmath.{name} is for nopython code; from Python call the function of that name on arrays")

    def choose(x):
        implementation = {types.float32: for_float32, types.float64: for_float64}.get(x)
        return None if implementation is None else (lambda x: implementation(x))

    function.__name__ = function.__qualname__ = name
    inlined_by_type(function, choose)
    return function


exp = _by_type("exp", _exp_4, _exp_8)
expm1 = _by_type("expm1", _expm1_4, _expm1_8)
log = _by_type("log", _log_4, _log_8)
tanh = _by_type("tanh", _tanh_4, _tanh_8)
sigmoid = _by_type("sigmoid", _sigmoid_4, _sigmoid_8)
