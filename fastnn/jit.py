"""How everything is compiled: fast-math flags, no GIL, and the on-disk cache."""

from __future__ import annotations

from collections.abc import Callable

import numba
from numba.core import types
from numba.extending import overload, register_jitable

from fastnn.kernel_cache import keep_on_disk

# A product and a sum may be fused, which only adds precision. Nothing else: with `reassoc` LLVM turns
# b m + (1 - b) g into g + b (m - g), and an infinite g into NaN.
_FUSED = {"contract"}

# A sum may be added up in any order, so that its loop vectorises.
_REORDERED = {"contract", "reassoc", "nsz"}

_COMPILED = {"error_model": "numpy", "nogil": True}


def force_inline(function: Callable) -> Callable:
    """A helper that becomes part of each kernel that calls it."""
    return register_jitable(fastmath=_FUSED, forceinline=True, **_COMPILED)(function)


def inline_ir(function: Callable) -> Callable:
    """A helper that Numba copies into its one or two callers and never compiles on its own.

    What a kernel calls is compiled again, and whole, with each kernel above it: every level costs seconds. But a copy
    within a copy is copied again at every level: what holds many of them had better be a kernel.
    """
    return numba.njit(inline="always", fastmath=_FUSED, **_COMPILED)(function)


def force_inline_reassociated(function: Callable) -> Callable:
    """An inlined helper that adds up, in whatever order is fastest, and does nothing else."""
    return register_jitable(fastmath=_REORDERED, forceinline=True, **_COMPILED)(function)


def overload_by_type(stub: Callable, choose: Callable) -> None:
    """Let nopython code that calls `stub` inline what `choose` returns for the types of the arguments."""
    overload(stub, jit_options={"fastmath": _FUSED, "forceinline": True, **_COMPILED})(choose)


def kernel(function: Callable) -> numba.core.dispatcher.Dispatcher:
    """Compile `function` on its first call with given types; later processes load it from disk.

    A function of a user's own file may be given as well: it is compiled anew when its code, its file, or anything that
    its code refers to changes. A cache that cannot be used costs time and one RuntimeWarning, nothing else.
    """
    return keep_on_disk(_by_type_alone(numba.njit(fastmath=_FUSED, **_COMPILED)(function)))


def parallel_kernel(function: Callable) -> numba.core.dispatcher.Dispatcher:
    """A kernel whose `prange` loops run on Numba's threads."""
    return keep_on_disk(numba.njit(fastmath=_FUSED, parallel=True, **_COMPILED)(function))


def address_of(dispatcher: numba.core.dispatcher.Dispatcher, arguments: tuple[types.Type, ...]) -> int:
    """Where a kernel, compiled for arguments of these types, is in memory."""
    dispatcher.compile(arguments)
    compiled = dispatcher.overloads[arguments]
    return compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)


def _by_type_alone(dispatcher: numba.core.dispatcher.Dispatcher) -> numba.core.dispatcher.Dispatcher:
    """Let a kernel that calls this one with a number written out share what is compiled for any number of its type.

    Numba would compile this one anew for each such number.
    """
    choose = dispatcher.get_call_template
    dispatcher.get_call_template = lambda args, kws: choose([types.unliteral(kind) for kind in args], kws)
    return dispatcher
