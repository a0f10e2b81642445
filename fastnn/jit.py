"""The decorators that compile kernels and helpers: fast-math flags, no GIL, and the on-disk cache."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FunctionType
from weakref import WeakSet

import numba
from numba.core import sigutils, types
from numba.core.targetconfig import ConfigStack
from numba.extending import overload, register_jitable

from fastnn.kernel_cache import keep_on_disk

# A multiplication and an addition may be fused, which only adds precision. Nothing else is allowed: with `reassoc` LLVM
# turns b m + (1 - b) g into g + b (m - g), and an infinite g into NaN.
_FUSED = {"contract"}

# The terms of a sum may be added in any order, so that its loop vectorises.
_REORDERED = {"contract", "reassoc", "nsz"}

# Whether NUMBA_DISABLE_JIT is set, as people do to debug their own code. `njit` then returns the Python function.
DISABLED = bool(numba.config.DISABLE_JIT)

_COMPILED = {"error_model": "numpy", "nogil": True}


# What `force_inline` has made: Numba would find the code of a function twice that is decorated twice.
_inlined: WeakSet[FunctionType] = WeakSet()


def force_inline(function: Callable) -> Callable:
    """A helper that LLVM inlines into each kernel that calls it. One that is decorated, or compiled, stays as it is."""
    if isinstance(function, FunctionType) and function not in _inlined:
        register_jitable(fastmath=_FUSED, forceinline=True, **_COMPILED)(function)
        _inlined.add(function)
    return function


# Decorates a scalar function from which loops are generated, such as an activation.
scalar = force_inline


def is_inlined(function: object) -> bool:
    """Whether `force_inline` has made it, so that kernels have its code."""
    return isinstance(function, FunctionType) and function in _inlined


def named(name: str, function: Callable) -> Callable:
    """A copy of a generated function under that name. The on-disk cache identifies a kernel by its name."""
    copied = FunctionType(
        function.__code__, function.__globals__, name, function.__defaults__, function.__closure__
    )  # fmt: skip
    copied.__qualname__, copied.__module__, copied.__doc__ = name, function.__module__, function.__doc__
    return copied


def shared(function: Callable) -> Callable:
    """A function of a few lines of arithmetic that Python can call too; it is inlined into kernels."""
    overload(function, strict=False, jit_options={"fastmath": _FUSED, "forceinline": True, **_COMPILED})(
        lambda *arguments: function
    )
    return function


def inline_ir(function: Callable) -> Callable:
    """A helper whose IR Numba copies into its callers, so that it is never compiled by itself.

    It is for helpers of one or two callers. A function that is called instead is compiled again with each kernel above
    it, and every level costs seconds. But copies within copies multiply: a helper that calls many others should be a
    kernel.
    """
    return numba.njit(inline="always", fastmath=_FUSED, **_COMPILED)(function)


def force_inline_reassociated(function: Callable) -> Callable:
    """`force_inline` for a helper that only computes a sum, whose terms may be added in any order."""
    return register_jitable(fastmath=_REORDERED, forceinline=True, **_COMPILED)(function)


def overload_by_type(stub: Callable, choose: Callable) -> None:
    """Let nopython code call `stub`: it inlines the function that `choose` returns for the types of the arguments."""
    overload(stub, jit_options={"fastmath": _FUSED, "forceinline": True, **_COMPILED})(choose)


def kernel(function: Callable) -> numba.core.dispatcher.Dispatcher:
    """Compile `function` on its first call with given types; later processes load it from disk.

    A function of a user's own file may be given as well. It is compiled again when its code, its file or anything that
    its code refers to changes. A cache that cannot be used costs time and one RuntimeWarning, nothing else.
    """
    if DISABLED:
        return function
    return keep_on_disk(_by_type_alone(numba.njit(fastmath=_FUSED, **_COMPILED)(function)))


def inner_kernel(function: Callable) -> numba.core.dispatcher.Dispatcher:
    """A kernel that Python never calls: no wrapper for Python is compiled."""
    if DISABLED:
        return function
    options = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, **_COMPILED}
    return keep_on_disk(_by_type_alone(numba.njit(fastmath=_FUSED, **options)(function)))


def entry_kernel(function: Callable, parallel: bool = False) -> numba.core.dispatcher.Dispatcher:
    """A kernel for Python alone, which may call units (`fastnn.units`) by their symbols; see `entry_point`."""
    if DISABLED:
        return function
    options = {"no_cfunc_wrapper": True, "parallel": parallel, **_COMPILED}
    return keep_on_disk(numba.njit(fastmath=_FUSED, **options)(function))


def parallel_kernel(function: Callable) -> numba.core.dispatcher.Dispatcher:
    """A kernel whose `prange` loops run on Numba's threads."""
    if DISABLED:
        return function
    return keep_on_disk(numba.njit(fastmath=_FUSED, parallel=True, **_COMPILED)(function))


