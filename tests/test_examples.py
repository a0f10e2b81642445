"""The scripts of `examples/`, on small settings: they end well, and print what they promise."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def run(script: str, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / script, *arguments],
        capture_output=True,
        text=True,
        env=environment,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_own_items() -> None:
    lines = run("own_items.py", "--epochs", "3").splitlines()
    assert re.fullmatch(r"gradients: \d+ compared, the largest error is \S+ of what is allowed", lines[0])
    assert lines[1] == "update: equal to NumPy's"
    losses = [float(line.rpartition(" ")[2]) for line in lines if line.startswith("epoch")]
    assert len(losses) == 3
    assert losses[-1] < losses[0]
    assert float(lines[-1].rpartition(" ")[2]) > 0.5


def test_every_example_is_run() -> None:
    assert [path.name for path in (ROOT / "examples").glob("*.py")] == ["own_items.py"]
