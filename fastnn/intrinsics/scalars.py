"""Intrinsics on single numbers: bits, powers of two, polynomials. LLVM vectorises loops of them."""

from __future__ import annotations

import llvmlite.binding
from llvmlite import ir
from numba.core import cgutils, types

from fastnn.intrinsics.declared import intrinsic
from fastnn.intrinsics.host import FLOAT_OF, INT_OF, LLVM, VECTOR_BYTES


def _reinterpret(source: types.Type, target: types.Type | None):
    if target is None:
        return None

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], LLVM[target])

    return target(source), generate


@intrinsic
def bits_to_float(typing_context, bits):
    """The float32 (float64) whose bits are the given int32 (int64)."""
    return _reinterpret(bits, FLOAT_OF.get(bits))


@intrinsic
def float_to_bits(typing_context, value):
    """The bits of a float32 (float64) as int32 (int64)."""
    return _reinterpret(value, INT_OF.get(value))


@intrinsic
def like(typing_context, x, number):
    """The number in the precision of x. Without it `x + 1` is float64 for Numba, even where x is float32.

    x : a number, float32 or float64. number : of any type. Returns a number of the type of x.
    """

    def generate(context, builder, signature, arguments):
        return context.cast(builder, arguments[1], *reversed(signature.args))

    return x(x, types.unliteral(number)), generate


@intrinsic
def a_number(typing_context, value):
    """The value itself, if it is one number. Nothing else is typed: no array, no text, and no number or None."""

    def generate(context, builder, signature, arguments):
        return arguments[0]

    kind = types.unliteral(value)
    return (kind(kind), generate) if isinstance(kind, (types.Integer, types.Float, types.Boolean)) else None


@intrinsic
def prefer_full_vectors(typing_context):
    """Ask LLVM to vectorise the enclosing function's loops with the widest registers that the CPU has.

    LLVM halves AVX-512 registers by default, for the sake of the clock of older CPUs.
    """

    def generate(context, builder, signature, arguments):
        # llvmlite accepts only the attributes that it lists, so this one goes into the set directly, as LLVM text.
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.none(), generate


# Whether LLVM compiles `times_power_of_two` to AVX-512's scale instruction, and not to one library call per element.
SCALES_BY_POWERS_OF_TWO = VECTOR_BYTES == 64 and llvmlite.binding.llvm_version_info[0] >= 22


@intrinsic
def times_power_of_two(typing_context, value, exponent):
    """value * 2**exponent, rounded once, also where it overflows or is subnormal; only if SCALES_BY_POWERS_OF_TWO."""

    def generate(context, builder, signature, arguments):
        real, integer = (argument.type for argument in arguments)
        name = f"llvm.ldexp.f{signature.args[0].bitwidth}.i{integer.width}"
        scale = cgutils.get_or_insert_function(builder.module, ir.FunctionType(real, [real, integer]), name)
        return builder.call(scale, arguments)

    return value(value, exponent), generate


@intrinsic
def polynomial(typing_context, x, coefficients):
    """The polynomial in x with a tuple of coefficients, the highest power first, by Horner's rule.

    The loop over the coefficients is unrolled here. LLVM does not reliably unroll it for a long tuple, and without that
    it does not vectorise the loop around it.
    """

    def generate(context, builder, signature, arguments):
        variable, table = arguments
        value = builder.extract_value(table, 0)
        for k in range(1, len(signature.args[1])):
            product = builder.fmul(value, variable, flags=["contract"])
            value = builder.fadd(product, builder.extract_value(table, k), flags=["contract"])
        return value

    return x(x, coefficients), generate
