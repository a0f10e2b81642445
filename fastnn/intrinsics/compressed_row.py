"""Products with one compressed row: the values that it stores, each with the row of a matrix that is its column's."""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir
from numba.core import cgutils, types

from fastnn.intrinsics.declared import intrinsic
from fastnn.intrinsics.host import LLVM, VECTOR_BYTES, splat
from fastnn.intrinsics.loop import loop_over_sums

# Values whose products have sums of their own: a sum waits four cycles for its last addition.
_SETS = 4


def compressed_row_product(vectors: int) -> Callable:
    """The micro-kernel for `vectors` vectors of columns of b and c.

    product(values, columns, first, last, b, b_row, start, c): c[:] = start[:] + Σ values[i] b[columns[i], :] over i
    from `first` to `last`.

    Arguments are addresses, `columns` of int32; `b_row` is the elements from one row of b to the next. All sums stay in
    registers.
    """

    @intrinsic
    def product(typing_context, values, columns, first, last, b, b_row, start, c):
        int64, int32s = types.int64, types.CPointer(types.int32)
        signature = types.none(values, int32s, int64, int64, values, int64, values, values)
        return signature, _CompressedRow(vectors, values.dtype).product

    return product


def compressed_row_update(vectors: int) -> Callable:
    """The micro-kernel for `vectors` vectors of columns of c.

    update(values, columns, first, last, d, c, c_row): c[columns[i], :] += values[i] d[:] for i from `first` to `last`.
    The columns are distinct. d stays in registers.
    """

    @intrinsic
    def update(typing_context, values, columns, first, last, d, c, c_row):
        int64, int32s = types.int64, types.CPointer(types.int32)
        signature = types.none(values, int32s, int64, int64, values, values, int64)
        return signature, _CompressedRow(vectors, values.dtype).update

    return update


class _CompressedRow:
    """Emits one micro-kernel."""

    def __init__(self, vectors: int, dtype: types.Float) -> None:
        self.vectors, self.item = vectors, dtype.bitwidth // 8
        self.lanes = VECTOR_BYTES // self.item
        self.vector = ir.VectorType(LLVM[dtype], self.lanes)
        self.fused_name = f"llvm.fmuladd.v{self.lanes}f{dtype.bitwidth}"

    def product(self, context, builder, signature, arguments):
        values, columns, first, last, b, b_row, start, c = arguments
        index, zero = ir.IntType(64), ir.Constant(self.vector, None)

        def multiply_add(unrolled):
            def body(i, sums):
                for u in range(unrolled):
                    value, row = self._element(builder, values, columns, builder.add(i, index(u)), b_row)
                    for v in range(self.vectors):
                        s = u * self.vectors + v
                        sums[s] = self._fused(builder, value, self._load(builder, b, row, v), sums[s])
                return sums

            return body

        size = builder.sub(last, first)
        full = builder.sub(last, builder.srem(size, index(_SETS)))
        sums = loop_over_sums(builder, first, full, _SETS, [zero] * (_SETS * self.vectors), multiply_add(_SETS))
        sums = loop_over_sums(builder, full, last, 1, sums, multiply_add(1))
        for v in range(self.vectors):
            total, *others = sums[v :: self.vectors]
            for other in others:
                total = builder.fadd(total, other)
            total = builder.fadd(self._load(builder, start, index(0), v), total)
            builder.store(total, self._address(builder, c, index(0), v)).align = self.item
        return context.get_dummy_value()

    def update(self, context, builder, signature, arguments):
        values, columns, first, last, d, c, c_row = arguments
        d_vectors = [self._load(builder, d, ir.IntType(64)(0), v) for v in range(self.vectors)]

        def body(i, no_sums):
            value, row = self._element(builder, values, columns, i, c_row)
            for v, d_vector in enumerate(d_vectors):
                total = self._fused(builder, value, d_vector, self._load(builder, c, row, v))
                builder.store(total, self._address(builder, c, row, v)).align = self.item
            return no_sums

        loop_over_sums(builder, first, last, 1, [], body)
        return context.get_dummy_value()

    def _element(self, builder, values, columns, i, row):
        """The i-th value in all lanes, and where the row of its column begins."""
        column = builder.zext(builder.load(builder.gep(columns, [i])), ir.IntType(64))
        return splat(builder, builder.load(builder.gep(values, [i])), self.lanes), builder.mul(column, row)

    def _fused(self, builder, a, b, c):
        kind = ir.FunctionType(self.vector, [self.vector] * 3)
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, self.fused_name), [a, b, c])

    def _address(self, builder, base, row, v: int):
        element = builder.gep(base, [builder.add(row, ir.IntType(64)(v * self.lanes))])
        return builder.bitcast(element, self.vector.as_pointer())

    def _load(self, builder, base, row, v: int):
        value = builder.load(self._address(builder, base, row, v))
        value.align = self.item
        return value
