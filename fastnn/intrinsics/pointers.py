"""Addresses of elements."""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from fastnn.intrinsics.host import VECTOR_BYTES


@intrinsic
def lanes_of(typing_context, array):
    """How many elements of the array fill a vector register; a constant for the compiler."""
    count = VECTOR_BYTES // (array.dtype.bitwidth // 8)

    def generate(context, builder, signature, arguments):
        return ir.Constant(ir.IntType(64), count)

    return types.int64(array), generate


@intrinsic
def element(typing_context, array, offset):
    """The address of the element at that offset of a C-contiguous array, counted in elements."""

    def generate(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.gep(data, [arguments[1]])

    return types.CPointer(array.dtype)(array, types.int64), generate


@intrinsic
def offset(typing_context, pointer, offset):
    """The address so many elements further on."""

    def generate(context, builder, signature, arguments):
        return builder.gep(arguments[0], [arguments[1]])

    return pointer(pointer, types.int64), generate


@intrinsic
def pointer(typing_context, address, like):
    """An address, given as a number, of elements of the type of `like`."""

    def generate(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return types.CPointer(like)(types.int64, like), generate


def stack_alloc(count: int) -> Callable:
    """room(like): the address of room for so many elements, of the type that the address `like` has, which is gone when
    the calling kernel returns."""

    @intrinsic
    def room(typing_context, like):
        def generate(context, builder, signature, arguments):
            return cgutils.alloca_once(builder, context.get_value_type(like.dtype), ir.IntType(64)(count))

        return like(like), generate

    return room


def evenly_spaced(count: int) -> Callable:
    """addresses(base, step): a tuple of `count` addresses, `step` elements from one to the next."""

    @intrinsic
    def addresses(typing_context, base, step):
        def generate(context, builder, signature, arguments):
            places = [builder.mul(arguments[1], ir.IntType(64)(k)) for k in range(count)]
            values = [builder.gep(arguments[0], [place]) for place in places]
            return context.make_tuple(builder, signature.return_type, values)

        return types.Tuple.from_types([base] * count)(base, types.int64), generate

    return addresses


def read_each(count: int) -> Callable:
    """numbers(base): a tuple of the first `count` elements at an address."""

    @intrinsic
    def numbers(typing_context, base):
        def generate(context, builder, signature, arguments):
            values = [builder.load(builder.gep(arguments[0], [ir.IntType(64)(k)])) for k in range(count)]
            return context.make_tuple(builder, signature.return_type, values)

        return types.Tuple.from_types([base.dtype] * count)(base), generate

    return numbers


@intrinsic
def write_each(typing_context, numbers, base):
    """Write the numbers of a tuple from an address on, converted to the type of its elements."""

    def generate(context, builder, signature, arguments):
        for k, kind in enumerate(signature.args[0].types):
            number = context.cast(builder, builder.extract_value(arguments[0], k), kind, base.dtype)
            builder.store(number, builder.gep(arguments[1], [ir.IntType(64)(k)]))
        return context.get_dummy_value()

    return types.none(numbers, base), generate
