"""The nonzero columns of a few rows, found without branches, which the CPU would mispredict."""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir
from numba.core import cgutils, types

from fastnn.intrinsics.declared import intrinsic
from fastnn.intrinsics.host import COMPRESSES, VECTOR_BYTES, splat


def nonzero_columns(rows: int) -> Callable:
    """append(a, a_row, first, indices): find the nonzero columns in one vector of columns, and return how many.

    The columns are `first`, first + 1, ... of the matrix at address `a`, as many as a vector has lanes. A column is
    nonzero unless all its `rows` elements are zero; NaN is not zero. `a_row` is the elements from one row to the next.
    The nonzero columns are written in order to `indices`, an address of int32 with room for one vector's lanes.
    """

    @intrinsic
    def append(typing_context, a, a_row, first, indices):
        bits = a.dtype.bitwidth
        lanes = VECTOR_BYTES * 8 // bits

        def generate(context, builder, signature, arguments):
            a, a_row, first, indices = arguments
            vector, int32 = ir.VectorType(ir.IntType(bits), lanes), ir.IntType(32)
            ored = ir.Constant(vector, None)
            for r in range(rows):
                offset = builder.add(builder.mul(a_row, ir.IntType(64)(r)), first)
                row = builder.load(builder.bitcast(builder.gep(a, [offset]), vector.as_pointer()))
                row.align = bits // 8
                ored = builder.or_(ored, row)
            # Without the sign bit: -0.0 is zero.
            magnitude = ir.Constant(vector, [ir.IntType(bits)(2 ** (bits - 1) - 1)] * lanes)
            nonzero = builder.icmp_signed("!=", builder.and_(ored, magnitude), ir.Constant(vector, None))
            first = builder.trunc(first, int32)
            # A whole register of AVX-512 is compressed without its extension VL.
            if not COMPRESSES and lanes <= 8:
                return _compress_by_table(builder, ir.VectorType(int32, lanes), first, nonzero, indices)
            lane_numbers = ir.Constant(ir.VectorType(int32, lanes), [int32(k) for k in range(lanes)])
            columns = builder.add(splat(builder, first, lanes), lane_numbers)
            return _compress(builder, columns, nonzero, indices)

        return types.int64(a, types.int64, types.int64, types.CPointer(types.int32)), generate

    return append


def _compress(builder, columns, mask, indices):
    """Store the selected columns with one AVX-512 compress instruction; returns how many."""
    lanes, kind = columns.type.count, columns.type
    function = ir.FunctionType(kind, [kind, kind, mask.type])
    compress = cgutils.get_or_insert_function(builder.module, function, f"llvm.x86.avx512.mask.compress.v{lanes}i32")
    compressed = builder.call(compress, [columns, ir.Constant(kind, None), mask])
    builder.store(compressed, builder.bitcast(indices, kind.as_pointer())).align = 4
    return builder.zext(builder.ctpop(builder.bitcast(mask, ir.IntType(lanes))), ir.IntType(64))


def _compress_by_table(builder, columns, first, mask, indices):
    """The same by a table: of each mask, which lanes it selects, in order. Lanes behind these are stored too."""
    lanes, byte, int32 = columns.count, ir.IntType(8), ir.IntType(32)
    row = ir.ArrayType(byte, lanes)
    rows = [[lane for lane in range(lanes) if bits >> lane & 1] for bits in range(2**lanes)]
    table = ir.Constant(ir.ArrayType(row, len(rows)), [ir.Constant(row, r + [0] * (lanes - len(r))) for r in rows])
    name = f"fastnn_selected_of_{lanes}"
    own = builder.module.globals.get(name) or cgutils.global_constant(builder.module, name, table)
    bits = builder.bitcast(mask, ir.IntType(lanes))
    place = builder.gep(own, [int32(0), builder.zext(bits, int32), int32(0)])
    selected = builder.load(builder.bitcast(place, ir.VectorType(byte, lanes).as_pointer()))
    selected.align = 1
    found = builder.add(builder.zext(selected, columns), splat(builder, first, lanes))
    builder.store(found, builder.bitcast(indices, columns.as_pointer())).align = 4
    return builder.zext(builder.ctpop(bits), ir.IntType(64))
