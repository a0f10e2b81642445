"""A Numba type for a vector register, with +, -, * and / on all lanes at once.

It is for loops that need an instruction which LLVM's vectoriser does not choose by itself. A product that is only added
to something becomes a fused multiply-add. Vectors exist within one kernel: they are loaded from addresses and stored
there. A number beside a vector stands for the vector that holds it in each lane, in the vector's precision.
"""

from __future__ import annotations

import operator
from collections.abc import Callable

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.errors import TypingError
from numba.core.imputils import lower_cast
from numba.core.typing.templates import AbstractTemplate, infer_global
from numba.extending import lower_builtin, models, register_model

from fastnn.intrinsics.declared import intrinsic
from fastnn.intrinsics.host import LLVM, VECTOR_BYTES, splat
from fastnn.intrinsics.memory import emit_masked_load, emit_masked_store, first_lanes


class Vector(types.Type):
    """The type of a full vector register of float32 or float64."""

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


@lower_cast(types.Integer, Vector)
@lower_cast(types.Float, Vector)
def _cast(context, builder, source, vector, value):
    return splat(builder, context.cast(builder, value, source, vector.dtype), vector.lanes)


def _common(arguments) -> Vector | None:
    """The type of the vectors among arguments that are vectors, all of one type, and numbers; None for others."""
    vectors = {kind for kind in arguments if isinstance(kind, Vector)}
    others = (kind for kind in arguments if not isinstance(kind, Vector))
    numbers = all(isinstance(kind, (types.Integer, types.Float)) for kind in others)
    return vectors.pop() if len(vectors) == 1 and numbers else None


def _signature(*arguments):
    """Of an intrinsic of such arguments that returns a vector; None for others."""
    vector = _common(arguments)
    return None if vector is None else vector(*[vector] * len(arguments))


def _operator(symbol, instruction: str) -> None:
    @infer_global(symbol)
    class Typing(AbstractTemplate):
        def generic(self, arguments, keywords):
            return _signature(*arguments) if len(arguments) == 2 else None

    @lower_builtin(symbol, Vector, Vector)
    def generate(context, builder, signature, arguments):
        return getattr(builder, instruction)(*arguments, flags=["contract"])


for _symbol, _in_place, _instruction in (
    (operator.add, operator.iadd, "fadd"),
    (operator.sub, operator.isub, "fsub"),
    (operator.mul, operator.imul, "fmul"),
    (operator.truediv, operator.itruediv, "fdiv"),
):
    _operator(_symbol, _instruction)
    _operator(_in_place, _instruction)


@infer_global(operator.neg)
class _Negation(AbstractTemplate):
    def generic(self, arguments, keywords):
        return _signature(*arguments) if len(arguments) == 1 else None


@lower_builtin(operator.neg, Vector)
def _negated(context, builder, signature, arguments):
    return builder.fneg(arguments[0])


def _address(builder, pointer, vector: Vector):
    return builder.bitcast(pointer, vector.llvm.as_pointer())


@intrinsic
def load(typing_context, pointer):
    """Load the vector at the address `pointer`, which need not be aligned."""
    vector = Vector(pointer.dtype)

    def generate(context, builder, signature, arguments):
        value = builder.load(_address(builder, arguments[0], vector))
        value.align = vector.dtype.bitwidth // 8
        return value

    return vector(pointer), generate


@intrinsic
def store(typing_context, vector, pointer):
    """Store a vector at the address `pointer`, which need not be aligned."""

    def generate(context, builder, signature, arguments):
        builder.store(arguments[0], _address(builder, arguments[1], vector)).align = vector.dtype.bitwidth // 8
        return context.get_dummy_value()

    return types.none(vector, pointer), generate


@intrinsic
def masked_load(typing_context, pointer, size):
    """Load the first `size` elements at the address `pointer`; nothing beyond is read, and the other lanes are zero."""
    vector = Vector(pointer.dtype)

    def generate(context, builder, signature, arguments):
        address, mask = _address(builder, arguments[0], vector), first_lanes(builder, vector.llvm, arguments[1])
        return emit_masked_load(builder, address, mask, ir.Constant(vector.llvm, None))

    return vector(pointer, types.int64), generate


@intrinsic
def masked_store(typing_context, vector, pointer, size):
    """Store the first `size` lanes of a vector at the address `pointer`; nothing beyond is written."""

    def generate(context, builder, signature, arguments):
        address, mask = _address(builder, arguments[1], vector), first_lanes(builder, vector.llvm, arguments[2])
        emit_masked_store(builder, arguments[0], address, mask)
        return context.get_dummy_value()

    return types.none(vector, pointer, types.int64), generate


@intrinsic
def broadcast(typing_context, value):
    """The vector that holds `value` in each lane."""
    vector = Vector(value)

    def generate(context, builder, signature, arguments):
        return splat(builder, arguments[0], vector.lanes)

    return vector(value), generate


