"""python -m fastnn."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import fastnn
from fastnn import __main__, warmup
from fastnn.activations import Activation
from fastnn.losses import Loss
from fastnn.ops import DECLARED
from fastnn.optimizers import RULES
from fastnn.units import UNITS


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
    names = [name for name, _ in warmup.tasks()]
    assert len(names) == len(set(names))
    assert {name.split()[0] for name in names if "," not in name} == set(DECLARED)
    items = {*Loss.by_name, *Activation.by_name, *RULES}
    assert {name.split()[2] for name in names if name.startswith("training")} == items
    assert {name.split()[1] for name in names if name.startswith("unit")} == set(UNITS)


# The processes of the pool import it too, under another name, and so find its tasks.
THREE_TASKS = """
import os, sys
import numpy as np
import fastnn
from fastnn import __main__ as cli, warmup

def raises():
    raise ValueError("no such thing")

def three_tasks():
    yield "relu float32", lambda: fastnn.relu(np.ones(2, np.float32))
    yield "hopeless", raises
    yield "killed", lambda: os._exit(1)

warmup.tasks = cli.tasks = three_tasks
warmup.physical_cores = lambda: 1
if __name__ == "__main__":
    sys.exit(cli.main(["warmup"]))
"""


def test_warmup_says_what_failed_and_does_the_rest(tmp_path: Path) -> None:
    program = tmp_path / "three_tasks.py"
    program.write_text(THREE_TASKS)
    environment = {**os.environ, "FASTNN_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run([sys.executable, program], env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 1, done.stderr
    hopeless, killed = done.stderr.splitlines()
    assert hopeless == "hopeless: ValueError: no such thing"
    assert killed.startswith("killed: BrokenProcessPool: ")
    assert re.fullmatch(r"1 of 3 tasks ready in [\d.]+ s: \d+ MB in .*cache.*\n", done.stdout)
    assert list((tmp_path / "cache").rglob("*relu*.kernel"))


def test_warmup_shows_progress_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    def run_tasks() -> Iterator[tuple[str, None]]:
        yield "relu float32", None
        raise KeyboardInterrupt

    monkeypatch.setattr(__main__, "run_tasks", run_tasks)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert __main__.main(["warmup"]) == 130
    printed = capsys.readouterr()
    assert f"  1 of {len(list(warmup.tasks()))}  relu float32" in printed.err
    assert "interrupted" in printed.err
    assert printed.out == ""
