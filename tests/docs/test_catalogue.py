"""docs/catalogue.md says what the items declare, and no error in it is larger than its bound."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

import fastnn

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_catalogue", DOCS / "make_catalogue.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _cells(page: str) -> list[list[str]]:
    return [re.split(r"(?<!\\)\|", line)[1:-1] for line in page.splitlines() if line.startswith("|")]


def _without_errors(page: str) -> list[str | list[str]]:
    """Its lines; of the tables with errors, which depend on the CPU, rows without them."""
    lines, column = [], None
    for line in page.splitlines():
        if not line.startswith("|"):
            column = None
            lines.append(line)
            continue
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if "error" in cells:
            column = cells.index("error")
        lines.append([cell for k, cell in enumerate(cells) if k != column])
    return lines


def test_the_page_is_up_to_date(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "error", lambda name: 0.0)
    written, made = script.PAGE.read_text(encoding="utf-8"), script.page()
    assert _without_errors(written) == _without_errors(made), "write it again with python docs/make_catalogue.py"


def test_errors_are_within_their_bounds(script: ModuleType) -> None:
    found = 0
    for cells in _cells(script.PAGE.read_text(encoding="utf-8")):
        name = re.match(r" `(\w+)`", cells[0])
        if name is None or len(cells) != 7:
            continue
        functions = [name[1]] if ";" not in cells[5] else [name[1], f"{name[1]}_backward"]
        for function, error in zip(functions, cells[5].split(";"), strict=True):
            found += 1
            assert float(error) <= getattr(fastnn, function).declaration.ulps
    assert found == 2 * len(fastnn.Activation.by_name) + len(fastnn.Loss.by_name)


def test_an_error_is_measured(script: ModuleType) -> None:
    assert 0.4 < script.error("sigmoid") <= fastnn.sigmoid.declaration.ulps


def test_the_gallery_shows_every_activation(script: ModuleType) -> None:
    titles = [axes.get_title() for axes in script.gallery().axes]
    assert [title for title in titles if title] == list(fastnn.Activation.by_name)
    assert script.FIGURE.is_file()
