"""Vectors of which only some lanes are read or written, and what is fetched before it is needed."""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils

from fastnn.intrinsics.host import splat

# The caches, as LLVM's prefetch counts them.
FIRST_LEVEL, SECOND_LEVEL = 3, 2


def prefetch(builder, place, level: int, to_write: bool = False) -> None:
    """Fetch the cache line of an address, which need not be that of anything."""
    byte, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
    kind = ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
    builder.call(function, [builder.bitcast(place, byte), flag(int(to_write)), flag(level), flag(1)])


def first_lanes(builder, vector: ir.VectorType, count):
    """A mask: true in the first `count` lanes.

    Compared in numbers of the width of a lane, which takes one instruction; numbers of 64 bits would take two and more
    to put them together where lanes have 32.
    """
    most = ir.IntType(64)(vector.count)
    fewer = builder.select(builder.icmp_signed("<", count, most), count, most)
    index = ir.IntType(_bits(vector))
    if index.width < 64:
        fewer = builder.trunc(fewer, index)
    lanes = ir.Constant(ir.VectorType(index, vector.count), [index(lane) for lane in range(vector.count)])
    return builder.icmp_signed("<", lanes, splat(builder, fewer, vector.count))


def emit_masked_load(builder, place, mask, otherwise):
    """The lanes at an address that the mask has, and what the others are `otherwise`; these are not read."""
    return _masked(builder, "load", otherwise.type, [place, _alignment(otherwise), mask, otherwise], otherwise.type)


def emit_masked_store(builder, value, place, mask) -> None:
    """Write the lanes that the mask has."""
    _masked(builder, "store", ir.VoidType(), [value, place, _alignment(value), mask], value.type)


def _bits(vector: ir.VectorType) -> int:
    return 32 if vector.element == ir.FloatType() else 64


def _alignment(value):
    return ir.IntType(32)(_bits(value.type) // 8)


def _masked(builder, name: str, result, arguments: list, vector: ir.VectorType):
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    suffix = f"v{vector.count}f{_bits(vector)}"
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.{name}.{suffix}.p0{suffix}")
    return builder.call(function, arguments)
