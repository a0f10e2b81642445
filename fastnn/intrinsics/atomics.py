"""A lock that is one int64 in memory: 0 is free, 1 is taken."""

from __future__ import annotations

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

_WORD = types.CPointer(types.int64)


@intrinsic
def try_lock(typing_context, pointer):
    """Take the lock at an address of int64; returns whether it was free. Never waits.

    Whoever took it must `unlock` it before the kernel returns to Python: Python code can be interrupted anywhere.
    """

    def generate(context, builder, signature, arguments):
        before = builder.atomic_rmw("xchg", arguments[0], ir.IntType(64)(1), "acquire")
        return builder.icmp_unsigned("==", before, ir.IntType(64)(0))

    return types.boolean(_WORD), generate


@intrinsic
def unlock(typing_context, pointer):
    """Free the lock, after all that was written before."""

    def generate(context, builder, signature, arguments):
        builder.store_atomic(ir.IntType(64)(0), arguments[0], "release", 8)
        return context.get_dummy_value()

    return types.none(_WORD), generate
