"""The connection to Numba's dispatchers, which load from the cache before they compile and save afterwards."""

from __future__ import annotations

import hashlib
import pickle
import re
import sys
import warnings
from pathlib import Path
from typing import Any, NamedTuple

from numba.core.base import BaseContext
from numba.core.caching import _Cache
from numba.core.compiler import CompileResult
from numba.core.compiler_lock import global_compiler_lock
from numba.core.dispatcher import Dispatcher
from numba.core.serialize import dumps
from numba.core.sigutils import normalize_signature

from fastnn.kernel_cache import folder
from fastnn.kernel_cache.entry import read_entry, write_entry
from fastnn.kernel_cache.key import Unknown, file_digest, in_package, key
from fastnn.kernel_cache.notice import Notice
from fastnn.kernel_cache.turns import Turns

_TURNS = Turns()
_NOTICE = Notice()


def keep_on_disk(dispatcher: Dispatcher) -> Dispatcher:
    """Let later processes load what this dispatcher compiles, as `dispatcher.enable_caching()` does in Numba."""
    # Sources are hashed at import, because the imported code is what is compiled, even if the files change later.
    if in_package(dispatcher.py_func):
        folder.sources_state()
    else:
        file_digest(dispatcher.py_func.__code__.co_filename)
    dispatcher._cache = KernelCache(dispatcher)
    compile_now = dispatcher.compile

    def compile_in_turn(signature: Any) -> Any:
        # Without the lock: an interrupt while it is taken would leave it taken, and other threads waiting for ever.
        compiled = dispatcher.overloads.get(normalize_signature(signature)[0])
        if compiled is not None:
            return compiled.entry_point
        with global_compiler_lock, _TURNS.released(), _NOTICE.of_compilation():
            return compile_now(signature)

    dispatcher.compile = compile_in_turn
    return dispatcher


class _Place(NamedTuple):
    """The folder and name of an entry's file, and its key."""

    directory: Path
    name: str
    key: bytes


class KernelCache(_Cache):
    """The cache of one dispatcher, as Numba calls it: from `Dispatcher.compile`, under Numba's compiler lock."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        function = dispatcher.py_func
        self._label = re.sub(r"[^\w.]", "", f"{function.__module__}.{function.__qualname__}")[-80:]
        self._enabled = True

    @property
    def cache_path(self) -> str | None:
        """The folder of entries, whether or not it exists."""
        directory = folder.kernel_directory()
        return None if directory is None else str(directory)

    def enable(self) -> None:
        """Load and save from now on."""
        self._enabled = True

    def disable(self) -> None:
        """Neither load nor save from now on."""
        self._enabled = False

    def flush(self) -> None:
        """Remove this kernel's entries of all types, so that `Dispatcher.recompile` does compile."""
        directory = folder.kernel_directory()
        for path in () if directory is None else directory.glob(f"{self._label}-*.kernel"):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                _warn_once(f"{path} cannot be removed ({error})")

    def load_overload(self, sig: Any, target_context: BaseContext) -> CompileResult | None:
        """Load the code, after waiting for a process that compiles it now; None if this process must compile it."""
        target_context.refresh()
        place = self._place(sig)
        if place is None:
            _NOTICE.compiling()
            return None
        folder.mark_used(place.directory)
        found = self._load(place, target_context)
        if found is None:
            _NOTICE.compiling()  # here or in another process
            try:
                folder.make(place.directory)
            except OSError:
                return None  # no process can write to a folder that cannot be created
            _TURNS.take(place.directory, place.name)
            found = self._load(place, target_context)
        return found

    def save_overload(self, sig: Any, data: CompileResult) -> None:
        """Write compiled code to disk; warn if that cannot be done."""
        place = self._place(sig)
        if place is None:
            return
        if data.library.has_dynamic_globals:
            _warn_once(f"{self._label} holds addresses of this process (as at NUMBA_OPT=0) and is not kept on disk")
            return
        try:
            payload = dumps(data._reduce())
        except Exception as error:  # a user's value that does not pickle: whatever the reason, the code is compiled
            _warn_once(f"{self._label} is not kept on disk: {error}")
            return
        try:
            folder.make(place.directory)
            write_entry(place.directory / place.name, place.key, payload)
        except OSError as error:
            _warn_once(
                f"fastnn cannot write to {place.directory} ({error.strerror or error}) "
                "and compiles anew in every process; set FASTNN_CACHE_DIR to a directory that can be written"
            )

    def _place(self, sig: Any) -> _Place | None:
        if not self._enabled:
            return None
        directory = folder.kernel_directory()
        if directory is None:
            _warn_once(
                "fastnn finds no home directory for its cache and compiles anew in every process; "
                "set FASTNN_CACHE_DIR to a directory that can be written"
            )
            return None
        try:
            text = key(self._dispatcher, sig, self._dispatcher.targetctx.codegen()).encode()
        except Unknown as value:
            _warn_once(f"{self._label} is not kept on disk: it refers to {value}, which other processes cannot know")
            return None
        return _Place(directory, f"{self._label}-{hashlib.sha256(text).hexdigest()[:32]}.kernel", text)

    def _load(self, place: _Place, target_context: BaseContext) -> CompileResult | None:
        payload = read_entry(place.directory / place.name, place.key)
        if payload is None:
            return None
        try:
            found = CompileResult._rebuild(target_context, *pickle.loads(payload))
            # What is compiled to call this kernel must start Numba's threads where it is loaded itself. It takes that
            # from the library, in which Numba notes it when it compiles, and not when it loads.
            found.library._reload_init.update(found.reload_init)
            return found
        except Exception:
            # Undamaged, but it does not load here. Whatever the reason, this process can still compile.
            return None


_COMPILING = {"fastnn", "numba", "llvmlite"}


def _callers_level() -> int:
    """The stacklevel for a warning of the function that asks: of the innermost line outside the packages that compile;
    of the outermost line where there is none, as in a thread of theirs."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _COMPILING:
        frame, level = frame.f_back, level + 1
    return level


_warned = False


def _warn_once(message: str) -> None:
    """Give one RuntimeWarning per process. Where warnings are errors it is printed, because the call has its result."""
    global _warned
    if _warned:
        return
    _warned = True
    try:
        warnings.warn(message, RuntimeWarning, stacklevel=_callers_level())
    except RuntimeWarning:
        print(f"RuntimeWarning: {message}", file=sys.stderr)
