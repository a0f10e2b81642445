"""The transpose tile: a square matrix, as many rows as a vector has lanes, transposed in registers."""

from __future__ import annotations

from llvmlite import ir
from numba.core import types

from fastnn.intrinsics.declared import intrinsic
from fastnn.intrinsics.host import LLVM, VECTOR_BYTES
from fastnn.intrinsics.memory import emit_masked_load, emit_masked_store, first_lanes


@intrinsic
def transpose_tile(typing_context, source, source_row, target, target_row):
    """target ← the transpose of the tile at `source`.

    `source_row` and `target_row` are the elements from one row to the next.
    """

    def generate(context, builder, signature, arguments):
        source_base, source_row, target_base, target_row = arguments
        vector, item = _vector(source.dtype)
        rows = []
        for k in range(vector.count):
            value = builder.load(_row(builder, source_base, source_row, k, vector))
            value.align = item
            rows.append(value)
        for k, row in enumerate(_transpose(builder, rows)):
            builder.store(row, _row(builder, target_base, target_row, k, vector)).align = item
        return context.get_dummy_value()

    return types.none(source, types.int64, target, types.int64), generate


@intrinsic
def transpose_partial_tile(typing_context, source, source_row, target, target_row, rows, columns):
    """`transpose_tile` of the first `rows` rows and `columns` columns, at most the lanes; nothing else is read or
    written."""

    def generate(context, builder, signature, arguments):
        source_base, source_row, target_base, target_row, height, width = arguments
        vector, _ = _vector(source.dtype)

        def place(base, row, k, n_rows, size):
            """The address of row k and the mask of it: its first `size` lanes if k < n_rows; else row 0, and none.

            To mask a whole vector on a page that may not be there takes x86 a hundred cycles.
            """
            index = ir.IntType(64)
            exists = builder.icmp_signed("<", index(k), n_rows)
            address = builder.gep(base, [builder.select(exists, builder.mul(row, index(k)), index(0))])
            mask = first_lanes(builder, vector, builder.select(exists, size, index(0)))
            return builder.bitcast(address, vector.as_pointer()), mask

        tile = []
        for k in range(vector.count):
            address, mask = place(source_base, source_row, k, height, width)
            tile.append(emit_masked_load(builder, address, mask, ir.Constant(vector, None)))
        for k, row in enumerate(_transpose(builder, tile)):
            address, mask = place(target_base, target_row, k, width, height)
            emit_masked_store(builder, row, address, mask)
        return context.get_dummy_value()

    int64 = types.int64
    return types.none(source, int64, target, int64, int64, int64), generate


def _vector(dtype: types.Float) -> tuple[ir.VectorType, int]:
    item = dtype.bitwidth // 8
    return ir.VectorType(LLVM[dtype], VECTOR_BYTES // item), item


def _row(builder, base, row, k: int, vector: ir.VectorType):
    """The address of row k, `row` elements from one row to the next."""
    return builder.bitcast(builder.gep(base, [builder.mul(row, ir.IntType(64)(k))]), vector.as_pointer())


def _transpose(builder, rows: list) -> list:
    """The columns of the rows: for distances 1, 2, 4, ... each pair of rows swaps its off-diagonal blocks."""
    distance = 1
    while distance < len(rows):
        swapped = list(rows)
        for k in range(len(rows)):
            if not k & distance:
                swapped[k], swapped[k + distance] = _swap_blocks(builder, rows[k], rows[k + distance], distance)
        rows, distance = swapped, 2 * distance
    return rows


def sum_lanes(builder, rows: list):
    """The vector whose lane k is the sum of all lanes of rows[k]. There are as many rows as lanes.

    Every round halves the number of rows: it adds each lane to the one at a certain distance, of two rows at once, the
    sums of one in the lanes where its number has no bit of that distance, of the other in those where it has. The
    largest distance comes first: that takes a blend, which all vector units can do, and a shuffle of the halves.
    """
    lanes = range(len(rows))
    distance = len(rows) // 2
    while distance:
        own = [c + len(lanes) * bool(c & distance) for c in lanes]
        other = [(c ^ distance) + len(lanes) * bool(c & distance) for c in lanes]
        rows = [
            builder.fadd(_shuffle(builder, low, high, own), _shuffle(builder, low, high, other))
            for low, high in zip(rows[:distance], rows[distance:], strict=True)
        ]
        distance //= 2
    return rows[0]


def part_of(builder, vector, first: int, size: int):
    """The `size` lanes of a vector from `first` on, as a vector of their own."""
    return _shuffle(builder, vector, vector, list(range(first, first + size)))


def _swap_blocks(builder, low, high, distance: int) -> tuple:
    """Two rows after they have swapped blocks of `distance` lanes.

    The first gets the lanes c of both rows without `c & distance`: in each pair of blocks its own, then the other's.
    The second gets those with `c & distance`.
    """
    lanes = range(low.type.count)
    first = [c if not c & distance else len(lanes) + c - distance for c in lanes]
    second = [c + distance if not c & distance else len(lanes) + c for c in lanes]
    return _shuffle(builder, low, high, first), _shuffle(builder, low, high, second)


def _shuffle(builder, low, high, lanes: list[int]):
    """The vector of these lanes; those of `high` are numbered after those of `low`."""
    int32 = ir.IntType(32)
    return builder.shuffle_vector(low, high, ir.Constant(ir.VectorType(int32, len(lanes)), [int32(c) for c in lanes]))
