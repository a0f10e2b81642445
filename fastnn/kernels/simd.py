"""What Numba has no word for, as LLVM intrinsics. No other file speaks LLVM IR."""

from __future__ import annotations

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

_FLOAT_OF = {types.int32: types.float32, types.int64: types.float64}
_INT_OF = {value: key for key, value in _FLOAT_OF.items()}
_LLVM = {
    types.int32: ir.IntType(32),
    types.int64: ir.IntType(64),
    types.float32: ir.FloatType(),
    types.float64: ir.DoubleType(),
}


def _reinterpret(source: types.Type, target: types.Type | None):
    if target is None:
        return None

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], _LLVM[target])

    return target(source), generate


@intrinsic
def bits_to_float(typing_context, bits):
    """The float32 (float64) whose bits are the given int32 (int64)."""
    return _reinterpret(bits, _FLOAT_OF.get(bits))


@intrinsic
def float_to_bits(typing_context, value):
    """The bits of a float32 (float64) as int32 (int64)."""
    return _reinterpret(value, _INT_OF.get(value))


@intrinsic
def prefer_full_vectors(typing_context):
    """Ask LLVM to vectorise the enclosing function's loops with the widest registers that the CPU has.

    LLVM halves AVX-512 registers by default, for the sake of the clock of older CPUs.
    """

    def generate(context, builder, signature, arguments):
        # llvmlite lists the attributes it knows; this one LLVM reads as a string pair.
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.none(), generate
