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
    """The type of a full vector register of float32 or float64. estimates : whether `estimating` returned it."""

    def __init__(self, dtype: types.Float, estimates: bool = False) -> None:
        self.dtype, self.lanes, self.estimates = dtype, VECTOR_BYTES * 8 // dtype.bitwidth, estimates
        super().__init__(f"vector({dtype} x {self.lanes}{', estimating' * estimates})")

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


@lower_cast(Vector, Vector)
def _cast_mark(context, builder, source, vector, value):
    return value


def _common(arguments) -> Vector | None:
    """The type of the vectors among arguments that are vectors, all of one precision, and numbers; None for others.
    Where some estimate, their result does."""
    vectors = {kind for kind in arguments if isinstance(kind, Vector)}
    others = (kind for kind in arguments if not isinstance(kind, Vector))
    numbers = all(isinstance(kind, (types.Integer, types.Float)) for kind in others)
    one = len({vector.dtype for vector in vectors}) == 1 and numbers
    return max(vectors, key=lambda vector: vector.estimates) if one else None


def signature_of(*arguments):
    """Of an intrinsic of such arguments that returns a vector; None for others."""
    vector = _common(arguments)
    return None if vector is None else vector(*[vector] * len(arguments))


def _operator(symbol, instruction: str) -> None:
    @infer_global(symbol)
    class Typing(AbstractTemplate):
        def generic(self, arguments, keywords):
            return signature_of(*arguments) if len(arguments) == 2 else None

    @lower_builtin(symbol, Vector, Vector)
    def generate(context, builder, signature, arguments):
        fused = _fused_sum(builder, instruction, signature.return_type, *arguments)
        return fused or getattr(builder, instruction)(*arguments, flags=["contract"])


def _fused_sum(builder, instruction: str, vector: Vector, a, b):
    """a + b or a - b, fused with the product that b is, or else a; None if there is none. LLVM would choose between two
    products in every loop anew, and one rule have several results."""
    if instruction not in ("fadd", "fsub"):
        return None
    product, other = (b, a) if getattr(b, "opname", None) == "fmul" else (a, b)
    if getattr(product, "opname", None) != "fmul":
        return None
    first, second = product.operands
    if instruction == "fsub" and product is b:
        first = builder.fneg(first)
    elif instruction == "fsub":
        other = builder.fneg(other)
    return _call_intrinsic(builder, "fmuladd", vector, first, second, other)


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
        return signature_of(*arguments) if len(arguments) == 1 else None


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

    signature = signature_of(a, b)
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

    signature = signature_of(a, b, x, y)
    return None if signature is None else (signature, generate)


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
