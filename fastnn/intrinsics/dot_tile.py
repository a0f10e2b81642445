"""Dot tiles: micro-kernels that compute dot products of rows of a with rows of b."""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir
from numba.core import cgutils, types

from fastnn.intrinsics.declared import intrinsic
from fastnn.intrinsics.host import LLVM, VECTOR_BYTES
from fastnn.intrinsics.loop import loop_over_sums
from fastnn.intrinsics.memory import FIRST_LEVEL, emit_masked_load, first_lanes, prefetch
from fastnn.intrinsics.transpose_tile import part_of, sum_lanes


def dot_tile(rows: int, columns: int) -> Callable:
    """The micro-kernel for `rows` rows of a and `columns` rows of b, which are columns of the result.

    dot_products(a, a_row, b, b_row, k, sums): sums[r * columns + c] = Σ a[r, i] b[c, i] over i < k.

    `a`, `b` and `sums` are addresses; `a_row` and `b_row` are the elements from one row to the next. Elements within a
    row are contiguous. Nothing is read beyond the first k elements of a row. `sums` is written in full vectors, so that
    it must have room for rows * columns elements rounded up to a multiple of the lanes.

    Each sum is accumulated in a vector register of its own, whose lanes are added up at the end.
    """

    @intrinsic
    def dot_products(typing_context, a, a_row, b, b_row, k, sums):
        int64 = types.int64

        def generate(context, builder, signature, arguments):
            a, a_row, b, b_row, k, sums = arguments
            tile = _DotTile(builder, rows, columns, False, signature.args[0].dtype)
            for v, total in enumerate(tile.added_up(tile.multiply_add(a, a_row, b, b_row, k, tile.zeros))):
                tile.store(total, builder.gep(sums, [ir.IntType(64)(v * tile.lanes)]))
            return context.get_dummy_value()

        return types.none(a, int64, a, int64, int64, a), generate

    return dot_products


def dot_tile_added(rows: int, columns: int, fetch_rows: bool = False) -> Callable:
    """`dot_tile`, whose sums are added to what is there.

    dot_products(a, a_row, b, b_row, k, start, start_row, c, c_row): c[r, j] = start[r, j] + Σ a[r, i] b[j, i] over
    i < k. Nothing is read or written but `columns` elements of each row of start and c. With `fetch_rows` the next
    `rows` rows of a are prefetched into the first-level cache.
    """

    @intrinsic
    def dot_products(typing_context, a, a_row, b, b_row, k, start, start_row, c, c_row):
        int64 = types.int64

        def generate(context, builder, signature, arguments):
            a, a_row, b, b_row, k, *of_sums = arguments
            tile = _DotTile(builder, rows, columns, fetch_rows, signature.args[0].dtype)
            tile.store_sums(tile.multiply_add(a, a_row, b, b_row, k, tile.zeros), *of_sums)
            return context.get_dummy_value()

        return types.none(a, int64, a, int64, int64, a, int64, a, int64), generate

    return dot_products


def dot_tile_of_panels(rows: int, columns: int) -> Callable:
    """The micro-kernel for `rows` rows of a and `columns` rows of a matrix b that is packed in panels.

    dot_products(a, a_row, panels, places, count, k, start, start_row, c, c_row): c[r, j] = start[r, j] + Σ a[r, i]
    b[j, i] over i < k.

    A row of b lies in `count` panels (`linalg/packing.py`). `places` (int64) has two numbers for each: where its part
    of b's first row begins, in elements from the address `panels`, and how wide it is. Nothing is read beyond the first
    k elements of a row, nor read or written but `columns` elements of each row of start and c.
    """

    @intrinsic
    def dot_products(typing_context, a, a_row, panels, places, count, k, start, start_row, c, c_row):
        int64 = types.int64

        def generate(context, builder, signature, arguments):
            a, a_row, panels, places, count, k, *of_sums = arguments
            tile, index = _DotTile(builder, rows, columns, False, signature.args[0].dtype), ir.IntType(64)

            def multiply_add_panel(p, state):
                *totals, own, left = state
                place = builder.gep(places, [builder.add(p, p)])
                width = builder.load(builder.gep(place, [index(1)]))
                used = builder.select(builder.icmp_signed("<", width, left), width, left)
                b = builder.gep(panels, [builder.load(place)])
                totals = tile.multiply_add(own, a_row, b, width, used, totals)
                return [*totals, builder.gep(own, [width]), builder.sub(left, width)]

            state = loop_over_sums(builder, index(0), count, 1, [*tile.zeros, a, k], multiply_add_panel)
            tile.store_sums(state[: len(tile.zeros)], *of_sums)
            return context.get_dummy_value()

        return types.none(a, int64, a, types.CPointer(int64), int64, int64, a, int64, a, int64), generate

    return dot_products


