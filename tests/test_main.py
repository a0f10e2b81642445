"""python -m fastnn."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import fastnn
from fastnn import __main__
from fastnn.ops import DECLARED


def test_info(capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["info"]) == 0
    printed = capsys.readouterr().out
    for word in (fastnn.__version__, "NumPy", "vector registers", "bits", "kernel cache"):
        assert word in printed


def test_verify_fails_for_a_wrong_kernel(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    class Wrong:
        declaration = fastnn.relu.declaration

        def __call__(self, x):
            return x

    monkeypatch.setattr(__main__, "DECLARED", {"tanh": fastnn.tanh})
    assert __main__.main(["verify"]) == 0
    monkeypatch.setattr(__main__, "DECLARED", {"relu": Wrong()})
    assert __main__.main(["verify"]) == 1
    assert "WRONG" in capsys.readouterr().out


@pytest.mark.exhaustive
def test_warmup_leaves_nothing_to_compile(tmp_path: Path) -> None:
    environment = {**os.environ, "FASTNN_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "fastnn", "warmup"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr
    assert "ready in" in done.stdout
    program = """
import numpy as np, fastnn
from fastnn.step import train_step
x, t = np.ones((5, 3), np.float32), np.zeros(5, int)
fastnn.MLP((3, 2)).train_step(x, t, fastnn.Adam())
fastnn.softmax(x)
print(*(sum(k.stats.cache_misses.values()) for k in (train_step.train_step, fastnn.softmax.kernel)))
"""
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=100)
    assert done.stdout.split() == ["0", "0"], done.stderr


def test_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        __main__.main(["fly"])
    assert stopped.value.code == 2
    assert "warmup" in capsys.readouterr().err


def test_every_kernel_is_warmed() -> None:
    from fastnn.warmup import tasks

    names = [name for name, _ in tasks()]
    assert {name.split()[0] for name in names if not name.startswith("training")} == set(DECLARED)
