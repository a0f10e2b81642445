"""What runs on emulated CPUs is there: a test that was renamed would be missed only where somebody emulates one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def test_every_selected_test_exists() -> None:
    """Also those of certain parameters; pytest tells, as where one is emulated, which it does not find."""
    names = [line for line in (HERE / "selected.txt").read_text().splitlines() if not line.startswith("#")]
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *names]
    found = subprocess.run(command, cwd=HERE.parents[1], capture_output=True, text=True, timeout=300, check=False)
    assert found.returncode == 0, found.stdout[-2000:] + found.stderr
