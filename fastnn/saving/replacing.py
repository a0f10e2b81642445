"""A file that is replaced as a whole: whatever happens meanwhile, a reader finds the old one or the new one."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

if sys.platform != "win32":
    import fcntl


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """A new file to write to and read from, which takes the place of `path` when the context ends without an exception.

    It is written beside it, brought to the disk, renamed, and the folder brought to the disk: after a crash of the
    process, or of the machine, `path` is the old file or the new one. What a killed process left behind has the name
    that the next one writes to, so it does not pile up; those that write at once take turns. A symbolic link stays one,
    and the permissions of a file stay.

    Raises TypeError for what is no path, and OSError, which names `path`, where the file cannot be written, with the
    old one in place.
    """
    given = path_text(path)
    target = os.path.realpath(given)
    folder, name = os.path.split(target)
    beside = os.path.join(folder, f".{name}.saving")
    try:
        with _written_beside(target, beside) as file:
            yield file
        _sync_folder(folder)
    except OSError as error:
        if error.filename not in (target, beside, folder):  # not of ours
            raise
        raise OSError(error.errno, error.strerror, given) from error


@contextmanager
def _written_beside(target: str, beside: str) -> Iterator[IO[bytes]]:
    """The file beside, which takes the place of the target."""
    mode = _mode(target)
    with _alone(beside) as file:
        try:
            if mode is not None:
                os.chmod(beside, mode)
            yield file
            file.flush()
            os.fsync(file.fileno())
            if sys.platform == "win32":  # which renames no open file
                file.close()
            os.replace(beside, target)
        except BaseException:
            if sys.platform == "win32":
                file.close()
            with suppress(OSError):  # while it is ours alone
                os.unlink(beside)
            raise


def path_text(path: Any) -> str:
    """The path as text. Raises TypeError for what is none."""
    try:
        return os.fsdecode(path)
    except TypeError:
        raise TypeError(f"path: got {path!r}, expected the path of a file, a str or an os.PathLike") from None


def _mode(target: str) -> int | None:
    """The permissions of a file, or None if there is none. Raises OSError for what is there and no plain file."""
    try:
        found = os.stat(target).st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(found):
        raise IsADirectoryError(errno.EISDIR, "a folder, expected the path of a file", target)
    if not stat.S_ISREG(found):
        raise OSError(errno.EINVAL, "a device or a pipe, expected the path of a file", target)
    return stat.S_IMODE(found)


@contextmanager
def _alone(path: str) -> Iterator[IO[bytes]]:
    """The file, empty, and written by nobody else until it is closed."""
    # Not through a link that somebody else laid there.
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    while True:
        with os.fdopen(os.open(path, flags, 0o666), "r+b") as file:
            if not _locked(file) or _is_still(path, file):
                file.truncate()
                yield file
                return


def _locked(file: IO[bytes]) -> bool:
    """Whether there is a lock on the file now, which its end, or that of the process, takes away. Without locks, as on
    some network drives, two that write one file at once spoil it, which its reader notices."""
    if sys.platform != "win32":
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
            return True
    return False


def _is_still(path: str, file: IO[bytes]) -> bool:
    """Whether the path leads to the file: not if the one that had the lock before renamed it."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _sync_folder(folder: str) -> None:
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a drive on which folders are not brought to the disk apart
            raise
    finally:
        os.close(descriptor)
