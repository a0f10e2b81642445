"""A lock that never waits: one int64 in memory, 0 if free and 1 if taken."""

from __future__ import annotations

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

_WORD = types.CPointer(types.int64)


@intrinsic
def try_lock(typing_context, pointer):
    """Take the lock at the address `pointer` if it is free; returns whether it was. Never waits.

    The kernel must `unlock` it before it returns to Python, where an interrupt can come at any point.
    """

    def generate(context, builder, signature, arguments):
        before = builder.atomic_rmw("xchg", arguments[0], ir.IntType(64)(1), "acquire")
        return builder.icmp_unsigned("==", before, ir.IntType(64)(0))

    return types.boolean(_WORD), generate


@intrinsic
def unlock(typing_context, pointer):
    """Free the lock, with release ordering: what was written before is visible to whoever takes it next."""

    def generate(context, builder, signature, arguments):
        builder.store_atomic(ir.IntType(64)(0), arguments[0], "release", 8)
        return context.get_dummy_value()

    return types.none(_WORD), generate
