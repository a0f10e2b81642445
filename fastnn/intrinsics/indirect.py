"""Indirect calls: of compiled kernels, by their address."""

from __future__ import annotations

from collections.abc import Callable

from numba.core import cgutils, types
from numba.extending import intrinsic


def indirect_call(returned: types.Type) -> Callable:
    """call(address, arguments): call the compiled kernel at an address, which returns that type, with a tuple of
    arguments of exactly the types that it was compiled for. It must not raise.

    Whoever calls a kernel by name gets a copy of its code, and Numba compiles that again.
    """

    @intrinsic
    def call(typing_context, address, arguments):
        def generate(context, builder, signature, values):
            kinds = list(signature.args[1].types)
            kernel = context.call_conv.get_function_type(returned, kinds)
            pointer = builder.inttoptr(values[0], kernel.as_pointer())
            unpacked = cgutils.unpack_tuple(builder, values[1])
            return context.call_conv.call_function(builder, pointer, returned, kinds, unpacked)[1]

        return returned(types.int64, arguments), generate

    return call
