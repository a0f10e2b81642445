"""Small tables, and the command line run within the process."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from fastnn.cli.main import main

Run = Callable[..., str]


@pytest.fixture
def fails(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command that ends with that status; the one line that it says."""

    def fails(status: int, *arguments: str) -> str:
        assert main(arguments) == status
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err.startswith("fastnn: error: ")
        assert printed.err.count("\n") == 1, printed.err
        return printed.err.removeprefix("fastnn: error: ").rstrip()

    return fails


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command that does what it should; what it prints."""

    def run(*arguments: str) -> str:
        status = main(arguments)
        printed = capsys.readouterr()
        assert status == 0, printed.err
        return printed.out

    return run


@pytest.fixture
def results(run: Run) -> Callable[..., dict[str, float]]:
    """The results of a command as numbers."""

    def results(*arguments: str) -> dict[str, float]:
        return json.loads(run(*arguments, "--json"))

    return results


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return str(path)


SPECIES = ("setosa", "versicolor", "virginica")


@pytest.fixture
def flowers(tmp_path: Path) -> str:
    """90 flowers of three species that lie far apart, in columns of very different size."""
    rng = np.random.default_rng(3)
    kinds = np.arange(90) % 3
    length, width = 5000 + 300 * kinds + 20 * rng.standard_normal(90), (kinds - 1) ** 2 + 0.1 * rng.standard_normal(90)
    rows = [[a, b, SPECIES[k]] for a, b, k in zip(length.tolist(), width.tolist(), kinds, strict=True)]
    return write_csv(tmp_path / "flowers.csv", ("length", "width", "species"), rows)


@pytest.fixture
def houses(tmp_path: Path) -> str:
    """60 houses: their price and age are linear in two features."""
    rng = np.random.default_rng(4)
    x = rng.standard_normal((60, 2))
    rows = np.column_stack([x, 3 * x[:, 0] - x[:, 1] + 0.5, x[:, 0] + x[:, 1]]).tolist()
    return write_csv(tmp_path / "houses.csv", ("rooms", "area", "price", "age"), rows)
