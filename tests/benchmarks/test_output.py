"""Whoever reads what a command prints can go away or lack a character: the command does its work all the same."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as cli
from benchmarks.cases import MODELS
from benchmarks.report import headline
from benchmarks.results import Results


@pytest.fixture
def commands(made_up, tmp_path: Path) -> dict[str, list[str]]:
    """Each command that prints, on a small results file."""
    file, readme = str(tmp_path / "results.json"), tmp_path / "README.md"
    results: Results = made_up(("fastnn", "numpy"), batch_sizes=(1,), threads=(1,), models=MODELS[:1])
    results.calls, results.scaling = [], {}
    results.save(Path(file))
    readme.write_text(f"{headline.BEGIN}\n{headline.END}\n")
    return {
        "report": ["report", file],
        "compare": ["compare", file, file],
        "headline": ["headline", file, str(readme)],
    }


@pytest.mark.parametrize("command", ["report", "compare", "headline"])
def test_nobody_reads(command: str, commands: dict[str, list[str]], tmp_path: Path):
    """As `| head` ends: exit status and files as ever, and no traceback."""
    done = subprocess.Popen(
        [sys.executable, "-m", "benchmarks", *commands[command]],
        cwd=Path(cli.__file__).parents[1],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    done.stdout.close()
    said = done.stderr.read()
    assert (said, done.wait()) == (b"", 0)
    assert (tmp_path / "report.html").exists() == (command == "report")
    assert ("fastnn" in (tmp_path / "README.md").read_text()) == (command == "headline")


@pytest.mark.parametrize("command", ["report", "compare"])
def test_a_terminal_that_is_not_utf_8(
    command: str, commands: dict[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    printed = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(printed, "ascii"))
    assert cli.main(commands[command]) == 0
    assert b"us" in printed.getvalue()
    assert (tmp_path / "report.html").exists() == (command == "report")


def test_files_are_written_before_anything_is_printed(
    commands: dict[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def fail(*_) -> None:
        raise RuntimeError("the table cannot be printed")

    monkeypatch.setattr("benchmarks.report.table.print_table", fail)
    with pytest.raises(RuntimeError, match="cannot be printed"):
        cli.main(commands["report"])
    assert (tmp_path / "report.html").exists()