def _call_intrinsic(builder, name: str, vector: Vector, *arguments):
    """The LLVM intrinsic of that name, on vectors."""
    kind = ir.FunctionType(vector.llvm, [vector.llvm] * len(arguments))
    full_name = f"llvm.{name}.v{vector.lanes}f{vector.dtype.bitwidth}"
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, full_name), arguments)


@intrinsic
def maximum(typing_context, a, b):
    """The larger one in each lane; NaN where either is NaN, as `np.maximum` has it.

    a, b : vectors of one type, or one of them a number. Returns a vector of that type.
    """

    signature = _signature(a, b)
    if signature is None:
        return None

    def generate(context, builder, signature, arguments):
        return _call_intrinsic(builder, "maximum", signature.return_type, *arguments)

    return signature, generate


@intrinsic
def absolute(typing_context, a):
    """|a| in each lane; NaN where a is NaN.

    a : a vector. Returns a vector of its type.
    """

    def generate(context, builder, signature, arguments):
        return _call_intrinsic(builder, "fabs", a, *arguments)

    return (a(a), generate) if isinstance(a, Vector) else None


@intrinsic
def sign(typing_context, a):
    """1, -1 or 0 in each lane; NaN stays NaN, as `np.sign` has it.

    a : a vector. Returns a vector of its type.
    """

    def generate(context, builder, signature, arguments):
        (value,) = arguments
        zero = ir.Constant(a.llvm, None)
        for relation, limit in ((">", 1.0), ("<", -1.0)):
            constant = ir.Constant(a.llvm, [ir.Constant(LLVM[a.dtype], limit)] * a.lanes)
            value = builder.select(builder.fcmp_ordered(relation, arguments[0], zero), constant, value)
        return value

    return (a(a), generate) if isinstance(a, Vector) else None


@intrinsic
def where_greater(typing_context, a, b, x, y):
    """x in the lanes where a > b, and y in the others, also where a or b is NaN.

    a, b, x, y : vectors of one type, or numbers beside at least one vector. Returns a vector of that type.
    """

    def generate(context, builder, signature, arguments):
        first, second, chosen, other = arguments
        return builder.select(builder.fcmp_ordered(">", first, second), chosen, other)

    signature = _signature(a, b, x, y)
    return None if signature is None else (signature, generate)


@intrinsic
def square_root_times(typing_context, vector, factor):
    """factor √v of a vector v, to within 2 units in the last place; NaN for v < 0. The factor must not be negative.

    vector, factor : vectors of one type, or one of them a number. Returns a vector of that type. If the result is only
    added to something, its last product is fused with that sum.

    AVX-512 approximates 1/√v to 14 bits, and Newton's iteration refines it. That takes half the time of the square root
    instruction, and leaves the divider free for a division that follows. The factor enters the iteration at no cost.
    """

    signature = _signature(vector, factor)
    if signature is None:
        return None

    def generate(context, builder, signature, arguments):
        return _SquareRoot(builder, signature.return_type).times(*arguments)

    return signature, generate


@intrinsic
def square_root(typing_context, vector):
    """√v, to within 2 units in the last place; NaN for v < 0. See `square_root_times`.

    vector : v. Returns a vector of its type.
    """

    def generate(context, builder, signature, arguments):
        root = _SquareRoot(builder, vector)
        return root.times(arguments[0], root.constant(1.0))

    return (vector(vector), generate) if isinstance(vector, Vector) else None


class _SquareRoot:
    """Emits the code of `square_root_times`."""

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
        # For v of 0 or infinity the estimate is infinity or 0, and v times it NaN. Clamped, it gives the right root.
        # (Zen 4 has min and max in its adders, comparisons in its multipliers.)
        least = 1e-30 if vector.dtype == types.float32 else 1e-300
        inverse = self._at_least(least, self._at_most(1 / least, inverse))
        if vector.dtype == types.float64:
            # One iteration for 28 bits; the one below refines the root itself.
            better = self._plus(inverse, self._half(inverse), self._rest(builder.fmul(v, inverse), inverse))
            inverse = self._at_least(least, better)
        # √v = v r (1 + (1 - v r²) / 2) for the estimate r. The last factor is positive unless v is infinite.
        root = builder.fmul(v, inverse)
        factor = self._plus(factor, self._half(factor), self._rest(root, inverse))
        factor = self._call(f"llvm.fabs.v{vector.lanes}f{vector.dtype.bitwidth}", vector.llvm, factor)
        return self._product(root, factor)

    def _rest(self, a, b):
        """1 - a b."""
        return self.builder.fsub(self.constant(1.0), self._product(a, b), flags=["contract"])

    def _call(self, name: str, result, *arguments):
        kind = ir.FunctionType(result, [argument.type for argument in arguments])
        return self.builder.call(cgutils.get_or_insert_function(self.builder.module, kind, name), arguments)

    def constant(self, value: float):
        vector = self.vector
        return ir.Constant(vector.llvm, [ir.Constant(LLVM[vector.dtype], value)] * vector.lanes)

    # These comparisons are false for NaN, which is kept.
    def _at_most(self, limit: float, a):
        return self._instead_where(">", self.constant(limit), a)

    def _at_least(self, limit: float, a):
        return self._instead_where("<", self.constant(limit), a)

    def _instead_where(self, relation: str, limit, a):
        return self.builder.select(self.builder.fcmp_ordered(relation, a, limit), limit, a)

    def _product(self, a, b):
        """a b, which may be fused with an addition."""
        return self.builder.fmul(a, b, flags=["contract"])

    def _half(self, a):
        return self.builder.fmul(a, self.constant(0.5))

    def _plus(self, c, a, b):
        """c + a b."""
        return self.builder.fadd(c, self._product(a, b), flags=["contract"])


