"""Where fastnn is worth it: its lead over the fastest peer, for each width of a net and each batch size."""

from __future__ import annotations

import math
from bisect import bisect
from itertools import pairwise
from statistics import fmean

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from benchmarks.report import formatting as fmt
from benchmarks.report.canvas import GROUNDS, INK, PAPER, Captions, layout, ticks
from benchmarks.report.drawing import Drawing, Source, finish
from benchmarks.report.implementations import KIN, OWN, label
from benchmarks.sizes import width_of

# Lowest ratio of each ground but the first. Within a tenth both are level.
EDGES = (1 / 1.5, 1 / 1.1, 1.1, 1.5, 2.5, 5)
# Widths up to which nets are small and of middle size, in the title.
SMALL, MIDDLE = 32, 256
# Between batch sizes of 1 and 2048 there is room for so many letters.
SHORT = {
    "numpy": "NumPy",
    "numba": "Numba",
    "numpy-notes": "Notes",
    "pytorch-compiled": "compiled",
    "scikit-learn": "sklearn",
}


def draw(source: Source) -> list[Drawing]:
    """The map, if the run went over the nets of `benchmarks.sizes` and nothing else."""
    widths = source.frame["model"].map(width_of)
    if widths.isna().any() or widths.nunique() < 2:
        return []
    cells = leads(source.frame.assign(width=widths.astype(int)))
    return [_map(source, cells)] if not cells.empty else []


def leads(frame: pd.DataFrame) -> pd.DataFrame:
    """Of each width, batch size and number of threads: the fastest peer, and its time divided by fastnn's (`lead`)."""
    peers = frame[~frame["implementation"].isin((OWN, *KIN)) & frame["ratio_to_fastnn"].notna()]
    fastest = peers.loc[peers.groupby(["threads", "width", "batch_size"])["median_seconds"].idxmin()]
    return fastest.rename(columns={"ratio_to_fastnn": "lead"})


def ground(lead: float) -> str:
    """The colour of a lead."""
    return GROUNDS[bisect(EDGES, lead)][0]


def finding(cells: pd.DataFrame) -> str:
    """What one thread says, or the fewest that were run: the geometric mean over small, middling and large nets."""
    cells = cells[cells["threads"] == cells["threads"].min()]
    parts = []
    for (low, high), words in zip(
        pairwise((0, SMALL, MIDDLE, math.inf)),
        (f"up to width {SMALL}", f"up to width {MIDDLE}", f"beyond width {MIDDLE}"),
        strict=True,
    ):
        within = cells.loc[(cells["width"] > low) & (cells["width"] <= high), "lead"]
        if len(within):
            parts.append(f"{fmt.ratio(math.exp(fmean(map(math.log, within))))} {words}")
    return f"fastnn's lead over the fastest peer: {', '.join(parts)}"


def _map(source: Source, cells: pd.DataFrame) -> Drawing:
    widths, batches = (sorted(cells[name].unique()) for name in ("width", "batch_size"))
    panels = list(cells.groupby("threads"))
    layers = source.frame["model_label"].iloc[0].split(" ", 1)[1]

    def panel(axes: Axes, rows: pd.DataFrame) -> None:
        for cell in rows.to_dict("records"):
            x, y = batches.index(cell["batch_size"]), widths.index(cell["width"])
            axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=ground(cell["lead"]), edgecolor=PAPER))
            axes.text(x, y + 0.16, _digits(cell["lead"]), ha="center", va="center", fontsize=9, color=INK)
            axes.text(x, y - 0.25, _short(cell["implementation"]), ha="center", va="center", fontsize=7, color=INK)
        axes.set_xlim(-0.5, len(batches) - 0.5)
        axes.set_ylim(-0.5, len(widths) - 0.5)
        ticks(axes.xaxis, range(len(batches)), lambda place: str(batches[round(place)]))
        ticks(axes.yaxis, range(len(widths)), lambda place: str(widths[round(place)]))
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set_xlabel("batch size", loc="right")
        axes.set_ylabel("width", loc="top")

    def render(width: float, captions: Captions | None) -> Figure:
        height = 0.36 * len(widths)
        titles = [fmt.count(threads, "thread") for threads, _ in panels]
        figure, places = layout(width, titles, height, captions, [], left=0.62)
        for axes, (_, rows) in zip(places, panels, strict=True):
            panel(axes, rows)
        return figure

    peers = [label(name) for name in source.timed if name not in (OWN, *KIN)]
    note = (
        f"The fastest peer's time of a training step divided by fastnn's, and which peer that is, of "
        f"{fmt.listed(peers)}: above 1 fastnn is faster. Nets of two hidden layers as wide as the input, {layers}, on "
        "dense rows. Grey: level within a tenth; blue: fastnn leads, by 1.5, 2.5 and 5 in darker blues; orange: it is "
        "slower. Every cell is a verified, paired race of its own; an empty one has no time."
    )
    return finish(source, "sizes", finding(cells), note, render)


def _digits(lead: float) -> str:
    return f"{lead:.2f}" if lead < 1.995 else f"{lead:.1f}" if lead < 9.95 else f"{lead:.0f}"


def _short(implementation: str) -> str:
    return SHORT.get(implementation, label(implementation))
