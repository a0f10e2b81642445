"""Every process collects the same tests: pytest-xdist compares what its workers found, and refuses any difference."""

from __future__ import annotations

import subprocess
import sys

import pytest


def test_another_process_collects_the_same_tests(request: pytest.FixtureRequest) -> None:
    """Of the files that this run is about: ids hold no time stamp, no address and no order of a set."""
    here = {item.nodeid for item in request.session.items}
    files = sorted({str(item.path) for item in request.session.items})
    collected = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "", *files],
        cwd=request.config.rootpath,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    assert collected.returncode == 0, collected.stdout
    assert here - set(collected.stdout.splitlines()) == set()
