"""A vector register as a type of Numba: +, -, * and / on all its lanes at once.

For loops in which an instruction is wanted that LLVM does not choose on its own. A product whose only use is a sum is
fused with it. Vectors live inside one kernel: they are loaded from addresses and stored there.
"""

from __future__ import annotations

import operator
from collections.abc import Callable

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.typing.templates import AbstractTemplate, infer_global
from numba.extending import intrinsic, lower_builtin, models, register_model

from fastnn.intrinsics.host import LLVM, VECTOR_BYTES, splat
from fastnn.intrinsics.memory import emit_masked_load, emit_masked_store, first_lanes


class Vector(types.Type):
    """As many float32 or float64 as fill a register."""

    def __init__(self, dtype: types.Float) -> None:
        self.dtype, self.lanes = dtype, VECTOR_BYTES * 8 // dtype.bitwidth
        super().__init__(f"vector({dtype} x {self.lanes})")

    @property
    def llvm(self) -> ir.VectorType:
        return ir.VectorType(LLVM[self.dtype], self.lanes)


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager, vector: Vector) -> None:
        super().__init__(manager, vector, vector.llvm)


def _operator(symbol, instruction: str) -> None:
    @infer_global(symbol)
    class Typing(AbstractTemplate):
        def generic(self, arguments, keywords):
            if len(arguments) == 2 and isinstance(arguments[0], Vector) and arguments[0] == arguments[1]:
                return arguments[0](*arguments)
            return None

    @lower_builtin(symbol, Vector, Vector)
    def generate(context, builder, signature, arguments):
        return getattr(builder, instruction)(*arguments, flags=["contract"])


for _symbol, _instruction in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _operator(_symbol, _instruction)


def _place(builder, pointer, vector: Vector):
    return builder.bitcast(pointer, vector.llvm.as_pointer())


@intrinsic
def load(typing_context, pointer):
    """The vector that begins at an address."""
    vector = Vector(pointer.dtype)

    def generate(context, builder, signature, arguments):
        value = builder.load(_place(builder, arguments[0], vector))
        value.align = vector.dtype.bitwidth // 8
        return value

    return vector(pointer), generate


@intrinsic
def store(typing_context, vector, pointer):
    """Write a vector from an address on."""

    def generate(context, builder, signature, arguments):
        builder.store(arguments[0], _place(builder, arguments[1], vector)).align = vector.dtype.bitwidth // 8
        return context.get_dummy_value()

    return types.none(vector, pointer), generate


@intrinsic
def masked_load(typing_context, pointer, count):
    """A vector whose first `count` lanes are read from an address; the others are 0, and nothing behind is read."""
    vector = Vector(pointer.dtype)

    def generate(context, builder, signature, arguments):
        place, mask = _place(builder, arguments[0], vector), first_lanes(builder, vector.llvm, arguments[1])
        return emit_masked_load(builder, place, mask, ir.Constant(vector.llvm, None))

    return vector(pointer, types.int64), generate


@intrinsic
def masked_store(typing_context, vector, pointer, count):
    """Write the first `count` lanes of a vector from an address on, and nothing behind."""

    def generate(context, builder, signature, arguments):
        place, mask = _place(builder, arguments[1], vector), first_lanes(builder, vector.llvm, arguments[2])
        emit_masked_store(builder, arguments[0], place, mask)
        return context.get_dummy_value()

    return types.none(vector, pointer, types.int64), generate


@intrinsic
def broadcast(typing_context, value):
    """A vector with the number in each lane."""
    vector = Vector(value)

    def generate(context, builder, signature, arguments):
        return splat(builder, arguments[0], vector.lanes)

    return vector(value), generate


@intrinsic
def square_root_times(typing_context, vector, factor):
    """√v factor, at most 2 units in the last place off, its last product fused with a sum; NaN below 0.

    The factor is not negative. AVX-512 looks up 1/√v to 14 bits. Newton's iteration makes more of them, in half the
    time that the square root takes, and leaves the divider to whoever divides by it. The factor is part of the
    iteration, at no cost.
    """

    def generate(context, builder, signature, arguments):
        return _SquareRoot(builder, vector).times(*arguments)

    return vector(vector, vector), generate


