"""Vectors of which only some lanes are read or written, and what is fetched before it is needed."""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils

from fastnn.kernels.simd.host import splat

# The caches, as LLVM's prefetch counts them.
FIRST_LEVEL, SECOND_LEVEL = 3, 2


def prefetch(builder, place, level: int, to_write: bool = False) -> None:
    """Fetch the cache line of an address, which need not be that of anything."""
    byte, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
    kind = ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
    builder.call(function, [builder.bitcast(place, byte), flag(int(to_write)), flag(level), flag(1)])


def first_lanes(builder, vector: ir.VectorType, count):
    """A mask: true in the first `count` lanes."""
    index = ir.IntType(64)
    lanes = ir.Constant(ir.VectorType(index, vector.count), [index(lane) for lane in range(vector.count)])
    return builder.icmp_signed("<", lanes, splat(builder, count, vector.count))


def masked_load(builder, place, mask, otherwise):
    """The lanes at an address that the mask has, and what the others are `otherwise`; these are not read."""
    return _masked(builder, "load", otherwise.type, [place, _alignment(otherwise), mask, otherwise], otherwise.type)


def masked_store(builder, value, place, mask) -> None:
    """Write the lanes that the mask has."""
    _masked(builder, "store", ir.VoidType(), [value, place, _alignment(value), mask], value.type)


def _alignment(value):
    return ir.IntType(32)(4 if value.type.element == ir.FloatType() else 8)


def _masked(builder, name: str, result, arguments: list, vector: ir.VectorType):
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    suffix = f"v{vector.count}f{32 if vector.element == ir.FloatType() else 64}"
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.{name}.{suffix}.p0{suffix}")
    return builder.call(function, arguments)
