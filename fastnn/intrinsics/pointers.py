"""Addresses of elements."""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.errors import TypingError
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
    if array.layout != "C":
        raise TypingError(f"array: got {array}, expected a C-contiguous array")

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
