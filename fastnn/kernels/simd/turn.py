"""A square of numbers, as many rows as a vector has lanes, turned over in registers."""

from __future__ import annotations

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from fastnn.kernels.simd.host import LLVM, VECTOR_BYTES


@intrinsic
def turn_square(typing_context, source, source_row, target, target_row):
    """target ← the transpose of a square at `source`; both with so many elements from one row to the next."""

    def generate(context, builder, signature, arguments):
        base, step, out, out_step = arguments
        dtype, index = source.dtype, ir.IntType(64)
        item = dtype.bitwidth // 8
        lanes = VECTOR_BYTES // item
        vector = ir.VectorType(LLVM[dtype], lanes)

        def place(pointer, row_step, k):
            row = builder.gep(pointer, [builder.mul(row_step, index(k))])
            return builder.bitcast(row, vector.as_pointer())

        rows = []
        for k in range(lanes):
            value = builder.load(place(base, step, k))
            value.align = item
            rows.append(value)
        for k, row in enumerate(_turned(builder, rows)):
            builder.store(row, place(out, out_step, k)).align = item
        return context.get_dummy_value()

    return types.none(source, types.int64, target, types.int64), generate


def _turned(builder, rows: list) -> list:
    """The columns of the rows: at distance 1, 2, 4, ... each pair of rows trades the blocks off its diagonal."""
    lanes = len(rows)
    distance = 1
    while distance < lanes:
        traded = list(rows)
        for k in range(lanes):
            if k & distance:
                continue
            low, high = rows[k], rows[k + distance]
            # Lane c of the pair's first row comes from itself where c has not the distance's bit, and from the other
            # row, so far back, where it has.
            first = [c if not c & distance else lanes + c - distance for c in range(lanes)]
            second = [c + distance if not c & distance else lanes + c for c in range(lanes)]
            traded[k], traded[k + distance] = _chosen(builder, low, high, first), _chosen(builder, low, high, second)
        rows, distance = traded, 2 * distance
    return rows


def _chosen(builder, low, high, lanes: list[int]):
    index = ir.IntType(32)
    return builder.shuffle_vector(low, high, ir.Constant(ir.VectorType(index, len(lanes)), [index(c) for c in lanes]))
