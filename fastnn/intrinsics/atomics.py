"""Words of memory that several threads read and write: an int64 each. A lock is one, 0 if free and 1 if taken."""

from __future__ import annotations

from llvmlite import ir
from numba.core import types

from fastnn.intrinsics.declared import intrinsic

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


@intrinsic
def read_word(typing_context, pointer):
    """The word at the address `pointer`, with acquire ordering: what its writer wrote before is visible."""

    def generate(context, builder, signature, arguments):
        return builder.load_atomic(arguments[0], "acquire", 8)

    return types.int64(_WORD), generate


def _read_and_write(operation: str, description: str):
    @intrinsic
    def change(typing_context, pointer, value):
        def generate(context, builder, signature, arguments):
            return builder.atomic_rmw(operation, arguments[0], arguments[1], "acq_rel")

        return types.int64(_WORD, types.int64), generate

    change.__doc__ = f"{description} the word at the address `pointer`; returns what it was. Acquires and releases."
    return change


add_to_word = _read_and_write("add", "Add `value` to")
exchange_word = _read_and_write("xchg", "Write `value` to")


@intrinsic
def replace_word(typing_context, pointer, before, value):
    """Write `value` to the address `pointer` if the word there is `before`; returns whether it was. Acquires and
    releases."""

    def generate(context, builder, signature, arguments):
        found = builder.cmpxchg(*arguments, "acq_rel", "acquire")
        return builder.extract_value(found, 1)

    return types.boolean(_WORD, types.int64, types.int64), generate