class _SquareRoot:
    """Emits the product of a square root and a factor."""

    def __init__(self, builder, vector: Vector) -> None:
        self.builder, self.vector = builder, vector
        self.suffix = "ps" if vector.dtype == types.float32 else "pd"

    def times(self, v, factor):
        vector, builder = self.vector, self.builder
        if VECTOR_BYTES < 64:
            root = self._call(f"llvm.sqrt.v{vector.lanes}f{vector.dtype.bitwidth}", vector.llvm, v)
            return self._product(root, factor)
        mask = ir.IntType(vector.lanes)
        inverse = self._call(f"llvm.x86.avx512.rsqrt14.{self.suffix}.512", vector.llvm, v, v, mask(-1))
        # Of 0 and infinity that is infinite and 0, and their product NaN: brought within bounds it gives the root.
        # (AMD's Zen 4 compares in its multipliers, but bounds in its adders.)
        least = 1e-30 if vector.dtype == types.float32 else 1e-300
        inverse = self._at_least(least, self._at_most(1 / least, inverse))
        if vector.dtype == types.float64:
            # To 28 bits; the last iteration, below, is for the root itself.
            better = self._plus(inverse, self._half(inverse), self._rest(builder.fmul(v, inverse), inverse))
            inverse = self._at_least(least, better)
        # v r (1 + (1 - v r²) / 2), whose last factor is positive but where v is infinite.
        root = builder.fmul(v, inverse)
        factor = self._plus(factor, self._half(factor), self._rest(root, inverse))
        factor = self._call(f"llvm.fabs.v{vector.lanes}f{vector.dtype.bitwidth}", vector.llvm, factor)
        return self._product(root, factor)

    def _rest(self, a, b):
        """1 - a b."""
        return self.builder.fsub(self._constant(1.0), self._product(a, b), flags=["contract"])

    def _call(self, name: str, result, *arguments):
        kind = ir.FunctionType(result, [argument.type for argument in arguments])
        return self.builder.call(cgutils.get_or_insert_function(self.builder.module, kind, name), arguments)

    def _constant(self, value: float):
        vector = self.vector
        return ir.Constant(vector.llvm, [ir.Constant(LLVM[vector.dtype], value)] * vector.lanes)

    # NaN is in no such relation, and stays.
    def _at_most(self, limit: float, a):
        return self._instead_where(">", self._constant(limit), a)

    def _at_least(self, limit: float, a):
        return self._instead_where("<", self._constant(limit), a)

    def _instead_where(self, relation: str, limit, a):
        return self.builder.select(self.builder.fcmp_ordered(relation, a, limit), limit, a)

    def _product(self, a, b):
        """a b, to be fused with a sum."""
        return self.builder.fmul(a, b, flags=["contract"])

    def _half(self, a):
        return self.builder.fmul(a, self._constant(0.5))

    def _plus(self, c, a, b):
        """c + a b."""
        return self.builder.fadd(c, self._product(a, b), flags=["contract"])


@intrinsic
def load_each(typing_context, pointers, index):
    """The vectors that begin `index` elements behind each address of a tuple, as a tuple."""
    vectors = [Vector(pointer.dtype) for pointer in pointers.types]

    def generate(context, builder, signature, arguments):
        values = []
        for k, vector in enumerate(vectors):
            base = builder.gep(builder.extract_value(arguments[0], k), [arguments[1]])
            value = builder.load(_place(builder, base, vector))
            value.align = vector.dtype.bitwidth // 8
            values.append(value)
        return context.make_tuple(builder, signature.return_type, values)

    return types.Tuple.from_types(vectors)(pointers, types.int64), generate


@intrinsic
def store_each(typing_context, vectors, pointers, index):
    """Write each vector of a tuple `index` elements behind the address of that place."""

    def generate(context, builder, signature, arguments):
        for k, vector in enumerate(signature.args[0].types):
            base = builder.gep(builder.extract_value(arguments[1], k), [arguments[2]])
            value = builder.extract_value(arguments[0], k)
            builder.store(value, _place(builder, base, vector)).align = vector.dtype.bitwidth // 8
        return context.get_dummy_value()

    return types.none(vectors, pointers, types.int64), generate


@intrinsic
def masked_load_each(typing_context, pointers, index, count):
    """`load_each` of the first `count` lanes; the others are 0, and nothing behind is read."""
    vectors = [Vector(pointer.dtype) for pointer in pointers.types]

    def generate(context, builder, signature, arguments):
        values = []
        for k, vector in enumerate(vectors):
            base = builder.gep(builder.extract_value(arguments[0], k), [arguments[1]])
            mask = first_lanes(builder, vector.llvm, arguments[2])
            values.append(
                emit_masked_load(builder, _place(builder, base, vector), mask, ir.Constant(vector.llvm, None))
            )
        return context.make_tuple(builder, signature.return_type, values)

    return types.Tuple.from_types(vectors)(pointers, types.int64, types.int64), generate


@intrinsic
def masked_store_each(typing_context, vectors, pointers, index, count):
    """`store_each` of the first `count` lanes."""

    def generate(context, builder, signature, arguments):
        for k, vector in enumerate(signature.args[0].types):
            base = builder.gep(builder.extract_value(arguments[1], k), [arguments[2]])
            mask = first_lanes(builder, vector.llvm, arguments[3])
            emit_masked_store(builder, builder.extract_value(arguments[0], k), _place(builder, base, vector), mask)
        return context.get_dummy_value()

    return types.none(vectors, pointers, types.int64, types.int64), generate


def broadcast_each(first: int, count: int) -> Callable:
    """vectors(numbers, like): a tuple of `count` vectors in the precision of the address `like`, each with one of the
    float64 at `numbers`, from the one with index `first` on, in all its lanes. A finite number beyond the range of that
    precision becomes one of its largest, so that times zero it is zero."""

    @intrinsic
    def vectors(typing_context, numbers, like):
        vector = Vector(like.dtype)
        # With room for a factor of 3.
        largest = 1e38 if vector.dtype == types.float32 else 1e307

        def generate(context, builder, signature, arguments):
            limit, infinity = ir.Constant(ir.DoubleType(), largest), ir.Constant(ir.DoubleType(), float("inf"))
            values = []
            for k in range(first, first + count):
                number = builder.load(builder.gep(arguments[0], [ir.IntType(64)(k)]))
                beyond = builder.and_(
                    builder.fcmp_ordered(">", number, limit), builder.fcmp_ordered("!=", number, infinity)
                )
                number = builder.select(beyond, limit, number)
                number = context.cast(builder, number, types.float64, vector.dtype)
                values.append(splat(builder, number, vector.lanes))
            return context.make_tuple(builder, signature.return_type, values)

        return types.UniTuple(vector, count)(numbers, like), generate

    return vectors
