"""The folders of the cache: one per state of the package's sources and versions; unused folders are removed."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

import llvmlite
import numba
import numpy

from fastnn.cache_directory import cache_directory

PACKAGE = Path(__file__).parents[1]

# Files and folders of the package that contain no kernel. All others are hashed, including ones added later.
NEVER_COMPILED = (
    "__init__.py",
    "__main__.py",
    "cache_directory.py",
    "callbacks.py",
    "cli",
    "datasets",
    "gradient_check.py",
    "initializers.py",
    "interop",
    "mlp.py",
    "numerical.py",
    "ops",
    "pacing.py",
    "preparation.py",
    "reference",
    "regularization.py",
    "saving",
    "schedules.py",
    "sklearn",
    "threads.py",
    "training",
    "warmup.py",
)

_DAYS_UNUSED = 30


def kernel_directory() -> Path | None:
    """The folder of entries: in `$FASTNN_CACHE_DIR/kernels`, or in `kernels` in the user's cache folder, one folder per
    state of the sources and versions; None if the home directory is unknown."""
    own, state = os.environ.get("FASTNN_CACHE_DIR"), sources_state()
    root = _absolute(own) if own else cache_directory()
    return None if root is None or state is None else root / "kernels" / state


@cache
def sources_state() -> str | None:
    """A hash of the sources of kernels and of the versions of the compiler; None if no source is readable."""
    versions = (sys.implementation.cache_tag, numba.__version__, llvmlite.__version__, numpy.__version__)
    digest = hashlib.sha256(repr(versions).encode())
    sources = [p for p in sorted(PACKAGE.rglob("*.py")) if p.relative_to(PACKAGE).parts[0] not in NEVER_COMPILED]
    try:
        for source in sources:
            content = source.read_bytes()
            digest.update(f"{source.relative_to(PACKAGE).as_posix()} {len(content)}\n".encode() + content)
    except OSError:
        return None
    return digest.hexdigest()[:16] if sources else None


def make(directory: Path) -> None:
    """Create the folder unless it exists, and then remove unused siblings. Raises OSError if it cannot be created."""
    if directory.is_dir():
        return
    directory.mkdir(parents=True, exist_ok=True)
    with suppress(OSError):
        _remove_unused(directory)


@cache
def mark_used(directory: Path) -> None:
    """Update the folder's time, which shows that it is in use. A read-only folder is left to its owner."""
    with suppress(OSError):
        os.utime(directory)


def _remove_unused(current: Path) -> None:
    """Remove the folders of other states that no process has used for a month.

    Other checkouts and environments keep theirs. A process that does lose its folder compiles again.
    """
    for folder in current.parent.iterdir():
        if folder == current or not re.fullmatch("[0-9a-f]{16}", folder.name) or folder.is_symlink():
            continue
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > _DAYS_UNUSED * 86400:
                shutil.rmtree(folder, ignore_errors=True)


@cache
def _absolute(directory: str) -> Path | None:
    """The absolute path, the same for the life of the process even if its working directory changes."""
    try:
        return Path(directory).expanduser().absolute()
    except RuntimeError:  # `~` without a home directory
        return None
