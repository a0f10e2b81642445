"""Adding products of a few rows to rows of a matrix that a list names."""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from fastnn.intrinsics.host import LLVM, VECTOR_BYTES, splat
from fastnn.intrinsics.loop import loop_over_sums


def sparse_rank_update(rows: int, vectors: int) -> Callable:
    """The micro-kernel for so many rows of a and b, and so many vectors of columns of b and c.

    add(a, a_row, b, b_row, c, c_row, places, count): c[k, :] += sum over r of a[r, k] b[r, :] for the k that the
    first `count` places (int32) name, each once.
    Arguments are addresses, and steps in elements from one row to the next. The rows of b stay in registers.
    """

    @intrinsic
    def add(typing_context, a, a_row, b, b_row, c, c_row, places, count):
        step = types.int64
        signature = types.none(a, step, a, step, a, step, types.CPointer(types.int32), step)
        return signature, _Add(rows, vectors, a.dtype).generate

    return add


class _Add:
    """Emits one micro-kernel."""

    def __init__(self, rows: int, vectors: int, dtype: types.Float) -> None:
        self.rows, self.vectors = rows, vectors
        self.item = dtype.bitwidth // 8
        self.lanes = VECTOR_BYTES // self.item
        self.vector = ir.VectorType(LLVM[dtype], self.lanes)
        self.fused_name = f"llvm.fmuladd.v{self.lanes}f{dtype.bitwidth}"

    def generate(self, context, builder, signature, arguments):
        a, a_row, b, b_row, c, c_row, places, count = arguments
        index = ir.IntType(64)
        kind = ir.FunctionType(self.vector, [self.vector] * 3)
        fused = cgutils.get_or_insert_function(builder.module, kind, self.fused_name)

        def place(base, row, v: int):
            return builder.bitcast(builder.gep(base, [builder.add(row, index(v * self.lanes))]), kept)

        def load(base, row, v: int):
            value = builder.load(place(base, row, v))
            value.align = self.item
            return value

        kept = self.vector.as_pointer()
        steps = [builder.mul(b_row, index(r)) for r in range(self.rows)]
        bs = [[load(b, step, v) for v in range(self.vectors)] for step in steps]
        rows = [builder.gep(a, [builder.mul(a_row, index(r))]) for r in range(self.rows)]

        def body(at, nothing):
            k = builder.zext(builder.load(builder.gep(places, [at])), index)
            row = builder.mul(k, c_row)
            totals = [ir.Constant(self.vector, None)] * self.vectors
            for r in range(self.rows):
                element = splat(builder, builder.load(builder.gep(rows[r], [k])), self.lanes)
                totals = [builder.call(fused, [element, bs[r][v], total]) for v, total in enumerate(totals)]
            for v, total in enumerate(totals):
                # Last, so that a weight to which a gradient is added is rounded once, and not once for each row.
                total = builder.fadd(load(c, row, v), total)
                builder.store(total, place(c, row, v)).align = self.item
            return nothing

        loop_over_sums(builder, index(0), count, 1, [], body)
        return context.get_dummy_value()
