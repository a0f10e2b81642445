"""The dot tile: a micro-kernel that computes dot products of rows of a with rows of b."""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from fastnn.intrinsics.host import LLVM, VECTOR_BYTES
from fastnn.intrinsics.loop import loop_over_sums
from fastnn.intrinsics.memory import FIRST_LEVEL, emit_masked_load, first_lanes, prefetch
from fastnn.intrinsics.transpose_tile import sum_lanes


def dot_tile(rows: int, columns: int, fetch_rows: bool = False) -> Callable:
    """The micro-kernel for `rows` rows of a and `columns` rows of b, which are columns of the result.

    dot_products(a, a_row, b, b_row, k, sums): sums[r * columns + c] = Σ a[r, i] b[c, i] over i < k.

    `a`, `b` and `sums` are addresses; `a_row` and `b_row` are the elements from one row to the next. Elements within a
    row are contiguous. Nothing is read beyond the first k elements of a row. `sums` is written in full vectors, so that
    it must have room for rows * columns elements rounded up to a multiple of the lanes.

    Each sum is accumulated in a vector register of its own, whose lanes are added up at the end. With `fetch_rows` the
    next `rows` rows of a are prefetched into the first-level cache.
    """

    @intrinsic
    def dot_products(typing_context, a, a_row, b, b_row, k, sums):
        int64 = types.int64
        emit = _DotTile(rows, columns, fetch_rows, a.dtype).generate
        return types.none(a, int64, a, int64, int64, a), emit

    return dot_products


class _DotTile:
    """Emits one dot tile."""

    def __init__(self, rows: int, columns: int, fetch_rows: bool, dtype: types.Float) -> None:
        self.rows, self.columns, self.fetch_rows = rows, columns, fetch_rows
        self.item = dtype.bitwidth // 8
        self.lanes = VECTOR_BYTES // self.item
        self.vector = ir.VectorType(LLVM[dtype], self.lanes)
        self.fused_name = f"llvm.fmuladd.v{self.lanes}f{dtype.bitwidth}"

    def generate(self, context, builder, signature, arguments):
        """The code of one call, inline: sums stay in registers from the first load to the last store."""
        a, a_row, b, b_row, k, sums = arguments
        index = ir.IntType(64)
        kind = ir.FunctionType(self.vector, [self.vector] * 3)
        fused = cgutils.get_or_insert_function(builder.module, kind, self.fused_name)
        zero = ir.Constant(self.vector, None)

        def multiply_add(load):
            """The body of a loop over k that reads vectors with `load`."""

            def body(i, totals):
                b_vectors = [load(b, b_row, c, i) for c in range(self.columns)]
                for r in range(self.rows):
                    if self.fetch_rows:
                        prefetch(builder, address(a, a_row, self.rows + r, i), FIRST_LEVEL)
                    a_vector = load(a, a_row, r, i)
                    for c, b_vector in enumerate(b_vectors):
                        total = r * self.columns + c
                        totals[total] = builder.call(fused, [a_vector, b_vector, totals[total]])
                return totals

            return body

        def address(base, row, r, i):
            offset = builder.add(builder.mul(row, index(r)), i)
            return builder.bitcast(builder.gep(base, [offset]), self.vector.as_pointer())

        def load_full(base, row, r, i):
            value = builder.load(address(base, row, r, i))
            value.align = self.item
            return value

        def load_tail(base, row, r, i):
            mask = first_lanes(builder, self.vector, builder.sub(k, i))
            return emit_masked_load(builder, address(base, row, r, i), mask, zero)

        full = builder.sub(k, builder.srem(k, index(self.lanes)))
        totals = [zero] * (self.rows * self.columns)
        totals = loop_over_sums(builder, index(0), full, self.lanes, totals, multiply_add(load_full))
        totals = loop_over_sums(builder, full, k, self.lanes, totals, multiply_add(load_tail))
        for first in range(0, len(totals), self.lanes):
            group = totals[first : first + self.lanes]
            total = sum_lanes(builder, group + [zero] * (self.lanes - len(group)))
            builder.store(total, address(sums, index(0), 0, index(first))).align = self.item
        return context.get_dummy_value()
