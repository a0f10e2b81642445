"""The on-disk cache: used by a new process, left behind by changed sources, and missed without harm."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fastnn import kernel_cache as cache

PROGRAM = """
import numpy as np, fastnn
fastnn.relu(np.ones(3, np.float32))
kernel = fastnn.relu.kernel
print(sum(kernel.stats.cache_hits.values()), sum(kernel.stats.cache_misses.values()))
"""


def run(directory: Path, **extra: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "FASTNN_CACHE_DIR": str(directory), **extra}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True, timeout=120
    )


def test_second_process_loads_what_the_first_compiled(tmp_path: Path) -> None:
    assert run(tmp_path).stdout.split() == ["0", "1"]
    assert run(tmp_path).stdout.split() == ["1", "0"]


def test_directory_that_cannot_be_made_costs_a_warning_only(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    done = run(tmp_path / "file")
    assert done.stdout.split() == ["0", "1"] or done.stdout.split() == ["0", "0"]
    assert "FASTNN_CACHE_DIR" in done.stderr


def test_directory_changes_with_the_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    before = cache.kernel_directory()
    cache._state.cache_clear()
    original = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: original(path) + b"# changed")
    after = cache.kernel_directory()
    cache._state.cache_clear()
    assert after.parent == before.parent
    assert after != before