class _DotTile:
    """Emits the parts of one dot tile."""

    def __init__(self, builder, rows: int, columns: int, fetch_rows: bool, dtype: types.Float) -> None:
        self.builder, self.rows, self.columns, self.fetch_rows = builder, rows, columns, fetch_rows
        self.item = dtype.bitwidth // 8
        self.lanes = VECTOR_BYTES // self.item
        self.vector = ir.VectorType(LLVM[dtype], self.lanes)
        kind = ir.FunctionType(self.vector, [self.vector] * 3)
        name = f"llvm.fmuladd.v{self.lanes}f{dtype.bitwidth}"
        self.fused = cgutils.get_or_insert_function(builder.module, kind, name)
        self.zero = ir.Constant(self.vector, None)
        self.zeros = [self.zero] * (rows * columns)

    def multiply_add(self, a, a_row, b, b_row, k, totals: list) -> list:
        """The totals, each in a vector, and the products of the first k elements of the rows: vector by vector, the
        last one masked."""
        builder, index = self.builder, ir.IntType(64)

        def load_full(base, row, r, i):
            value = builder.load(self._address(base, row, r, i))
            value.align = self.item
            return value

        def load_tail(base, row, r, i):
            mask = first_lanes(builder, self.vector, builder.sub(k, i))
            return emit_masked_load(builder, self._address(base, row, r, i), mask, self.zero)

        def body(load):
            def multiply_add(i, totals):
                b_vectors = [load(b, b_row, c, i) for c in range(self.columns)]
                for r in range(self.rows):
                    if self.fetch_rows:
                        prefetch(builder, self._address(a, a_row, self.rows + r, i), FIRST_LEVEL)
                    a_vector = load(a, a_row, r, i)
                    for c, b_vector in enumerate(b_vectors):
                        total = r * self.columns + c
                        totals[total] = builder.call(self.fused, [a_vector, b_vector, totals[total]])
                return totals

            return multiply_add

        full = builder.sub(k, builder.srem(k, index(self.lanes)))
        totals = loop_over_sums(builder, index(0), full, self.lanes, totals, body(load_full))
        return loop_over_sums(builder, full, k, self.lanes, totals, body(load_tail))

    def added_up(self, totals: list) -> list:
        """Vectors of the sums of the lanes of each total, in their order; zeros behind."""
        vectors = []
        for first in range(0, len(totals), self.lanes):
            group = totals[first : first + self.lanes]
            vectors.append(sum_lanes(self.builder, group + [self.zero] * (self.lanes - len(group))))
        return vectors

    def store_sums(self, totals: list, start, start_row, c, c_row) -> None:
        """c[r, j] = start[r, j] + the sum of the lanes of a total, for each row and column of the tile."""
        builder, index, sums = self.builder, ir.IntType(64), self.added_up(totals)
        size = min(self.columns, self.lanes)
        for first in range(0, self.rows * self.columns, size):
            r, j = divmod(first, self.columns)
            before, after = (
                builder.gep(base, [builder.add(builder.mul(row, index(r)), index(j))])
                for base, row in ((start, start_row), (c, c_row))
            )
            part = part_of(builder, sums[first // self.lanes], first % self.lanes, size)
            loaded = builder.load(builder.bitcast(before, part.type.as_pointer()))
            loaded.align = self.item
            self.store(builder.fadd(loaded, part), after)

    def store(self, vector, address) -> None:
        """Store a vector, or a part of one."""
        pointer = self.builder.bitcast(address, vector.type.as_pointer())
        self.builder.store(vector, pointer).align = self.item

    def _address(self, base, row, r: int, i):
        offset = self.builder.add(self.builder.mul(row, ir.IntType(64)(r)), i)
        return self.builder.bitcast(self.builder.gep(base, [offset]), self.vector.as_pointer())
