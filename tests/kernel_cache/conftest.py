"""A module of small kernels, imported anew as often as a test likes: each import is a new process to the cache."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from fastnn.kernel_cache import key, numba_cache
from fastnn.kernel_cache.turns import Turns

SOURCE = """
from fastnn.jit import kernel

@kernel
def twice(x):
    return x + x

@kernel
def third(x):
    return x[2]

@kernel
def calling(x):
    return twice(x) + x
"""


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a process that has not warned yet."""
    monkeypatch.setenv("FASTNN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(numba_cache, "_warned", False)
    monkeypatch.setattr(numba_cache, "_TURNS", Turns())
    return tmp_path / "cache"


@pytest.fixture
def scratch(directory: Path, tmp_path: Path) -> Path:
    """The file of the kernels."""
    file = tmp_path / "scratch.py"
    file.write_text(SOURCE)
    return file


@pytest.fixture
def load(scratch: Path) -> Callable[[], ModuleType]:
    """Import the kernels anew."""

    def import_anew() -> ModuleType:
        key.file_digest.cache_clear()
        spec = importlib.util.spec_from_file_location("scratch", scratch)
        module = importlib.util.module_from_spec(spec)
        # Not by the loader, which takes a file that is edited within a second for the old one.
        exec(compile(scratch.read_text(), scratch, "exec", dont_inherit=True), vars(module))
        return module

    return import_anew


def hits_and_misses(dispatcher: object) -> tuple[int, int]:
    """How many types were loaded from disk, and how many compiled."""
    return sum(dispatcher.stats.cache_hits.values()), sum(dispatcher.stats.cache_misses.values())


def files(directory: Path) -> list[Path]:
    """All that holds compiled code."""
    return sorted(path for path in directory.rglob("*") if path.is_file() and path.name != "lock")