# How many kernels of units this thread is compiling, one for the other.
_compiling = threading.local()


# Numba makes objects by the hundred thousand that live for long. Collecting garbage as often as usual takes a tenth of
# the time of compiling.
_RARE_COLLECTIONS = 100_000


@contextmanager
def _apart() -> Iterator[None]:
    depth, threshold = getattr(_compiling, "depth", 0), gc.get_threshold()
    # 0 stands for no collection at all. No lock: an interrupt might leave it taken. Who makes collections rare ends it.
    makes_rare = 0 < threshold[0] < _RARE_COLLECTIONS
    try:
        _compiling.depth = depth + 1
        if makes_rare:
            gc.set_threshold(_RARE_COLLECTIONS, *threshold[1:])
        yield
    finally:
        _compiling.depth = depth
        if makes_rare:
            gc.set_threshold(*threshold)


def is_compiled_apart() -> bool:
    """Whether the code that Numba is compiling now may call units by their symbols: it is a unit or an entry kernel.

    Options of ours tell, for a helper that is compiled on the way has others. A user's code may have the same options,
    so that they do not tell alone; nor does the depth, which an interrupt may have left above 0.
    """
    flags = ConfigStack.top_or_none()
    if flags is None or getattr(_compiling, "depth", 0) == 0:
        return False
    return flags.no_cfunc_wrapper and flags.release_gil and flags.fastmath.flags == _FUSED


def address_of(dispatcher: numba.core.dispatcher.Dispatcher, arguments: tuple[types.Type, ...]) -> int:
    """Compile a kernel for arguments of these types, and return the address of its machine code."""
    with _apart():
        dispatcher.compile(arguments)
    compiled = dispatcher.overloads[arguments]
    return compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)


def entry_point(dispatcher: numba.core.dispatcher.Dispatcher, arguments: tuple[types.Type, ...]) -> Callable:
    """Compile a kernel for arguments of these types, and return it as a function that does not check them.

    A kernel that is made of units has an `entry`, which is compiled in its place.
    """
    if DISABLED:
        return dispatcher
    with _apart():
        return getattr(dispatcher, "entry", dispatcher).compile(arguments)


def check_types(dispatcher: numba.core.dispatcher.Dispatcher, check: Callable[[Sequence[types.Type]], None]) -> None:
    """Have `check` called with the argument types whenever `dispatcher` is compiled.

    What it raises reaches the Python caller of the kernel, or of the kernel that calls it.
    """
    compile_for = dispatcher.compile

    def checked(signature):
        check(sigutils.normalize_signature(signature)[0])
        return compile_for(signature)

    dispatcher.compile = checked


def _by_type_alone(dispatcher: numba.core.dispatcher.Dispatcher) -> numba.core.dispatcher.Dispatcher:
    """Let calls with literal numbers use the kernel that is compiled for any number of their type.

    Numba would compile it again for each literal.
    """
    choose = dispatcher.get_call_template
    dispatcher.get_call_template = lambda args, kws: choose([types.unliteral(kind) for kind in args], kws)
    return dispatcher
