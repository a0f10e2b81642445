"""Addresses of array elements, and what is read or written there."""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.errors import TypingError

from fastnn.intrinsics.declared import intrinsic
from fastnn.intrinsics.host import VECTOR_BYTES


@intrinsic
def lanes_of(typing_context, array):
    """The lanes of a vector register for the dtype of the array; a compile-time constant."""
    lanes = VECTOR_BYTES // (array.dtype.bitwidth // 8)

    def generate(context, builder, signature, arguments):
        return ir.Constant(ir.IntType(64), lanes)

    return types.int64(array), generate


@intrinsic
def element(typing_context, array, offset):
    """The address of the element of a C-contiguous array at that offset, in elements from the first.

    It does not keep the array alive: see `keep_alive`.
    """
    if array.layout != "C":
        raise TypingError(f"array: got {array}, expected a C-contiguous array")

    def generate(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.gep(data, [arguments[1]])

    return types.CPointer(array.dtype)(array, types.int64), generate


@intrinsic
def keep_alive(typing_context, array):
    """Keep an array until here. Numba frees a kernel's own array after its last use, and an address is none."""

    def generate(context, builder, signature, arguments):
        return context.get_dummy_value()

    return types.none(array), generate


@intrinsic
def offset(typing_context, pointer, offset):
    """The address `offset` elements after `pointer`."""

    def generate(context, builder, signature, arguments):
        return builder.gep(arguments[0], [arguments[1]])

    return pointer(pointer, types.int64), generate


@intrinsic
def pointer(typing_context, address, like):
    """The integer `address` as the address of elements that have the type of `like`."""

    def generate(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return types.CPointer(like)(types.int64, like), generate


def stack_alloc(size: int) -> Callable:
    """alloc(like): the address of `size` uninitialised elements on the stack of the calling kernel.

    The elements have the type of those at the address `like`. The memory is released when that kernel returns.
    """

    @intrinsic
    def alloc(typing_context, like):
        def generate(context, builder, signature, arguments):
            return cgutils.alloca_once(builder, context.get_value_type(like.dtype), ir.IntType(64)(size))

        return like(like), generate

    return alloc


def evenly_spaced(length: int) -> Callable:
    """addresses(base, step): a tuple of `length` addresses, `step` elements apart, the first of which is `base`."""

    @intrinsic
    def addresses(typing_context, base, step):
        def generate(context, builder, signature, arguments):
            offsets = [builder.mul(arguments[1], ir.IntType(64)(k)) for k in range(length)]
            values = [builder.gep(arguments[0], [offset]) for offset in offsets]
            return context.make_tuple(builder, signature.return_type, values)

        return types.Tuple.from_types([base] * length)(base, types.int64), generate

    return addresses


def read_each(length: int) -> Callable:
    """numbers(base): a tuple of the `length` elements at the address `base`."""

    @intrinsic
    def numbers(typing_context, base):
        def generate(context, builder, signature, arguments):
            values = [builder.load(builder.gep(arguments[0], [ir.IntType(64)(k)])) for k in range(length)]
            return context.make_tuple(builder, signature.return_type, values)

        return types.Tuple.from_types([base.dtype] * length)(base), generate

    return numbers


@intrinsic
def write_each(typing_context, numbers, base):
    """Write the numbers of a tuple at consecutive elements from `base` on, converted to their type."""

    def generate(context, builder, signature, arguments):
        for k, kind in enumerate(signature.args[0].types):
            number = context.cast(builder, builder.extract_value(arguments[0], k), kind, base.dtype)
            builder.store(number, builder.gep(arguments[1], [ir.IntType(64)(k)]))
        return context.get_dummy_value()

    return types.none(numbers, base), generate


@intrinsic
def address_of_pointer(typing_context, pointer):
    """The address as an integer."""

    def generate(context, builder, signature, arguments):
        return builder.ptrtoint(arguments[0], ir.IntType(64))

    return types.int64(pointer), generate
