"""Which columns of a few rows are not all zero, without a branch that the CPU would guess wrong."""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from fastnn.intrinsics.host import COMPRESSES, VECTOR_BYTES, splat


def nonzero_columns(rows: int) -> Callable:
    """append(a, a_row, first, places): of the vector of columns of a from `first` on, write down which are not all zero
    in so many rows, and return how many. NaN is not zero.

    `a` is an address, `a_row` the elements from one row to the next; `places`, an address of int32, has room for as
    many as the vector has.
    """

    @intrinsic
    def append(typing_context, a, a_row, first, places):
        bits = a.dtype.bitwidth
        lanes = VECTOR_BYTES * 8 // bits

        def generate(context, builder, signature, arguments):
            a, a_row, first, places = arguments
            vector, place = ir.VectorType(ir.IntType(bits), lanes), ir.IntType(32)
            either = ir.Constant(vector, None)
            for r in range(rows):
                offset = builder.add(builder.mul(a_row, ir.IntType(64)(r)), first)
                row = builder.load(builder.bitcast(builder.gep(a, [offset]), vector.as_pointer()))
                row.align = bits // 8
                either = builder.or_(either, row)
            # Zero has a sign, which does not count.
            magnitude = ir.Constant(vector, [ir.IntType(bits)(2 ** (bits - 1) - 1)] * lanes)
            nonzero = builder.icmp_signed("!=", builder.and_(either, magnitude), ir.Constant(vector, None))
            counting = ir.Constant(ir.VectorType(place, lanes), [place(k) for k in range(lanes)])
            columns = builder.add(splat(builder, builder.trunc(first, place), lanes), counting)
            if COMPRESSES:
                return _packed(builder, columns, nonzero, places)
            return _one_by_one(builder, columns, nonzero, places)

        return types.int64(a, types.int64, types.int64, types.CPointer(types.int32)), generate

    return append


def _packed(builder, columns, chosen, places):
    """All at once, as AVX-512 can."""
    lanes, kind = columns.type.count, columns.type
    function = ir.FunctionType(kind, [kind, kind, chosen.type])
    compress = cgutils.get_or_insert_function(builder.module, function, f"llvm.x86.avx512.mask.compress.v{lanes}i32")
    packed = builder.call(compress, [columns, ir.Constant(kind, None), chosen])
    builder.store(packed, builder.bitcast(places, kind.as_pointer())).align = 4
    return builder.zext(builder.ctpop(builder.bitcast(chosen, ir.IntType(lanes))), ir.IntType(64))


def _one_by_one(builder, columns, chosen, places):
    count, index = ir.IntType(64)(0), ir.IntType(32)
    for lane in range(columns.type.count):
        builder.store(builder.extract_element(columns, index(lane)), builder.gep(places, [count]))
        one = builder.extract_element(chosen, index(lane))
        count = builder.add(count, builder.zext(one, ir.IntType(64)))
    return count
