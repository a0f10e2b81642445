"""Flushing subnormal numbers to zero: an operation on one takes a hundred times as long as on a normal number."""

from __future__ import annotations

import platform

from llvmlite import ir
from numba.core import cgutils, types

from fastnn.intrinsics.declared import intrinsic

# The bits of the CPU's control word: flush-to-zero and denormals-are-zero on x86, one bit for both on ARM. On other
# architectures nothing is done.
_FLUSH = 0x8040 if platform.machine() in ("x86_64", "AMD64") else 1 << 24
_KNOWN = platform.machine() in ("x86_64", "AMD64", "aarch64", "arm64")


def _control_word(builder):
    if platform.machine() in ("aarch64", "arm64"):
        kind = ir.FunctionType(ir.IntType(64), [])
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.aarch64.get.fpcr"), [])
    byte = ir.IntType(8).as_pointer()
    address = cgutils.alloca_once(builder, ir.IntType(32))
    kind = ir.FunctionType(ir.VoidType(), [byte])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.sse.stmxcsr")
    builder.call(function, [builder.bitcast(address, byte)])
    return builder.zext(builder.load(address), ir.IntType(64))


def _set_control_word(builder, word):
    if platform.machine() in ("aarch64", "arm64"):
        kind = ir.FunctionType(ir.VoidType(), [ir.IntType(64)])
        builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.aarch64.set.fpcr"), [word])
        return
    byte = ir.IntType(8).as_pointer()
    address = cgutils.alloca_once(builder, ir.IntType(32))
    builder.store(builder.trunc(word, ir.IntType(32)), address)
    kind = ir.FunctionType(ir.VoidType(), [byte])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.sse.ldmxcsr")
    builder.call(function, [builder.bitcast(address, byte)])


@intrinsic
def flush_subnormals(typing_context):
    """Treat subnormal numbers as zero on this thread from now on; returns the control word for `restore_subnormals`."""

    def generate(context, builder, signature, arguments):
        if not _KNOWN:
            return ir.IntType(64)(0)
        word = _control_word(builder)
        _set_control_word(builder, builder.or_(word, ir.IntType(64)(_FLUSH)))
        return word

    return types.int64(), generate


@intrinsic
def restore_subnormals(typing_context, word):
    """Restore the control word that `flush_subnormals` returned."""

    def generate(context, builder, signature, arguments):
        if _KNOWN:
            _set_control_word(builder, arguments[0])
        return context.get_dummy_value()

    return types.none(types.int64), generate
