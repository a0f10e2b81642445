"""How a step grows with batch, width, depth and threads, and what memory it takes beyond rows and parameters."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise, takewhile

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from benchmarks.report import formatting as fmt
from benchmarks.report.canvas import log_y, plain, ticks
from benchmarks.report.drawing import Drawing, Source, line, paneled, series
from benchmarks.report.frame import to_frame
from benchmarks.report.implementations import OWN, in_order
from benchmarks.results import Results

# Sweep -> label of its axis. A sweep that this version does not know is in the CSV file alone.
AXES = {
    "batch": "batch size",
    "width": "width of the hidden layer",
    "depth": "hidden layers of 128",
    "threads": "threads",
}

POWERS = ("batch", "width")  # on a log scale; depth and threads are small numbers


def scaling_frame(results: Results) -> pd.DataFrame:
    """As `frame.to_frame`, with the columns `sweep`, `swept` (what is on the sweep's axis) and `parameter_bytes`."""
    frames = []
    for sweep, cells in results.scaling.items():
        frame = to_frame(replace(results, cells=cells))
        sizes = [_sizes(model) for model in frame["model"]]
        values = {
            "batch": frame["batch_size"],
            "width": [max(found[1:-1]) for found in sizes],
            "depth": [len(found) - 2 for found in sizes],
            "threads": frame["threads"],
        }
        frame.insert(0, "sweep", sweep)
        frame.insert(1, "swept", values.get(sweep, 0))
        frame["parameter_bytes"] = [
            np.dtype(dtype).itemsize * sum((i + 1) * o for i, o in pairwise(found))
            for found, dtype in zip(sizes, frame["dtype"], strict=True)
        ]
        frames.append(frame.sort_values("swept", kind="stable"))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def draw(source: Source) -> list[Drawing]:
    """The figures of the sweeps that the run has."""
    frame = scaling_frame(source.results)
    if frame.empty or frame["median_seconds"].isna().all():
        return []
    drawings = [_times(source, frame)]
    batch = frame[frame["sweep"] == "batch"]
    extra = batch.assign(extra=batch["peak_memory"] - batch["parameter_bytes"])
    if (extra["extra"] > 0).any():
        drawings.append(_memory(source, extra[extra["extra"] > 0]))
    return drawings


def _times(source: Source, frame: pd.DataFrame) -> Drawing:
    panels = [(_title(sweep, rows), rows) for sweep, rows in frame.groupby("sweep", sort=False) if sweep in AXES]

    def draw_panel(axes: Axes, rows: pd.DataFrame) -> None:
        for name, part in series(rows):
            line(axes, name, part, "median_seconds", "swept")
        bounds = rows[["median_seconds", "median_seconds_low", "median_seconds_high"]]
        log_y(axes, bounds, _seconds)
        _swept_axis(axes, rows)

    title = f"A step as it grows: {_growth(frame)}"
    note = (
        "Median time of a training step, lower is better; times, batch and width on log scales. One thread where "
        "threads are not swept. Every point is a verified, paired race of its own; a gap is a cell without a time."
    )
    timed = in_order(frame.loc[frame["median_seconds"].notna(), "implementation"])
    return paneled(source, "scaling", title, note, "time per step", draw_panel, timed, panels)


def _memory(source: Source, frame: pd.DataFrame) -> Drawing:
    def draw_panel(axes: Axes, rows: pd.DataFrame) -> None:
        for name, part in series(rows):
            line(axes, name, part, "extra", "swept")
        log_y(axes, rows[["extra"]], lambda value: re.sub(r"\.0+\b", "", fmt.bytes_(value)))
        _swept_axis(axes, rows)

    title = "Peak memory beyond rows and parameters"
    own = frame[frame["implementation"] == OWN]
    if not own.empty:
        low, high = own["extra"].min(), own["extra"].max()
        between = f"batch {own['swept'].min():,} to {own['swept'].max():,}"
        title += f": fastnn {fmt.bytes_(low)} to {fmt.bytes_(high)}, {between}"
    note = (
        "What a process gains while it trains, without the parameters themselves and the rows, which it holds before; "
        "moments and gradients are in it. Log scales, lower is better. Nothing gained is no point."
    )
    names = in_order(frame["implementation"])
    panels = [(_title("batch", frame), frame)]
    return paneled(source, "memory_by_batch", title, note, "peak memory", draw_panel, names, panels, left=1.0)


def _swept_axis(axes: Axes, rows: pd.DataFrame) -> None:
    values = sorted(rows["swept"].unique())
    if rows["sweep"].iloc[0] in POWERS:
        axes.set_xscale("log")
        axes.set_xlim(values[0] / 1.4, values[-1] * 1.4)
    else:
        axes.set_xlim(values[0] - 0.3, values[-1] + 0.3)
    ticks(axes.xaxis, values, plain)
    axes.set_xlabel(AXES[rows["sweep"].iloc[0]], loc="right")


def _title(sweep: str, rows: pd.DataFrame) -> str:
    """What stays the same in the panel."""
    label, batch = rows["model_label"].iloc[0], rows["batch_size"].iloc[0]
    if sweep == "width":
        label = re.sub(r"-\d+-", "-width-", label, count=1)
    if sweep == "depth":
        label = re.sub(r"(-128)+-", "-128-…-", label, count=1)
    return label if sweep == "batch" else f"{label}, batch {batch:,}"


def _growth(frame: pd.DataFrame) -> str:
    """How often fastnn has the lowest time, counted over all points."""
    compared = frame[(frame["implementation"] == OWN) & frame["median_seconds"].notna()]
    return f"fastnn is fastest in {int(compared['fastest'].sum())} of {fmt.count(len(compared), 'point')}"


def _seconds(value: float) -> str:
    return re.sub(r"\.0+\b", "", fmt.seconds(value))


def _sizes(model: str) -> list[int]:
    """The widths in a model's name."""
    return [int(word) for word in takewhile(str.isdigit, model.split("-"))]
