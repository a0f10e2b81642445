"""A square of numbers, as many rows as a vector has lanes, turned over in registers."""

from __future__ import annotations

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from fastnn.intrinsics.host import LLVM, VECTOR_BYTES
from fastnn.intrinsics.memory import emit_masked_load, emit_masked_store, first_lanes


@intrinsic
def transpose_square(typing_context, source, source_row, target, target_row):
    """target ← the transpose of a square at `source`; both with so many elements from one row to the next."""

    def generate(context, builder, signature, arguments):
        base, step, out, out_step = arguments
        vector, item = _vector(source.dtype)
        rows = []
        for k in range(vector.count):
            value = builder.load(_row(builder, base, step, k, vector))
            value.align = item
            rows.append(value)
        for k, row in enumerate(_turned(builder, rows)):
            builder.store(row, _row(builder, out, out_step, k, vector)).align = item
        return context.get_dummy_value()

    return types.none(source, types.int64, target, types.int64), generate


@intrinsic
def transpose_partial_square(typing_context, source, source_row, target, target_row, rows, columns):
    """The same for so many rows and columns, at most a square of them; nothing else is read or written."""

    def generate(context, builder, signature, arguments):
        base, step, out, out_step, height, width = arguments
        vector, _ = _vector(source.dtype)

        def mask(k, among, count):
            """The first `count` lanes where k is below `among`, else none."""
            index = ir.IntType(64)
            return first_lanes(
                builder, vector, builder.select(builder.icmp_signed("<", index(k), among), count, index(0))
            )

        rows = []
        for k in range(vector.count):
            place = _row(builder, base, step, k, vector)
            rows.append(emit_masked_load(builder, place, mask(k, height, width), ir.Constant(vector, None)))
        for k, row in enumerate(_turned(builder, rows)):
            emit_masked_store(builder, row, _row(builder, out, out_step, k, vector), mask(k, width, height))
        return context.get_dummy_value()

    step = types.int64
    return types.none(source, step, target, step, step, step), generate


def _vector(dtype: types.Float) -> tuple[ir.VectorType, int]:
    item = dtype.bitwidth // 8
    return ir.VectorType(LLVM[dtype], VECTOR_BYTES // item), item


def _row(builder, base, step, k: int, vector: ir.VectorType):
    return builder.bitcast(builder.gep(base, [builder.mul(step, ir.IntType(64)(k))]), vector.as_pointer())


def _turned(builder, rows: list) -> list:
    """The columns of the rows: at distance 1, 2, 4, ... each pair of rows trades the blocks off its diagonal."""
    distance = 1
    while distance < len(rows):
        traded = list(rows)
        for k in range(len(rows)):
            if not k & distance:
                traded[k], traded[k + distance] = _trade(builder, rows[k], rows[k + distance], distance)
        rows, distance = traded, 2 * distance
    return rows


def sum_lanes(builder, rows: list):
    """In its k-th lane the sum of all lanes of the k-th row, of as many rows as there are lanes: what two rows trade is
    added up at once, which leaves half as many."""
    distance = 1
    while len(rows) > 1:
        rows = [builder.fadd(*_trade(builder, *rows[k : k + 2], distance)) for k in range(0, len(rows), 2)]
        distance *= 2
    return rows[0]


def _trade(builder, low, high, distance: int) -> tuple:
    """Two rows that have traded blocks of so many lanes: the first has those without the distance's bit, its own and
    then the other's; the second has those with it."""
    lanes = range(low.type.count)
    first = [c if not c & distance else len(lanes) + c - distance for c in lanes]
    second = [c + distance if not c & distance else len(lanes) + c for c in lanes]
    return _chosen(builder, low, high, first), _chosen(builder, low, high, second)


def _chosen(builder, low, high, lanes: list[int]):
    index = ir.IntType(32)
    return builder.shuffle_vector(low, high, ir.Constant(ir.VectorType(index, len(lanes)), [index(c) for c in lanes]))
