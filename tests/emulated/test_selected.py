"""What runs on emulated CPUs is there: a test that was renamed would be missed only where somebody emulates one."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent
NAMES = [line for line in (HERE / "selected.txt").read_text().splitlines() if not line.startswith("#")]


@pytest.mark.parametrize("name", NAMES)
def test_a_selected_test_exists(name: str) -> None:
    path, _, function = name.partition("[")[0].partition("::")
    text = (HERE.parents[1] / path).read_text()
    assert f"def {function}(" in text if function else "def test_" in text