def _check_as_many(vectors, pointers) -> None:
    expected = [Vector(pointer.dtype) for pointer in pointers.types]
    if not isinstance(vectors, types.BaseTuple) or list(vectors.types) != expected:
        raise TypingError(f"got {vectors}, expected a tuple of {len(expected)} vectors")


@intrinsic
def load_each(typing_context, pointers, index):
    """A tuple of vectors, one loaded `index` elements after each address of a tuple."""
    vectors = [Vector(pointer.dtype) for pointer in pointers.types]

    def generate(context, builder, signature, arguments):
        values = []
        for k, vector in enumerate(vectors):
            base = builder.gep(builder.extract_value(arguments[0], k), [arguments[1]])
            value = builder.load(_address(builder, base, vector))
            value.align = vector.dtype.bitwidth // 8
            values.append(value)
        return context.make_tuple(builder, signature.return_type, values)

    return types.Tuple.from_types(vectors)(pointers, types.int64), generate


@intrinsic
def store_each(typing_context, vectors, pointers, index):
    """Store each vector of a tuple `index` elements after the address at the same position of `pointers`."""
    _check_as_many(vectors, pointers)

    def generate(context, builder, signature, arguments):
        for k, vector in enumerate(signature.args[0].types):
            base = builder.gep(builder.extract_value(arguments[1], k), [arguments[2]])
            value = builder.extract_value(arguments[0], k)
            builder.store(value, _address(builder, base, vector)).align = vector.dtype.bitwidth // 8
        return context.get_dummy_value()

    return types.none(vectors, pointers, types.int64), generate


@intrinsic
def masked_load_each(typing_context, pointers, index, size):
    """`load_each` of the first `size` elements; nothing beyond is read, and the other lanes are zero."""
    vectors = [Vector(pointer.dtype) for pointer in pointers.types]

    def generate(context, builder, signature, arguments):
        values = []
        for k, vector in enumerate(vectors):
            base = builder.gep(builder.extract_value(arguments[0], k), [arguments[1]])
            mask = first_lanes(builder, vector.llvm, arguments[2])
            values.append(
                emit_masked_load(builder, _address(builder, base, vector), mask, ir.Constant(vector.llvm, None))
            )
        return context.make_tuple(builder, signature.return_type, values)

    return types.Tuple.from_types(vectors)(pointers, types.int64, types.int64), generate


@intrinsic
def masked_store_each(typing_context, vectors, pointers, index, size):
    """`store_each` of the first `size` lanes; nothing beyond is written."""
    _check_as_many(vectors, pointers)

    def generate(context, builder, signature, arguments):
        for k, vector in enumerate(signature.args[0].types):
            base = builder.gep(builder.extract_value(arguments[1], k), [arguments[2]])
            mask = first_lanes(builder, vector.llvm, arguments[3])
            emit_masked_store(builder, builder.extract_value(arguments[0], k), _address(builder, base, vector), mask)
        return context.get_dummy_value()

    return types.none(vectors, pointers, types.int64, types.int64), generate


def broadcast_each(first: int, length: int) -> Callable:
    """vectors(numbers, like): a tuple of `length` vectors, which broadcast numbers[first], numbers[first + 1], ...

    `numbers` is an address of float64. The vectors have the precision of the elements at the address `like`. A finite
    number beyond the range of that precision becomes one of its largest and not infinity, so that zero times it is
    zero.
    """

    @intrinsic
    def vectors(typing_context, numbers, like):
        vector = Vector(like.dtype)
        # With room for a factor of 3.
        largest = 1e38 if vector.dtype == types.float32 else 1e307

        def generate(context, builder, signature, arguments):
            limit, infinity = ir.Constant(ir.DoubleType(), largest), ir.Constant(ir.DoubleType(), float("inf"))
            values = []
            for k in range(first, first + length):
                number = builder.load(builder.gep(arguments[0], [ir.IntType(64)(k)]))
                overflows = builder.and_(
                    builder.fcmp_ordered(">", number, limit), builder.fcmp_ordered("!=", number, infinity)
                )
                number = builder.select(overflows, limit, number)
                number = context.cast(builder, number, types.float64, vector.dtype)
                values.append(splat(builder, number, vector.lanes))
            return context.make_tuple(builder, signature.return_type, values)

        return types.UniTuple(vector, length)(numbers, like), generate

    return vectors
