"""exp, expm1, log, log1p, tanh, sigmoid and erf for float32 and float64, branch-free, so that LLVM vectorises loops.

Numba's wheels have no vector math library: `math.exp` in a nopython loop is one scalar call per element. These
functions are inlined into the caller instead, and consist of arithmetic, selections and integer shifts only. Call them
from nopython code; the result has the type of the argument.

Accuracy: the error against the exact value is at most 1.5 units in the last place for exp and log, and at most 2 for
the others, with and without fused multiply-add. The largest errors measured, in those units:

            float32, all 2**32 inputs                   float64, 10**8 random inputs and edge cases
    exp     1.18 at -71.04553                       1.15 at -29.45515264080996
    log     0.84 at 1.4133185                       0.83 at 1.4076480708862695
    expm1   1.70 at 0.3931854                       1.93 at 0.3496479803711891
    log1p   1.40 at 0.4162914                       1.40 at 0.415133610999009
    tanh    1.50 at 3.4652703                       1.72 at -0.9740448407260961
    sigmoid 1.97 at -1.111429                       1.94 at -1.1325319423660052
    erf     1.39 at 0.9441111                       1.56 at -1.0602711045664934

NaN gives NaN. Infinities, signed zeros, overflow to infinity, subnormal results and underflow to zero are as in NumPy.
log of a negative number is NaN and of zero -infinity; log1p of a number below -1 is NaN and of -1 -infinity.

Sources: the range reduction of W. J. Cody and W. Waite, Software Manual for the Elementary Functions (1980); log is
that of fdlibm's e_log.c (Sun Microsystems, 1993). Polynomials without a source are minimax approximations, from Remez'
algorithm in 45 digits; coefficients were rounded one at a time, and the remaining ones fitted again each time.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
from numba.core import types

from fastnn.intrinsics import (
    SCALES_BY_POWERS_OF_TWO,
    bits_to_float,
    float_to_bits,
    polynomial,
    times_power_of_two,
)
from fastnn.jit import force_inline, overload_by_type


def _in_half(*coefficients: float) -> tuple[float, ...]:
    """The coefficients of r**2 p(r) / h**2 in powers of h = r/2. Only exponents change, so that they are exact."""
    return tuple(c * 2.0 ** (k + 2) for k, c in zip(reversed(range(len(coefficients))), coefficients, strict=True))


# Coefficients of the highest power come first. Errors are relative to the function that uses the polynomial.
FLOAT32 = SimpleNamespace(
    real=np.float32,
    integer=np.int32,
    mantissa_bits=23,
    # ln 2 in two parts; the product of the first with any exponent is exact.
    ln2_high=0.693359375,
    ln2_low=-2.12194440e-4,
    # exp is 0 below and infinite above its range; tanh, erf and expm1 round to 1, 1 and -1 beyond theirs.
    exp_range=(-104.0, 89.0),
    tanh_is_one=9.1,
    erf_is_one=3.95,
    expm1_is_minus_one=-18.0,
    # e**r on |r| <= ln(2)/2; error 3e-9.
    exp=(
        0.0013838877202942967,
        0.00836919154971838,
        0.04166810214519501,
        0.16666516661643982,
        0.4999999403953552,
        1.0,
        1.0,
    ),
    # (e**r - 1 - r) / r**2 on |r| <= ln(2)/2; error 1.5e-8.
    expm1=(0.0013973703607916832, 0.008368034847080708, 0.04166616499423981, 0.16666531562805176, 0.5),
    # The same on -0.16 <= r <= 0.56, the range of the reduced argument of tanh; error 2e-8.
    tanh=_in_half(0.0016296433750540018, 0.008263996802270412, 0.04166313260793686, 0.16666899621486664, 0.5),
    # (log(1+f) - 2s) / s as a polynomial in s**2, s = f / (2 + f); from fdlibm's e_logf.c.
    log=(0.24279078841, 0.28498786688, 0.40000972152, 0.66666662693),
    # erf(x) / x - 1 in powers of x**2 on |x| <= erf_split; error 1.8e-8.
    erf_split=0.925,
    erf_small=(
        -0.0005959068075753748,
        0.004987259861081839,
        -0.026762915775179863,
        0.11281730234622955,
        -0.37612488865852356,
        0.12837915122509003,
    ),
    # log(1 - erf(x)) on erf_split <= x <= erf_is_one; error 1.6e-9.
    erf_large=(
        0.00019592295575421304,
        -0.0030431195627897978,
        0.022226640954613686,
        -0.10393115878105164,
        -0.6371826529502869,
        -1.1276754140853882,
        -0.00019572439487092197,
    ),
)
FLOAT64 = SimpleNamespace(
    real=np.float64,
    integer=np.int64,
    mantissa_bits=52,
    ln2_high=6.93145751953125e-1,
    ln2_low=1.42860682030941723212e-6,
    exp_range=(-746.0, 710.0),
    tanh_is_one=19.1,
    erf_is_one=5.95,
    expm1_is_minus_one=-38.0,
    # Error 5e-18.
    exp=(
        2.501894175396564e-08,
        2.76307797128594e-07,
        2.7557534547350373e-06,
        2.4801491704797364e-05,
        0.0001984126955608254,
        0.0013888888944889183,
        0.00833333333347567,
        0.041666666666525735,
        0.16666666666666435,
        0.5000000000000011,
        1.0,
        1.0,
    ),
    # Error 9e-19.
    expm1=(
        2.090875254259906e-09,
        2.5109988748199185e-08,
        2.7557293998569e-07,
        2.7557242357955427e-06,
        2.480158730948116e-05,
        0.00019841269886858748,
        0.0013888888888882673,
        0.008333333333321735,
        0.04166666666666669,
        0.16666666666666677,
        0.5,
    ),
    # Error 5e-17.
    tanh=_in_half(
        2.9730261343476598e-08,
        2.719661977866918e-07,
        2.7568321912675866e-06,
        2.480156762860554e-05,
        0.00019841264644591432,
        0.0013888888939350243,
        0.008333333334233285,
        0.041666666666605366,
        0.16666666666665803,
        0.5,
    ),
    # From fdlibm's e_log.c.
    log=(
        1.479819860511658591e-01,
        1.531383769920937332e-01,
        1.818357216161805012e-01,
        2.222219843214978396e-01,
        2.857142874366239149e-01,
        3.999999999940941908e-01,
        6.666666666666735130e-01,
    ),
    # Error 1.4e-17.
    erf_split=1.0,
    erf_small=(
        -7.607123559813489e-10,
        1.3616373170865872e-08,
        -1.6183925803246376e-07,
        1.64441433403374e-06,
        -1.4924465157754665e-05,
        0.00012055280476717915,
        -0.000854832548450088,
        0.005223977596728703,
        -0.026866170641958616,
        0.11283791670936949,
        -0.37612638903183343,
        0.12837916709551256,
    ),
    # Error 7e-18.
    erf_large=(
        -4.925993435808886e-12,
        2.043953134685342e-10,
        -3.932462515821748e-09,
        4.640318828455737e-08,
        -3.7315392619380784e-07,
        2.1348523915705918e-06,
        -8.663697787884496e-06,
        2.2811222900180514e-05,
        -2.023788619247493e-05,
        -0.00013510824955709823,
        0.0007707350535546176,
        -0.0019160576989751953,
        0.0004107382986743927,
        0.018990097969273978,
        -0.10270339608807225,
        -0.6366436441898428,
        -1.1283740857954598,
        -5.03240424423408e-07,
    ),
)


def functions(c: SimpleNamespace) -> dict[str, Callable]:
    """The functions for one precision, from its constants `c`."""
    real, integer = c.real, c.integer
    zero, half, one, two = real(0), real(0.5), real(1), real(2)
    infinity, nan = real(np.inf), real(np.nan)
    ln2, ln2_high, ln2_low, half_ln2 = (real(v) for v in (np.log(2), c.ln2_high, c.ln2_low, np.log(2) / 2))
    log2e, two_log2e = real(1.4426950408889634), real(2.8853900817779268)
    # Added to a small number, it rounds that number to an integer and leaves it in the low bits.
    rounder = real(1.5 * 2**c.mantissa_bits)
    unsigned = np.uint32 if integer is np.int32 else np.uint64
    one_bits, rounder_bits = one.view(integer), rounder.view(integer)
    one_integer, mantissa_bits = integer(1), integer(c.mantissa_bits)
    mantissa, sign_bit = integer(2**c.mantissa_bits - 1), real(-0.0).view(integer)
    exponent_bias = integer(int(one_bits) >> c.mantissa_bits)
    # As `rounder`, which then leaves the integer and the biases of two powers of two in the low bits.
    biased_rounder = real(rounder + 2 * exponent_bias)
    # log splits its argument into 2**k m with m in [sqrt(1/2), sqrt(2)); subnormal numbers are scaled up first.
    lowest_m = real(np.sqrt(0.5)).view(integer)
    smallest_normal, scale_up = np.finfo(real).tiny, real(2.0 ** (c.mantissa_bits + 2))
    lowest_scaled_m = integer(int(lowest_m) + ((c.mantissa_bits + 2) << c.mantissa_bits))
    # From here on 1 + x rounds to x, and 2**-k may be subnormal.
    vast = real(2.0 ** (2 * c.mantissa_bits))
    # Below this, a function whose slope at zero is 1 rounds to its argument.
    minute = real(2.0 ** -(c.mantissa_bits + 4))
    exp_low, exp_high = real(c.exp_range[0]), real(c.exp_range[1])
    tanh_is_one, erf_is_one = real(c.tanh_is_one), real(c.erf_is_one)
    expm1_is_minus_one, erf_split = real(c.expm1_is_minus_one), real(c.erf_split)
    # Moves the range of the reduced argument of tanh from ±0.5 ln 2 to between -0.21 ln 2 and 0.79 ln 2.
    tanh_shift = real(0.29)
    exp_table, expm1_table, tanh_table, log_table = (
        tuple(map(real, table)) for table in (c.exp, c.expm1, c.tanh, c.log)
    )
    small_even, small_odd, large_even, large_odd = (
        tuple(map(real, table[(len(table) - 1 + odd) % 2 :: 2]))
        for table in (c.erf_small, c.erf_large)
        for odd in (0, 1)
    )

    @force_inline
    def power_of_two(k):
        return bits_to_float(integer(integer(k + exponent_bias) << mantissa_bits))

    # Comparisons are false for NaN, which is therefore kept.
    @force_inline
    def clamp(x, low, high):
        x = low if x < low else x
        return high if x > high else x

    @force_inline
    def with_sign_of(magnitude, x):
        return bits_to_float(integer(float_to_bits(magnitude) | integer(float_to_bits(x) & sign_bit)))

    @force_inline
    def exp_scaled(x):
        """2**k e**r, x = k ln 2 + r."""
        k = integer(float_to_bits(x * log2e + rounder) - rounder_bits)
        n = real(k)
        r = (x - n * ln2_high) - n * ln2_low
        return times_power_of_two(polynomial(r, exp_table), k)

    @force_inline
    def exp_times_two_powers(x):
        """The same, to the bit, with two powers: k exceeds the exponents of normal numbers on both sides. The first
        product is exact. Shifts that fill with the sign are slow for float64 before AVX-512; what is above the exponent
        is shifted out."""
        shifted = x * log2e + biased_rounder
        n = shifted - biased_rounder
        r = (x - n * ln2_high) - n * ln2_low
        both = float_to_bits(shifted)
        first = integer(unsigned(both) >> unsigned(1))
        second = integer(both - first)
        halfway = polynomial(r, exp_table) * bits_to_float(integer(first << mantissa_bits))
        return halfway * bits_to_float(integer(second << mantissa_bits))

    exp_in_range = exp_scaled if SCALES_BY_POWERS_OF_TWO else exp_times_two_powers

    @force_inline
    def exp(x):
        # Computed underflow costs a hundred cycles, and rows padded with -infinity underflow often.
        return zero if x < exp_low else exp_in_range(exp_high if x > exp_high else x)

    @force_inline
    def expm1(x):
        """2**k - 1 + 2**k (e**r - 1)."""
        x_in_range = clamp(x, expm1_is_minus_one, exp_high)
        shifted = x_in_range * log2e + rounder
        n = shifted - rounder
        r = (x_in_range - n * ln2_high) - n * ln2_low
        # Half of 2**k, because k may be one more than the largest exponent.
        scale = power_of_two(integer(integer(float_to_bits(shifted) - rounder_bits) - one_integer))
        y = ((scale - half) + scale * (polynomial(r, expm1_table) * (r * r) + r)) * two
        return x if abs(x) < minute else y

    @force_inline
    def log_of_split(n, f):
        """n ln 2 + log(1 + f) as in fdlibm, without its branches."""
        s = f / (two + f)
        z = s * s
        h = half * f * f
        return n * ln2_high - ((h - (s * (polynomial(z, log_table) * z + h) + n * ln2_low)) - f)

    @force_inline
    def log(x):
        subnormal = x < smallest_normal
        bits = float_to_bits(x * scale_up if subnormal else x)
        bits = integer(bits - (lowest_scaled_m if subnormal else lowest_m))
        m = bits_to_float(integer(integer(bits & mantissa) + lowest_m))
        y = log_of_split(real(integer(bits >> mantissa_bits)), m - one)
        y = y if x < infinity else x
        return y if x > zero else (-infinity if x == zero else nan)

    @force_inline
    def log1p(x):
        """log of 1 + x = 2**k (1 + f), with f = 2**-k x + (2**-k - 1), because the sum 1 + x has lost digits of x."""
        bits = integer(float_to_bits(one + x) - lowest_m)
        m = bits_to_float(integer(integer(bits & mantissa) + lowest_m))
        k = integer(bits >> mantissa_bits)
        inverse = bits_to_float(integer(one_bits - integer(k << mantissa_bits)))
        f = x * inverse + (inverse - one) if x < vast else m - one
        y = x if abs(x) < minute else log_of_split(real(k), f)
        y = y if x < infinity else x
        return y if x > -one else (-infinity if x == -one else nan)

    @force_inline
    def tanh(x):
        """e / (e + 2) with e = exp(2|x|) - 1; but for k = 0, for accuracy, |x| + (e - |x|(e + 2)) / (e + 2).

        In that case e = 2|x| + q, and the numerator simplifies to q - |x| e. The shift extends the case to |x| = 0.27,
        which is as far as it is needed.
        """
        a = abs(x)
        within = tanh_is_one if a > tanh_is_one else a
        shifted = (within * two_log2e - tanh_shift) + rounder
        n = shifted - rounder
        r_half = within - n * half_ln2
        scale = bits_to_float(integer(integer(float_to_bits(shifted) << mantissa_bits) + one_bits))
        q = polynomial(r_half, tanh_table) * (r_half * r_half)
        e = scale * (two * r_half + q) + (scale - one)
        small = n == zero
        y = (q - a * e if small else e) / (e + two)
        return with_sign_of(a + y if small else y, x)

    @force_inline
    def sigmoid(x):
        """e / (1 + e) for x < 0, else 1 - e / (1 + e), with e = exp(-|x|), which does not overflow.

        The first is written e - e (e / (1 + e)), which scales the rounding errors of the quotient by e.
        """
        below = -abs(x)
        e = zero if below < exp_low else exp_in_range(below)
        weight = e if x < zero else one
        return weight - weight * (e / (one + e))

    @force_inline
    def erf(x):
        """x + x p(x**2) for small |x|, ±(1 - exp(p(|x|))) for large.

        Each p is evaluated as even plus odd part: a single chain of multiply-adds would be bound by latency.
        """
        a = abs(x)
        within = erf_is_one if a > erf_is_one else a
        z = within * within
        logarithm = polynomial(z, large_odd) * within + polynomial(z, large_even)
        # A simpler exp: the result is small beside 1 and never subnormal, so that one part of ln 2 and one scaling do.
        shifted = logarithm * log2e + rounder
        p = polynomial(logarithm - (shifted - rounder) * ln2, exp_table)
        large = one - bits_to_float(integer(float_to_bits(p) + integer(float_to_bits(shifted) << mantissa_bits)))
        z2 = z * z
        small = a * (polynomial(z2, small_odd) * z + polynomial(z2, small_even)) + a
        return with_sign_of(large if a >= erf_split else small, x)

    return {"exp": exp, "expm1": expm1, "log": log, "log1p": log1p, "tanh": tanh, "sigmoid": sigmoid, "erf": erf}


_FOR_FLOAT32, _FOR_FLOAT64 = functions(FLOAT32), functions(FLOAT64)


def _by_type(name: str, about: str, ulps: float) -> Callable:
    """A function for nopython code that calls the implementation for the type of its argument.

    about : what it is, for its docstring. ulps : the bound of its error.
    """
    by_type = {types.float32: _FOR_FLOAT32[name], types.float64: _FOR_FLOAT64[name]}

    def function(x):
        raise TypeError(f"{name} is for nopython code: call it in a function that Numba compiles")

    def choose(x):
        implementation = by_type.get(x)
        return None if implementation is None else (lambda x: implementation(x))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""{about}

    x : one number, float32 or float64, in a scalar function that Numba compiles: it refuses any other type. Returns a
    number of the type of x, at most {ulps:g} units in the last place off; NaN for NaN. It is inlined, and loops of it
    vectorise. Raises TypeError where Python calls it.
    """
    overload_by_type(function, choose)
    return function


exp = _by_type("exp", "eˣ; infinity where that overflows, and 0 where it underflows.", 1.5)
expm1 = _by_type("expm1", "eˣ - 1, without the digits that this difference loses near 0.", 2)
log = _by_type("log", "The natural logarithm of x; NaN below 0, -infinity at 0.", 1.5)
log1p = _by_type(
    "log1p", "The natural logarithm of 1 + x, without the digits that this sum loses; NaN below -1, -infinity there.", 2
)
tanh = _by_type("tanh", "The hyperbolic tangent of x, (eˣ - e⁻ˣ) / (eˣ + e⁻ˣ).", 2)
sigmoid = _by_type("sigmoid", "1 / (1 + e⁻ˣ).", 2)
erf = _by_type("erf", "The error function of x, 2/√π times the integral of exp(-s²) from 0 to x.", 2)
