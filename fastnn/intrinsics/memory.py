"""Masked loads and stores of vectors, and prefetching."""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils, types

from fastnn.intrinsics.declared import intrinsic
from fastnn.intrinsics.host import splat

# LLVM's numbers for the cache levels: the `locality` argument of its prefetch.
FIRST_LEVEL, SECOND_LEVEL = 3, 2


def prefetch(builder, address, level: int, to_write: bool = False) -> None:
    """Prefetch the cache line at `address` into that cache level. The address need not be valid."""
    byte, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
    kind = ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
    builder.call(function, [builder.bitcast(address, byte), flag(int(to_write)), flag(level), flag(1)])


@intrinsic
def fetch_ahead(typing_context, pointer):
    """Prefetch the cache line at the address `pointer` into the second-level cache. It need not be valid."""

    def generate(context, builder, signature, arguments):
        prefetch(builder, arguments[0], SECOND_LEVEL)
        return context.get_dummy_value()

    return types.none(pointer), generate


def first_lanes(builder, vector: ir.VectorType, size):
    """The mask of a vector's first `size` lanes.

    Lane numbers are compared as integers as wide as a lane, which takes one instruction. For lanes of 32 bits, 64-bit
    integers would take two comparisons, and more instructions to merge their results.
    """
    lanes = ir.IntType(64)(vector.count)
    clamped = builder.select(builder.icmp_signed("<", size, lanes), size, lanes)
    index = ir.IntType(_bits(vector))
    if index.width < 64:
        clamped = builder.trunc(clamped, index)
    lane_numbers = ir.Constant(ir.VectorType(index, vector.count), [index(lane) for lane in range(vector.count)])
    return builder.icmp_signed("<", lane_numbers, splat(builder, clamped, vector.count))


def emit_masked_load(builder, address, mask, otherwise):
    """The vector at `address` where the mask is true, and `otherwise` elsewhere; those lanes are not read."""
    return _masked(builder, "load", otherwise.type, [address, _alignment(otherwise), mask, otherwise], otherwise.type)


def emit_masked_store(builder, value, address, mask) -> None:
    """Write the lanes of `value` where the mask is true."""
    _masked(builder, "store", ir.VoidType(), [value, address, _alignment(value), mask], value.type)


def _bits(vector: ir.VectorType) -> int:
    return 32 if vector.element == ir.FloatType() else 64


def _alignment(value):
    return ir.IntType(32)(_bits(value.type) // 8)


def _masked(builder, name: str, result, arguments: list, vector: ir.VectorType):
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    suffix = f"v{vector.count}f{_bits(vector)}"
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.{name}.{suffix}.p0{suffix}")
    return builder.call(function, arguments)
