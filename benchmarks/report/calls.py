"""Single calls: their tidy table, the grid of every call, and the verdict in words."""

from __future__ import annotations

import pandas as pd

from benchmarks.calls.catalogue import FAMILIES
from benchmarks.report import formatting as fmt
from benchmarks.report.frame import measured, measurement
from benchmarks.report.grid import Block, Grid, Row, entries
from benchmarks.report.implementations import OWN, in_order
from benchmarks.report.summary import sentences, summarize_cells, used_wider
from benchmarks.results import Results

CALL = ["function", "size", "dtype"]
# Families that the arithmetic bounds; the others are bound by the caches.
PRODUCTS = ("forward", "backward")

# Columns of the CSV file, in order; as in `frame.COLUMNS`.
COLUMNS = [
    "family",
    *CALL,
    "implementation",
    "label",
    "status",
    "reason",
    "rounds",
    "median_seconds",
    "median_seconds_low",
    "median_seconds_high",
    "gflops",
    "gbytes_per_second",
    "share_of_peak",
    "ratio_to_fastnn",
    "ratio_low",
    "ratio_high",
    "fastnn_verdict",
    "fastest",
    "max_error",
]


def calls_frame(results: Results) -> pd.DataFrame:
    """One row per call and implementation in the order of the run, columns as in COLUMNS; NaN without a time."""
    own = {cell.case: cell for cell in results.calls if cell.implementation == OWN and measured(cell)}
    ceilings = {c.dtype: c for c in results.ceilings if c.threads == 1}
    rows = []
    for cell in results.calls:
        where = {"family": cell.family, "function": cell.function, "size": cell.size, "dtype": cell.dtype}
        rows.append(where | measurement(cell, own.get(cell.case), ceilings.get(cell.dtype)))
    frame = pd.DataFrame(rows, columns=[name for name in COLUMNS if name != "fastest"])
    fastest = frame.groupby(CALL, sort=False)["median_seconds"].transform("min")
    frame.insert(COLUMNS.index("fastest"), "fastest", (frame["median_seconds"] == fastest).astype(bool))
    return frame


def calls_grid(frame: pd.DataFrame) -> Grid:
    """From `calls_frame`: a block per family, a row per call, an entry per implementation."""
    implementations = in_order(frame["implementation"])
    notes: dict[str, int] = {}
    blocks = []
    for family, part in frame.groupby("family", sort=False):
        rows = []
        for (function, size, dtype), cells in part.groupby(CALL, sort=False):
            own = cells[cells["implementation"] == OWN]
            head = f"{size}, {dtype}" if family in PRODUCTS else f"{function}, {size}, {dtype}"
            rows.append(Row(head, entries(cells, implementations, notes), _rate(family, own)))
        blocks.append(Block(FAMILIES.get(family, family), rows))
    return Grid("Call", implementations, blocks, list(notes), "call-note", "Rate of fastnn")


def call_sentences(results: Results) -> list[str]:
    """The verdict on single calls, most important first: faster, slower and unclear; the mean; where it loses."""
    return sentences(summarize_cells(results.calls, "call", used_wider(results)))


def _rate(family: str, own: pd.DataFrame) -> str:
    """Share of the FMA peak of a product, bytes per second of anything else."""
    if own.empty or own["median_seconds"].isna().all():
        return fmt.EM_DASH
    found = own.iloc[0]
    if family in PRODUCTS:
        return f"{fmt.share(found['share_of_peak'])} of peak"
    return f"{fmt.number(found['gbytes_per_second'])} GB/s"
