"""The parallel region: the part of a kernel that uses Numba's threads, which only one kernel may be in at a time.

Not every threading layer of Numba supports several regions at once, and the user chooses the layer. The lock is one of
CPython's, which needs neither the GIL nor an object, and waiting for it uses no CPU time. A region is represented by
the address of its words, each an int64: the lock's address, the number of threads, and what threads within the region
tell each other.
"""

from __future__ import annotations

import ctypes

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import cgutils, types

from fastnn.intrinsics.declared import intrinsic
from fastnn.intrinsics.scheduling import CPUS

# Places of these words. All but the marks lie on cache lines of their own: who waits reads a line again and again.
_LINE = 8
NUMBER = _LINE  # of the last phase that was done in the region
DONE = 2 * _LINE  # how many shares were done in it so far
ARRIVED = 3 * _LINE  # how many times a member began
JOB = 4 * _LINE  # the slots of the phases, the address that they take, their workers, and the stages of the first
MARKS = 5 * _LINE  # of each CPU: which member was on it last, in which region
CLAIMS = MARKS + CPUS  # of each worker, a line apart: the last phase of which its share was taken
CLAIM = _LINE  # from one to the next


def region_words(workers: int) -> int:
    """How many words a region has for up to so many workers."""
    return CLAIMS + CLAIM * workers


_INT, _WORD, _POINTER = ir.IntType(32), ir.IntType(64), ir.IntType(8).as_pointer()

for _name in ("PyThread_acquire_lock", "PyThread_release_lock"):
    llvm.add_symbol(_name, ctypes.cast(getattr(ctypes.pythonapi, _name), ctypes.c_void_p).value)


def _call(builder, name: str, result: ir.Type, *arguments):
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)


def _field(builder, region, index: int):
    words = builder.inttoptr(region, _WORD.as_pointer())
    return builder.load(builder.gep(words, [_WORD(index)]))


def _lock(builder, region):
    return builder.inttoptr(_field(builder, region, 0), _POINTER)


@intrinsic
def enter_parallel_region(typing_context, region):
    """Wait until no other kernel is in the region, and set its number of threads for this thread.

    Returns the number that was set before, for `leave_parallel_region`. The kernel must not return or raise in between.
    """

    def generate(context, builder, signature, arguments):
        _call(builder, "PyThread_acquire_lock", _INT, _lock(builder, arguments[0]), _INT(1))
        before = _call(builder, "get_num_threads", _WORD)  # declared as Numba declares it; it returns an int
        _call(builder, "set_num_threads", ir.VoidType(), builder.trunc(_field(builder, arguments[0], 1), _INT))
        return builder.trunc(before, _INT)

    return types.int32(types.int64), generate


@intrinsic
def leave_parallel_region(typing_context, region, before):
    """Restore this thread's number of threads, and let other kernels enter."""

    def generate(context, builder, signature, arguments):
        _call(builder, "set_num_threads", ir.VoidType(), arguments[1])
        _call(builder, "PyThread_release_lock", ir.VoidType(), _lock(builder, arguments[0]))
        return context.get_dummy_value()

    return types.none(types.int64, types.int32), generate
