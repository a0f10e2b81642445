"""How everything is compiled: fast-math flags, no GIL, and the on-disk cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import FunctionType

import numba
from numba.core import sigutils, types
from numba.extending import overload, register_jitable

from fastnn.kernel_cache import keep_on_disk

# A product and a sum may be fused, which only adds precision. Nothing else: with `reassoc` LLVM turns
# b m + (1 - b) g into g + b (m - g), and an infinite g into NaN.
_FUSED = {"contract"}

# A sum may be added up in any order, so that its loop vectorises.
_REORDERED = {"contract", "reassoc", "nsz"}

# Whether NUMBA_DISABLE_JIT is set, as people do to debug their own code. Then `njit` returns the Python function.
DISABLED = bool(numba.config.DISABLE_JIT)

_COMPILED = {"error_model": "numpy", "nogil": True}


def force_inline(function: Callable) -> Callable:
    """A helper that becomes part of each kernel that calls it."""
    return register_jitable(fastmath=_FUSED, forceinline=True, **_COMPILED)(function)


# A function of numbers from which loops are generated, such as an activation.
scalar = force_inline


def named(name: str, function: Callable) -> Callable:
    """A copy of the function by that name, for what is generated: kernels are kept on disk by their names."""
    copied = FunctionType(
        function.__code__, function.__globals__, name, function.__defaults__, function.__closure__
    )  # fmt: skip
    copied.__qualname__, copied.__module__, copied.__doc__ = name, function.__module__, function.__doc__
    return copied


def shared(function: Callable) -> Callable:
    """A few lines of arithmetic for Python and for kernels, into which Numba copies them."""
    overload(function, strict=False, jit_options={"fastmath": _FUSED, "forceinline": True, **_COMPILED})(
        lambda *arguments: function
    )
    return function


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
    if DISABLED:
        return function
    return keep_on_disk(_by_type_alone(numba.njit(fastmath=_FUSED, **_COMPILED)(function)))


def inner_kernel(function: Callable) -> numba.core.dispatcher.Dispatcher:
    """A kernel that Python never calls: what that would take is not compiled."""
    if DISABLED:
        return function
    options = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, **_COMPILED}
    return keep_on_disk(_by_type_alone(numba.njit(fastmath=_FUSED, **options)(function)))


def parallel_kernel(function: Callable) -> numba.core.dispatcher.Dispatcher:
    """A kernel whose `prange` loops run on Numba's threads."""
    if DISABLED:
        return function
    return keep_on_disk(numba.njit(fastmath=_FUSED, parallel=True, **_COMPILED)(function))


def address_of(dispatcher: numba.core.dispatcher.Dispatcher, arguments: tuple[types.Type, ...]) -> int:
    """Where a kernel, compiled for arguments of these types, is in memory."""
    dispatcher.compile(arguments)
    compiled = dispatcher.overloads[arguments]
    return compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)


def entry_point(dispatcher: numba.core.dispatcher.Dispatcher, arguments: tuple[types.Type, ...]) -> Callable:
    """A kernel, compiled for arguments of these types, as Python calls it without finding out their types."""
    return dispatcher if DISABLED else dispatcher.compile(arguments)


def check_types(dispatcher: numba.core.dispatcher.Dispatcher, check: Callable[[Sequence[types.Type]], None]) -> None:
    """Have `check` look at the argument types that `dispatcher` is to be compiled for.

    What it raises reaches who calls the kernel from Python, and who compiles a function that calls it.
    """
    compile_for = dispatcher.compile

    def checked(signature):
        check(sigutils.normalize_signature(signature)[0])
        return compile_for(signature)

    dispatcher.compile = checked


def _by_type_alone(dispatcher: numba.core.dispatcher.Dispatcher) -> numba.core.dispatcher.Dispatcher:
    """Let a kernel that calls this one with a number written out share what is compiled for any number of its type.

    Numba would compile this one anew for each such number.
    """
    choose = dispatcher.get_call_template
    dispatcher.get_call_template = lambda args, kws: choose([types.unliteral(kind) for kind in args], kws)
    return dispatcher
