"""Products along rows of two matrices: a micro-kernel for results of few columns."""

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
    """The micro-kernel for so many rows of a and of b.

    products(a, a_row, b, b_row, k, sums): sums[r columns + c] = the sum over k of a[r, k] b[c, k].
    Arguments are addresses, and steps in elements from one row to the next; neighbours in a row lie side by side. A sum
    has a vector to itself, whose lanes are added up at last. Nothing is read beyond k; `sums` is written in whole
    vectors. With `fetch_rows` as many rows of a behind these are fetched into the first-level cache.
    """

    @intrinsic
    def products(typing_context, a, a_row, b, b_row, k, sums):
        step = types.int64
        emit = _Products(rows, columns, fetch_rows, a.dtype).generate
        return types.none(a, step, a, step, step, a), emit

    return products


class _Products:
    """Emits one micro-kernel."""

    def __init__(self, rows: int, columns: int, fetch_rows: bool, dtype: types.Float) -> None:
        self.rows, self.columns, self.fetch_rows = rows, columns, fetch_rows
        self.item = dtype.bitwidth // 8
        self.lanes = VECTOR_BYTES // self.item
        self.vector = ir.VectorType(LLVM[dtype], self.lanes)
        self.fused_name = f"llvm.fmuladd.v{self.lanes}f{dtype.bitwidth}"

    def generate(self, context, builder, signature, arguments):
        """The code of one call: all of it in line, registers from the first load to the last store."""
        a, a_row, b, b_row, k, sums = arguments
        index = ir.IntType(64)
        kind = ir.FunctionType(self.vector, [self.vector] * 3)
        fused = cgutils.get_or_insert_function(builder.module, kind, self.fused_name)
        zero = ir.Constant(self.vector, None)

        def step(load):
            def add(at, totals):
                bs = [load(b, b_row, c, at) for c in range(self.columns)]
                for r in range(self.rows):
                    if self.fetch_rows:
                        prefetch(builder, place(a, a_row, self.rows + r, at), FIRST_LEVEL)
                    own = load(a, a_row, r, at)
                    for c, other in enumerate(bs):
                        total = r * self.columns + c
                        totals[total] = builder.call(fused, [own, other, totals[total]])
                return totals

            return add

        def place(base, row, r, at):
            offset = builder.add(builder.mul(row, index(r)), at)
            return builder.bitcast(builder.gep(base, [offset]), self.vector.as_pointer())

        def whole(base, row, r, at):
            value = builder.load(place(base, row, r, at))
            value.align = self.item
            return value

        def part(base, row, r, at):
            mask = first_lanes(builder, self.vector, builder.sub(k, at))
            return emit_masked_load(builder, place(base, row, r, at), mask, zero)

        full = builder.sub(k, builder.srem(k, index(self.lanes)))
        totals = [zero] * (self.rows * self.columns)
        totals = loop_over_sums(builder, index(0), full, self.lanes, totals, step(whole))
        totals = loop_over_sums(builder, full, k, self.lanes, totals, step(part))
        for first in range(0, len(totals), self.lanes):
            some = totals[first : first + self.lanes]
            total = sum_lanes(builder, some + [zero] * (self.lanes - len(some)))
            builder.store(total, place(sums, index(0), 0, index(first))).align = self.item
        return context.get_dummy_value()
