"""Processes that need the same kernel take turns: the first compiles it, the others wait and then load it.

A lock is one byte of the folder's file `lock`, at an offset that the entry's name gives. The operating system releases
it when the process ends, however it ends. Different kernels are compiled side by side.

Compiling a kernel compiles those that it calls, so locks nest as calls do. Calls of kernels form no cycle, hence no two
processes wait for each other; kernels of a user that do call each other are covered by the bound on waiting.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

# Seconds to wait for one entry. Only a process that is stopped or hangs holds a lock for longer than it compiles.
PATIENCE = 120.0


class Turns:
    """The locks that this process holds. Calls must be serialised, as Numba's compiler lock does."""

    def __init__(self) -> None:
        self._held: list[tuple[int, int]] = []  # file descriptor and offset, in the order of taking
        # Opened once and never closed: closing any descriptor of a file gives up all of a process's locks on it.
        self._files: dict[Path, int] = {}
        self._waits = True

    @contextmanager
    def released(self) -> Iterator[None]:
        """A context that releases the locks taken in it, also after an exception."""
        before = len(self._held)
        try:
            yield
        finally:
            while len(self._held) > before:
                with suppress(OSError):
                    _unlock(*self._held.pop())

    def take(self, directory: Path, name: str) -> None:
        """Wait for the lock of an entry. Go on without it if locks do not work or the wait is too long."""
        offset = int(hashlib.sha256(name.encode()).hexdigest()[:7], 16)
        end = time.monotonic() + PATIENCE
        try:
            lock = self._open(directory / "lock"), offset
            if not self._waits or lock in self._held:
                return
            while not _try_lock(*lock):
                if time.monotonic() > end:
                    self._waits = False
                    return
                time.sleep(0.02)
        except OSError:  # a folder that cannot be written, and so gets no new entry; a file system without locks
            return
        self._held.append(lock)

    def _open(self, path: Path) -> int:
        if path not in self._files:
            self._files[path] = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        return self._files[path]


def _try_lock(file: int, offset: int) -> bool:
    try:
        if sys.platform == "win32":
            os.lseek(file, offset, os.SEEK_SET)
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, offset)
    except (BlockingIOError, PermissionError):  # POSIX allows both for a lock that another process holds
        return False
    return True


def _unlock(file: int, offset: int) -> None:
    if sys.platform == "win32":
        os.lseek(file, offset, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_UNLCK, 1)
    else:
        fcntl.lockf(file, fcntl.LOCK_UN, 1, offset)
