"""Indirect calls: calls of compiled kernels by their address.

A kernel that is called by name is linked into its caller, and LLVM optimises that copy again. A kernel that is called
by its address is compiled once.
"""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir
from numba.core import cgutils, types

from fastnn.intrinsics.declared import intrinsic


def indirect_call(returned: types.Type) -> Callable:
    """call(address, *arguments): call the compiled kernel at `address`, which returns the type `returned`.

    Integers are passed as int64, other arguments unchanged. Their types must be those that the kernel was compiled for.
    The kernel must not raise.
    """

    @intrinsic
    def call(typing_context, address, *arguments):
        kinds = [types.int64 if isinstance(kind, (types.Integer, types.Boolean)) else kind for kind in arguments]

        def generate(context, builder, signature, values):
            kernel = context.call_conv.get_function_type(returned, kinds)
            pointer = builder.inttoptr(values[0], kernel.as_pointer())
            unpacked = cgutils.unpack_tuple(builder, values[1])
            cast = [context.cast(builder, *parts) for parts in zip(unpacked, arguments, kinds, strict=True)]
            return context.call_conv.call_function(builder, pointer, returned, kinds, cast)[1]

        return returned(types.int64, types.StarArgTuple.from_types(arguments)), generate

    return call


@intrinsic
def opaque(typing_context, address):
    """The integer `address` as an untyped pointer, for a kernel that takes an address, such as a record's."""

    def generate(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())

    return types.voidptr(types.int64), generate
