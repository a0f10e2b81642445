"""What a thread that waits for another can do meanwhile: pause, let other threads have its CPU, or change its CPU.

The last is for Linux. Elsewhere `current_cpu` gives -1, and masks of CPUs are neither read nor set.
"""

from __future__ import annotations

import ctypes
import os
import platform

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import cgutils, types

from fastnn.intrinsics.declared import intrinsic

_INT, _WORD, _BYTES = ir.IntType(32), ir.IntType(64), ir.IntType(8).as_pointer()
_YIELD_HINT = 1  # the number of ARM's instruction "yield"

# CPUs that a mask of CPUs has room for, and the int64 that it is made of.
CPUS = 512
CPU_WORDS = CPUS // 64


def _library():
    return ctypes.WinDLL("kernel32") if os.name == "nt" else ctypes.CDLL(None)


def _declare(name: str, own: str) -> bool:
    """Let kernels call the system's function `name` as `own`; returns whether there is one."""
    function = getattr(_library(), name, None)
    if function is not None:
        llvm.add_symbol(own, ctypes.cast(function, ctypes.c_void_p).value)
    return function is not None


_yields = _declare("SwitchToThread" if os.name == "nt" else "sched_yield", "fastnn_yield")
_sleeps = _declare("usleep", "fastnn_sleep")
_moves = all(
    _declare(name, f"fastnn_{name}")
    for name in ("sched_getcpu", "sched_getaffinity", "sched_setaffinity", "pthread_self")
)


def _call(builder, name: str, *arguments):
    kind = ir.FunctionType(_INT, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)


@intrinsic
def relax(typing_context):
    """Wait for some tens of cycles, at little cost to another thread of the same core."""

    def generate(context, builder, signature, arguments):
        if platform.machine() in ("x86_64", "AMD64"):
            kind = ir.FunctionType(ir.VoidType(), [])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.sse2.pause"), [])
        elif platform.machine() in ("aarch64", "arm64"):
            kind = ir.FunctionType(ir.VoidType(), [_INT])
            hint = cgutils.get_or_insert_function(builder.module, kind, "llvm.aarch64.hint")
            builder.call(hint, [_INT(_YIELD_HINT)])
        return context.get_dummy_value()

    return types.none(), generate


@intrinsic
def yield_cpu(typing_context):
    """Let the system run another thread on this CPU, if one waits for it."""

    def generate(context, builder, signature, arguments):
        if _yields:
            _call(builder, "fastnn_yield")
        return context.get_dummy_value()

    return types.none(), generate


@intrinsic
def sleep(typing_context, microseconds):
    """Give up the CPU for so long, at the least; where the system cannot, not at all."""

    def generate(context, builder, signature, arguments):
        if _sleeps:
            _call(builder, "fastnn_sleep", builder.trunc(arguments[0], _INT))
        return context.get_dummy_value()

    return types.none(types.int64), generate


@intrinsic
def this_thread(typing_context):
    """A number that no other thread of the process has; 0 where `current_cpu` is not known."""

    def generate(context, builder, signature, arguments):
        if not _moves:
            return _WORD(0)
        kind = ir.FunctionType(_WORD, [])
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, "fastnn_pthread_self"), [])

    return types.int64(), generate


@intrinsic
def current_cpu(typing_context):
    """The number of the CPU on which the thread runs; -1 where it is not known."""

    def generate(context, builder, signature, arguments):
        if not _moves:
            return _WORD(-1)
        return builder.sext(_call(builder, "fastnn_sched_getcpu"), _WORD)

    return types.int64(), generate


def _mask_call(name: str, description: str):
    @intrinsic
    def call(typing_context, mask):
        def generate(context, builder, signature, arguments):
            if not _moves:
                return ir.IntType(1)(0)
            # Of the C library's: negative where it failed.
            mask = builder.bitcast(arguments[0], _BYTES)
            result = _call(builder, f"fastnn_{name}", _INT(0), _WORD(CPUS // 8), mask)
            return builder.icmp_signed(">=", result, _INT(0))

        return types.boolean(types.CPointer(types.int64)), generate

    call.__doc__ = description
    return call


get_affinity = _mask_call(
    "sched_getaffinity",
    "Write on which CPUs the thread may run to a mask of CPU_WORDS words; returns whether it did.",
)
set_affinity = _mask_call(
    "sched_setaffinity",
    "Let the thread run on the CPUs of the mask alone, and move it there; returns whether it did.",
)
