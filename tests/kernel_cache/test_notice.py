"""A person at a terminal learns that something compiles; nobody else is told anything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fastnn.kernel_cache import notice

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")

# Two kernels, so that the line could come twice.
PROGRAM = """
import numpy as np, fastnn
from fastnn.kernel_cache import notice
notice.PATIENCE = {patience}
x = np.ones(3, np.float32)
fastnn.relu(x), fastnn.tanh(x)
"""


def run_at_terminal(cache: Path, patience: float = 0, options: tuple[str, ...] = (), **environment: str) -> str:
    """What the program writes to a terminal on stderr."""
    own, theirs = os.openpty()
    program = [sys.executable, *options, "-c", PROGRAM.format(patience=patience)]
    variables = {**os.environ, "FASTNN_CACHE_DIR": str(cache), **environment}
    done = subprocess.run(program, env=variables, stdout=subprocess.PIPE, stderr=theirs, timeout=200)
    os.close(theirs)
    os.set_blocking(own, False)
    try:
        written = os.read(own, 100_000).decode()
    except (BlockingIOError, OSError):  # nothing was written: Linux says EIO
        written = ""
    os.close(own)
    assert (done.returncode, done.stdout) == (0, b""), written
    return written


def test_one_line_while_the_cache_is_cold(tmp_path: Path) -> None:
    assert run_at_terminal(tmp_path).splitlines() == [notice.LINE]
    assert run_at_terminal(tmp_path) == ""


@pytest.mark.parametrize("why", ["soon done", "FASTNN_QUIET", "warnings are errors"])
def test_no_line(why: str, tmp_path: Path) -> None:
    written = {
        "soon done": lambda: run_at_terminal(tmp_path, patience=1000),
        "FASTNN_QUIET": lambda: run_at_terminal(tmp_path, FASTNN_QUIET="1"),
        "warnings are errors": lambda: run_at_terminal(tmp_path, options=("-W", "error")),
    }[why]()
    assert written == ""


def test_no_line_without_a_terminal(tmp_path: Path) -> None:
    program = [sys.executable, "-c", PROGRAM.format(patience=0)]
    variables = {**os.environ, "FASTNN_CACHE_DIR": str(tmp_path)}
    assert subprocess.run(program, env=variables, capture_output=True, check=True, timeout=200).stderr == b""


def test_a_failed_compilation_leaves_no_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    """And time adds up over short ones."""
    said = []
    monkeypatch.setattr(notice, "_wanted", lambda: True)
    monkeypatch.setattr(notice, "PATIENCE", 1000)
    own = notice.Notice()
    monkeypatch.setattr(own, "_say", lambda: said.append(True))

    def fail() -> None:
        with own.of_compilation(), own.of_compilation():
            own.compiling()
            timers.append(own._timer)
            raise ValueError("no")

    timers = []
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            fail()
    for timer in timers:
        timer.join(10)
        assert not timer.is_alive()
    assert own._timer is None
    own._spent = notice.PATIENCE
    with own.of_compilation():
        own.compiling()
        own._timer.join(10)
    assert said == [True]
