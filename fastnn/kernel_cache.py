"""The on-disk cache of compiled kernels, keyed so that it cannot go stale.

Numba keys a cached function on its own file alone; a kernel whose inlined vector math changed in another file would
be loaded as it was. Here the directory is a hash of every kernel source. Numba adds the CPU and the types.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import llvmlite
import numba
from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator

from fastnn.cache_directory import cache_directory

# The folders of the package whose sources end up in compiled code.
_COMPILED_FOLDERS = ("intrinsics", "linalg", "kernels", "activations", "losses", "optimizers", "step")


def kernel_directory() -> Path | None:
    """`$FASTNN_CACHE_DIR/kernels` or `kernels` in the user's cache folder, and in it one folder per state of the
    sources and versions; None where no home directory can be told."""
    own = os.environ.get("FASTNN_CACHE_DIR")
    root = Path(own) if own else cache_directory()
    return None if root is None else root / "kernels" / _state()


@cache
def _state() -> str:
    """A hash of everything that can change a compiled kernel, but for its types and the CPU."""
    digest = hashlib.sha256(f"{sys.version_info[:2]} {numba.__version__} {llvmlite.__version__}".encode())
    package = Path(__file__).parent
    sources = [
        package / "jit.py",
        package / "units.py",
        Path(__file__),
        *(p for f in _COMPILED_FOLDERS for p in (package / f).rglob("*.py")),
    ]
    for source in sorted(sources):
        digest.update(str(source.relative_to(package)).encode() + source.read_bytes())
    return digest.hexdigest()[:16]


class _SourceKeyedLocator(_CacheLocator):
    """Tells Numba to keep a kernel's compiled code in `kernel_directory()`."""

    def __init__(self, function: Callable) -> None:
        self._function = function

    def get_cache_path(self) -> str:
        return str(kernel_directory())

    def get_source_stamp(self) -> str:
        return _state()

    def get_disambiguator(self) -> str:
        return str(self._function.__code__.co_firstlineno)

    @classmethod
    def from_function(cls, function: Callable, source: str) -> _SourceKeyedLocator | None:
        if kernel_directory() is None:
            return None
        locator = cls(function)
        try:
            locator.ensure_cache_path()
        except OSError:
            return None
        return locator


class _SourceKeyedCacheImpl(CompileResultCacheImpl):
    _locator_classes = [_SourceKeyedLocator]  # noqa: RUF012 - overrides Numba's own


class SourceKeyedCache(FunctionCache):
    """What `dispatcher.enable_caching()` would set, with this directory."""

    _impl_class = _SourceKeyedCacheImpl
