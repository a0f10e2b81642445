"""The key of an entry: text of all that decides a kernel's machine code. Equal keys mean equal code in any process.

A kernel of the package is identified by its name and what it closes over, because the folder of entries is a hash of
all sources. A user's kernel is identified by its bytecode, its file, and whatever its code refers to.
"""

from __future__ import annotations

import hashlib
import sys
import sysconfig
import types
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba.core import config, sigutils
from numba.core.codegen import CPUCodegen
from numba.core.dispatcher import Dispatcher

from fastnn.kernel_cache.folder import PACKAGE

# Settings of Numba that differ between ordinary runs and change no code. Every other one is part of the key: an unknown
# one, from a future Numba, costs a compilation at worst.
_WITHOUT_EFFECT = {
    "ALWAYS_WARN_UNINIT_VAR",
    "COLOR_SCHEME",
    "DEVELOPER_MODE",
    "DISABLE_PERFORMANCE_WARNINGS",
    "FULL_TRACEBACKS",
    "FUNCTION_CACHE_SIZE",
    "GDB_BINARY",
    "SHOW_HELP",
}
_WITHOUT_EFFECT_PREFIXES = ("_", "CACHE_", "CUDA_", "NUMBA_", "THREADING_")  # NUMBA_: numbers of threads

# Libraries whose versions are part of the folder's hash, so that a user's kernel may refer to them.
_LIBRARIES = {"numba", "numpy", "llvmlite"}

_STANDARD_LIBRARY = Path(sysconfig.get_path("stdlib"))

# Objects described so far: by `id`, their number and the object, which is kept alive so that its `id` stays unique.
Seen = dict[int, tuple[int, Any]]

_PLAIN = (bool, int, float, complex, str, bytes, type(None), type(...), slice, range, np.dtype, numba.types.Type)


class Unknown(Exception):
    """A kernel refers to something whose value another process cannot reproduce."""


def key(dispatcher: Dispatcher, signature: Any, codegen: CPUCodegen) -> str:
    """The key of one kernel's code for one signature. Raises `Unknown` if no key can describe it."""
    arguments, result = sigutils.normalize_signature(signature)
    kinds = [f"{type(kind).__module__}.{type(kind).__qualname__} {kind}" for kind in (*arguments, result)]
    for kind in kinds:
        if " at 0x" in kind:
            raise Unknown(kind)
    parts = (*kinds, *codegen.magic_tuple(), settings(), *_describe(dispatcher, {}))
    return "\n".join(parts)


def settings() -> str:
    """Numba's settings as they are now, but for those that change no code."""
    config.reload_config()  # as Numba does before it compiles
    return " ".join(
        f"{name}={value!r}"
        for name, value in vars(config).items()
        if name.isupper() and name not in _WITHOUT_EFFECT and not name.startswith(_WITHOUT_EFFECT_PREFIXES)
    )


@cache
def file_digest(path: str) -> str:
    """A hash of a source file as it was at the first call, or "no file"."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return "no file"


def in_package(function: Callable) -> bool:
    """Whether a function is written in the package's own sources."""
    return Path(function.__code__.co_filename).is_relative_to(PACKAGE)


def _describe(value: Any, seen: Seen) -> Iterator[str]:
    """Text that describes a value: it differs wherever Numba could compile different code."""
    if isinstance(value, _PLAIN):
        yield f"{type(value).__qualname__} {value!r}"
        return
    if id(value) in seen:
        yield f"object {seen[id(value)][0]}"
        return
    seen[id(value)] = len(seen), value
    if isinstance(value, Dispatcher):
        yield from _describe((value.targetoptions, value.locals, value.py_func), seen)
    elif isinstance(value, types.FunctionType):
        yield from _describe_function(value, seen)
    elif isinstance(value, (np.ndarray, np.generic)):
        array = np.asarray(value)
        if array.dtype.hasobject:
            raise Unknown(repr(value))
        yield f"array {array.dtype!r} {array.shape} {hashlib.sha256(array.tobytes()).hexdigest()}"
    elif isinstance(value, (tuple, list)):
        yield f"{type(value).__qualname__} {len(value)}"
        for item in value:
            yield from _describe(item, seen)
    elif isinstance(value, (set, frozenset, dict)):
        items = value.items() if isinstance(value, dict) else value
        yield f"{type(value).__qualname__} {sorted(tuple(_describe(item, seen)) for item in items)}"
    elif isinstance(value, types.CodeType):
        yield f"code {value.co_code.hex()} {value.co_names} {value.co_varnames} {value.co_freevars} {value.co_flags}"
        yield from _describe(value.co_consts, seen)
    elif isinstance(value, types.ModuleType):
        yield f"module {value.__name__}"
    else:
        yield from _describe_named(value, seen)


def _describe_function(function: types.FunctionType, seen: Seen) -> Iterator[str]:
    code = function.__code__
    yield f"{function.__module__}.{function.__qualname__}"
    if _in_library(function):
        return
    try:
        closed_over = [cell.cell_contents for cell in function.__closure__ or ()]
    except ValueError:  # a name that has no value yet
        raise Unknown(f"{code.co_freevars}") from None
    yield from _describe(closed_over, seen)
    yield from _describe(function.__defaults__, seen)
    if in_package(function):
        yield str(code.co_firstlineno)
        return
    yield file_digest(code.co_filename)
    yield from _describe(code, seen)
    for name, value in _globals_of(function):
        yield name
        yield from _describe(value, seen)


def _globals_of(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    """The globals that a function refers to, and the attributes that it may refer to in those that are modules."""
    names = sorted(set(_names(function.__code__)))
    for name in names:
        if name not in function.__globals__:
            continue
        value = function.__globals__[name]
        yield name, value
        if isinstance(value, types.ModuleType) and not _in_library(value) and not _in_package(value):
            yield from ((f"{name}.{n}", vars(value)[n]) for n in names if n in vars(value))


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def _describe_named(value: Any, seen: Seen) -> Iterator[str]:
    """Describe a class, a built-in function, a ufunc, or a function that a decorator of Numba replaced."""
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
    if name is None:
        raise Unknown(repr(value))
    module = getattr(value, "__module__", None)
    yield f"{module}.{name}"
    if not _in_library(value) and module in sys.modules:
        yield file_digest(getattr(sys.modules[module], "__file__", None) or "")
    if hasattr(value, "__wrapped__"):
        yield from _describe(value.__wrapped__, seen)


def _in_package(module: types.ModuleType) -> bool:
    return module.__name__.partition(".")[0] == PACKAGE.name


def _in_library(value: Any) -> bool:
    module = value.__name__ if isinstance(value, types.ModuleType) else getattr(value, "__module__", None)
    return _is_library((module or "").partition(".")[0])


@cache
def _is_library(name: str) -> bool:
    if name not in sys.stdlib_module_names:
        return name in _LIBRARIES
    # A user's own file may have the name of a module of the standard library.
    file = getattr(sys.modules.get(name), "__file__", None)
    return file is None or Path(file).is_relative_to(_STANDARD_LIBRARY)
