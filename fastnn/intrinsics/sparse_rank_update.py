"""The rank update of selected rows: products of a few rows are added to the active rows of a matrix."""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir
from numba.core import cgutils, types

from fastnn.intrinsics.declared import intrinsic
from fastnn.intrinsics.host import LLVM, VECTOR_BYTES, splat
from fastnn.intrinsics.loop import loop_over_sums


def sparse_rank_update(rows: int, vectors: int) -> Callable:
    """The micro-kernel for `rows` rows of a and b, and `vectors` vectors of columns of b and c.

    update(a, a_row, b, b_row, c, c_row, indices, n_indices): c[k, :] += Σ a[r, k] b[r, :] over r, for each k in the
    first `n_indices` of `indices` (int32), which are distinct.

    Arguments are addresses; `a_row`, `b_row` and `c_row` are the elements from one row to the next. The rows of b stay
    in registers.
    """

    @intrinsic
    def update(typing_context, a, a_row, b, b_row, c, c_row, indices, n_indices):
        int64 = types.int64
        signature = types.none(a, int64, a, int64, a, int64, types.CPointer(types.int32), int64)
        return signature, _RankUpdate(rows, vectors, a.dtype).generate

    return update


class _RankUpdate:
    """Emits one micro-kernel."""

    def __init__(self, rows: int, vectors: int, dtype: types.Float) -> None:
        self.rows, self.vectors = rows, vectors
        self.item = dtype.bitwidth // 8
        self.lanes = VECTOR_BYTES // self.item
        self.vector = ir.VectorType(LLVM[dtype], self.lanes)
        self.fused_name = f"llvm.fmuladd.v{self.lanes}f{dtype.bitwidth}"

    def generate(self, context, builder, signature, arguments):
        a, a_row, b, b_row, c, c_row, indices, n_indices = arguments
        index = ir.IntType(64)
        kind = ir.FunctionType(self.vector, [self.vector] * 3)
        fused = cgutils.get_or_insert_function(builder.module, kind, self.fused_name)

        def address(base, row, v: int):
            return builder.bitcast(builder.gep(base, [builder.add(row, index(v * self.lanes))]), pointer)

        def load(base, row, v: int):
            value = builder.load(address(base, row, v))
            value.align = self.item
            return value

        pointer = self.vector.as_pointer()
        b_rows = [builder.mul(b_row, index(r)) for r in range(self.rows)]
        b_vectors = [[load(b, row, v) for v in range(self.vectors)] for row in b_rows]
        a_rows = [builder.gep(a, [builder.mul(a_row, index(r))]) for r in range(self.rows)]

        def body(i, no_sums):
            k = builder.zext(builder.load(builder.gep(indices, [i])), index)
            row = builder.mul(k, c_row)
            totals = [ir.Constant(self.vector, None)] * self.vectors
            for r in range(self.rows):
                element = splat(builder, builder.load(builder.gep(a_rows[r], [k])), self.lanes)
                totals = [builder.call(fused, [element, b_vectors[r][v], total]) for v, total in enumerate(totals)]
            for v, total in enumerate(totals):
                # `c` comes last: a weight that a gradient is added to is then rounded once, not once per row of a.
                total = builder.fadd(load(c, row, v), total)
                builder.store(total, address(c, row, v)).align = self.item
            return no_sums

        loop_over_sums(builder, index(0), n_indices, 1, [], body)
        return context.get_dummy_value()
