"""Loops over the vectors of one row, the last vector masked."""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils, types

from fastnn.intrinsics.declared import intrinsic
from fastnn.intrinsics.host import LLVM, VECTOR_BYTES, splat
from fastnn.intrinsics.memory import emit_masked_load, emit_masked_store, first_lanes


class _RowLoop:
    """Emits loops over the vectors of one row. Lanes beyond the last column are masked."""

    def __init__(self, builder, dtype: types.Float, columns) -> None:
        self.builder, self.columns, self.dtype = builder, columns, dtype
        self.item = dtype.bitwidth // 8
        self.lanes = VECTOR_BYTES // self.item
        self.scalar = LLVM[dtype]
        self.vector = ir.VectorType(self.scalar, self.lanes)
        self.suffix = f"v{self.lanes}f{dtype.bitwidth}"

    def constant(self, value: float):
        return ir.Constant(self.vector, [ir.Constant(self.scalar, value)] * self.lanes)

    def splat(self, element):
        return splat(self.builder, element, self.lanes)

    def run(self, state, body):
        """Emit `state = body(offset, mask, state)` for each vector; returns the final state."""
        builder, index = self.builder, ir.IntType(64)
        before, function = builder.block, builder.function
        loop, after = function.append_basic_block("vectors"), function.append_basic_block("after")
        builder.branch(loop)
        builder.position_at_end(loop)
        offset, current = builder.phi(index), builder.phi(self.vector)
        offset.add_incoming(index(0), before)
        current.add_incoming(state, before)
        mask = first_lanes(builder, self.vector, builder.sub(self.columns, offset))
        updated = body(offset, mask, current)
        following = builder.add(offset, index(self.lanes))
        offset.add_incoming(following, builder.block)
        current.add_incoming(updated, builder.block)
        builder.cbranch(builder.icmp_signed("<", following, self.columns), loop, after)
        builder.position_at_end(after)
        return updated

    def load(self, base, offset, mask, otherwise):
        return emit_masked_load(self.builder, self._address(base, offset), mask, otherwise)

    def store(self, value, base, offset, mask):
        emit_masked_store(self.builder, value, self._address(base, offset), mask)

    def store_full(self, value, base, offset):
        self.builder.store(value, self._address(base, offset)).align = self.item

    def reduce(self, name, *arguments, flags):
        kind = ir.FunctionType(self.scalar, [argument.type for argument in arguments])
        function = cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.vector.reduce.{name}.{self.suffix}")
        return self.builder.call(function, list(arguments), fastmath=flags)

    def _address(self, base, offset):
        return self.builder.bitcast(self.builder.gep(base, [offset]), self.vector.as_pointer())


@intrinsic
def shift_row(typing_context, z, columns, y):
    """y ← z - max(z), for one row z of `columns` elements. y may be z.

    y is padded to full vectors with -infinity. NaN is ignored by the maximum, and stays NaN in y.
    """

    def generate(context, builder, signature, arguments):
        source, columns, target = arguments
        row = _RowLoop(builder, signature.args[0].dtype, columns)
        lowest = row.constant(float("-inf"))

        def larger(offset, mask, largest):
            value = row.load(source, offset, mask, lowest)
            return builder.select(builder.fcmp_ordered(">", value, largest), value, largest)

        largest = row.splat(row.reduce("fmax", row.run(lowest, larger), flags=["nnan"]))

        def shift(offset, mask, state):
            value = builder.fsub(row.load(source, offset, mask, lowest), largest)
            row.store_full(builder.select(mask, value, lowest), target, offset)
            return state

        row.run(lowest, shift)
        return context.get_dummy_value()

    return types.none(z, types.int64, z), generate


@intrinsic
def sum_row(typing_context, y, columns):
    """The sum of the `columns` elements of a row, added in an unspecified order."""

    def generate(context, builder, signature, arguments):
        source, columns = arguments
        row = _RowLoop(builder, signature.args[0].dtype, columns)
        zero = row.constant(0.0)
        total = row.run(zero, lambda offset, mask, total: builder.fadd(total, row.load(source, offset, mask, zero)))
        return row.reduce("fadd", ir.Constant(row.scalar, 0.0), total, flags=["reassoc"])

    return y.dtype(y, types.int64), generate


def _with_scalar(instruction: str):
    """out ← instruction(y, number), for each element of the row y."""

    def generate(context, builder, signature, arguments):
        source, number, columns, target = arguments
        row = _RowLoop(builder, signature.args[0].dtype, columns)
        zero, numbers = row.constant(0.0), row.splat(number)

        def body(offset, mask, state):
            result = getattr(builder, instruction)(row.load(source, offset, mask, zero), numbers)
            row.store(result, target, offset, mask)
            return state

        row.run(zero, body)
        return context.get_dummy_value()

    return generate


@intrinsic
def scale_row(typing_context, y, factor, columns, out):
    """out ← factor y, for one row of `columns` elements. out may be y."""
    return types.none(y, y.dtype, types.int64, y), _with_scalar("fmul")


@intrinsic
def subtract_row(typing_context, y, number, columns, out):
    """out ← y - number, for one row of `columns` elements. out may be y."""
    return types.none(y, y.dtype, types.int64, y), _with_scalar("fsub")
