"""The tables of times, before they are Markdown, HTML or text: every cell of the run, those without a time too."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from benchmarks.report import formatting as fmt
from benchmarks.report.implementations import AT_ONCE, FORMS, NOT_RUN, OWN, in_order, label, status_word
from benchmarks.report.statistics import SLOWER, UNCLEAR

LEVEL_MARK = "≈"


@dataclass(frozen=True)
class Entry:
    """One implementation on one case, as text."""

    implementation: str
    time: str  # median time per step; without one, why in a word
    ratio: str  # to fastnn's time, "" for fastnn itself and where one of both has no time
    interval: str  # of the ratio
    verdict: str  # of fastnn against this implementation, "" where there is none
    fastest: bool
    timed: bool
    note: int | None  # number of the footnote, from 1

    @property
    def mark(self) -> str:
        """Sign of "no clear difference"."""
        return LEVEL_MARK if self.verdict == UNCLEAR else ""

    @property
    def ahead(self) -> bool:
        """Whether it is clearly faster than fastnn, and not another form of it."""
        return self.verdict == SLOWER and self.implementation not in FORMS


@dataclass(frozen=True)
class Row:
    head: str
    entries: list[Entry]
    rate: str = ""  # how close fastnn comes to what the machine can do


@dataclass(frozen=True)
class Block:
    """One model at one number of threads, or one family of calls."""

    title: str
    rows: list[Row]


@dataclass(frozen=True)
class Grid:
    head: str  # of the column that heads the rows
    implementations: list[str]
    blocks: list[Block]
    notes: list[str]  # why cells have no time; note n is notes[n - 1]
    name: str = "note"  # unique in a page: of the notes
    rate: str = ""  # head of the rows' rates, "" where they have none

    @property
    def labels(self) -> list[str]:
        return [label(name) for name in self.implementations]


def build_grid(frame: pd.DataFrame, name: str = "note") -> Grid:
    """From `in_form`: a block per model, dtype and threads; a row per batch size; an entry per implementation."""
    implementations = in_order(frame["implementation"])
    notes: dict[str, int] = {}
    blocks = []
    for (_, dtype, threads), part in frame.groupby(["model", "dtype", "threads"], sort=False):
        rows = []
        for batch_size, cells in part.groupby("batch_size", sort=True):
            rows.append(Row(f"{batch_size:,}", entries(cells, implementations, notes)))
        title = f"{part['model_label'].iloc[0]}, {dtype}, {fmt.count(int(threads), 'thread')}"
        blocks.append(Block(title, rows))
    return Grid("Batch", implementations, blocks, list(notes), name)


def entries(cells: pd.DataFrame, implementations: list[str], notes: dict[str, int]) -> list[Entry]:
    """One per implementation; reasons of cells without a time are added to `notes`, numbered from 1."""
    found = {cell["implementation"]: cell for cell in cells.to_dict("records")}
    return [_entry(name, found.get(name), notes) for name in implementations]


def _entry(name: str, cell: dict | None, notes: dict[str, int]) -> Entry:
    if cell is None:
        return Entry(name, NOT_RUN, "", "", "", fastest=False, timed=False, note=None)
    if pd.isna(cell["median_seconds"]):
        word = status_word(cell["status"])
        text = f"{label(name)}, {word}: {cell['reason'] or 'no reason was given'}"
        note = notes.setdefault(text, len(notes) + 1)
        return Entry(name, word, "", "", "", fastest=False, timed=False, note=note)
    compared = name not in (OWN, AT_ONCE) and not pd.isna(cell["ratio_to_fastnn"])
    return Entry(
        implementation=name,
        time=fmt.seconds(cell["median_seconds"]),
        ratio=fmt.ratio(cell["ratio_to_fastnn"]) if compared else "",
        interval=fmt.interval(cell["ratio_low"], cell["ratio_high"]) if compared else "",
        verdict=cell["fastnn_verdict"],
        fastest=bool(cell["fastest"]),
        timed=True,
        note=None,
    )
