"""The figures, each drawn from the tidy frame: wide and narrow as SVG that follows the page's theme, wide as PNG.

Every PNG carries its finding as a title and its conditions as a footnote, so that it still tells the truth when someone
copies it out of the report; around an SVG the page writes both, as text that reflows.
"""

from __future__ import annotations

import math
import re
import textwrap
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from benchmarks.report import formatting as fmt
from benchmarks.report import scaling, sizes
from benchmarks.report.canvas import (
    INK,
    MUTED,
    PAPER,
    RULE,
    SHADE,
    Captions,
    batch_axis,
    beyond,
    layout,
    log_y,
    marker_size,
    plain,
    round_values,
    ticks,
)
from benchmarks.report.drawing import Drawing, Source, finish, line, paneled, series
from benchmarks.report.frame import CASE, fastest_floor, floors_frame, in_form
from benchmarks.report.implementations import NOT_RUN, OWN, in_order, label, look, status_word
from benchmarks.report.statistics import UNCLEAR
from benchmarks.report.summary import Summary, finding
from benchmarks.results import Results, StartUp


def draw_all(results: Results, frame: pd.DataFrame, summary: Summary) -> list[Drawing]:
    """Every figure for which the run has data."""
    if frame["median_seconds"].isna().all():
        return []
    source = Source(results, in_form(frame, many=False), summary)
    if over_sizes := sizes.draw(source):
        return over_sizes
    drawings = _of_steps(source)
    many = in_form(frame, many=True)
    if many["median_seconds"].notna().any():
        drawings += _of_steps(Source(results, many, summary, many=True))
    if any(start.status == "ok" for start in results.startups):
        drawings.append(_startup(source))
    if (source.frame["peak_memory"] > 0).any():
        drawings.append(_memory(source))
    return drawings + scaling.draw(source)


def _of_steps(source: Source) -> list[Drawing]:
    """Those of one form: one step a call, or many in one call."""
    if source.frame["median_seconds"].isna().all():
        return []
    drawings = [_throughput(source)]
    if source.peers:
        drawings.append(_ratios(source))
    if source.frame["share_of_peak"].notna().any():
        drawings.append(_share_of_peak(source))
    return drawings


# --- the figures -----------------------------------------------------------------------------------------------------


def _throughput(source: Source) -> Drawing:
    columns = ["samples_per_second", "samples_per_second_low", "samples_per_second_high"]

    def draw(axes: Axes, rows: pd.DataFrame) -> None:
        for name, part in series(rows):
            line(axes, name, part, "samples_per_second")
            bounds = (part[column].to_numpy() for column in columns[1:])
            axes.fill_between(part["batch_size"], *bounds, color=look(name).light, alpha=0.2, linewidth=0, zorder=2)
        log_y(axes, source.frame[columns], plain)
        batch_axis(axes, source.frame)

    title = "Training throughput, many steps in one call"
    if not source.many:
        title = f"Training throughput: {finding(source.summary)}"
    note = (
        "Rows trained per second against batch size, both on log scales; higher is better. "
        "Bands: 95% interval of the median. A gap is a cell without a time."
    )
    return paneled(source, source.name("throughput"), title, note, "rows per second", draw, source.timed, source.panels)


def _ratios(source: Source) -> Drawing:
    peers = source.peers
    step = 0.84 / len(peers)
    offsets = {name: (place - (len(peers) - 1) / 2) * step for place, name in enumerate(peers)}
    batch_sizes = sorted(source.frame["batch_size"].unique())
    compared = source.frame["implementation"].isin(peers)
    values = source.frame.loc[compared, ["ratio_to_fastnn", "ratio_low", "ratio_high"]]
    low, high = beyond(min(0.88, values.min(axis=None)), max(1.14, values.max(axis=None)), 1.1)
    floor = low / (high / low) ** 0.08  # the strip below the lowest ratio holds the cells without a time

    def draw(axes: Axes, rows: pd.DataFrame) -> None:
        for place in range(0, len(batch_sizes), 2):
            axes.axvspan(place - 0.5, place + 0.5, color=SHADE, linewidth=0, zorder=0)
        axes.axhline(1, color=INK, linewidth=1.2, zorder=1)
        for cell in rows[rows["implementation"].isin(peers)].to_dict("records"):
            x = batch_sizes.index(cell["batch_size"]) + offsets[cell["implementation"]]
            if math.isnan(cell["ratio_to_fastnn"]):
                color = look(cell["implementation"]).light
                axes.plot(x, math.sqrt(floor * low), "x", markersize=4.5, markeredgewidth=1.2, color=color, zorder=3)
            else:
                _whisker(axes, x, cell)
        axes.set_yscale("log")
        axes.set_ylim(floor, high)
        ticks(axes.yaxis, round_values(low, high), lambda value: f"{value:g}{fmt.TIMES}")
        axes.set_xlim(-0.5, len(batch_sizes) - 0.5)
        ticks(axes.xaxis, list(range(len(batch_sizes))), lambda place: str(batch_sizes[round(place)]))
        axes.tick_params(axis="x", length=0)
        axes.set_xlabel("batch size", loc="right")

    title, own = "Against each peer of many steps in one call", "that of fastnn's epoch in one call"
    if not source.many:
        mean, words = (
            source.summary.fastest.mean,
            source.summary.fastest.label.replace("the fastest peer", "the fastest"),
        )
        title = f"Against each peer: {words} takes {fmt.ratio(mean.value)} fastnn's time (geometric mean)"
        own = "fastnn's"
    note = (
        f"Each peer's time divided by {own}, median over rounds, log scale: above the line at 1 fastnn is faster. "
        "Whiskers: 95% interval; hollow: no clear difference; cross at the bottom: no time."
    )
    return paneled(source, source.name("ratios"), title, note, "time / fastnn's time", draw, peers, source.panels)


def _share_of_peak(source: Source) -> Drawing:
    shares = source.frame["share_of_peak"]
    dtypes = list(dict.fromkeys(source.frame.loc[shares.notna(), "dtype"]))
    floors = fastest_floor(floors_frame(source.results))
    highest = max(shares.max(), floors["share_of_peak"].max()) if len(floors) else shares.max()

    def draw(axes: Axes, rows: pd.DataFrame) -> None:
        roof = rows.drop_duplicates("batch_size")
        axes.plot(roof["batch_size"], roof["memory_roof"], color=MUTED, linewidth=1, linestyle=(0, (1, 2)), zorder=1)
        for name, part in series(rows):
            line(axes, name, part, "share_of_peak")
        floor = floors.merge(roof[CASE], on=CASE)
        axes.plot(
            floor["batch_size"], floor["share_of_peak"], color=INK, linewidth=1.2, linestyle=(0, (6, 2)), zorder=3
        )
        axes.set_ylim(0, 1.12 * highest)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f}%"))
        batch_axis(axes, source.frame)

    own = source.frame.loc[source.frame["implementation"] == source.own, "share_of_peak"].max()
    form = ", many steps in one call" if source.many else ""
    title = f"Share of the machine's FMA peak, every product counted{form}: fastnn reaches {fmt.share(own)} at most"
    peaks = []
    for (threads, dtype), rows in source.frame.dropna(subset="peak_gflops").groupby(["threads", "dtype"]):
        low, high = rows["peak_gflops"].min(), rows["peak_gflops"].max()
        span = fmt.number(low) if fmt.number(low) == fmt.number(high) else f"{fmt.number(low)} to {fmt.number(high)}"
        peaks.append(f"{span} GFLOP/s {dtype} at {fmt.count(threads, 'thread')}")
    where = "beside each case" if any(cell.peaks for cell in source.results.cells) else "in the same run"
    note = (
        f"Operations per second as a share of the {fmt.listed(dtypes)} FMA peak measured {where} "
        f"({fmt.listed(peaks)}). Every product counts, also those with inputs that are zero, which fastnn leaves out: "
        "with images it can pass 100%. Dotted: what the memory bandwidth would allow if nothing stayed in cache."
        + (
            " Dashed, without markers: a step that takes as long as its matrix products alone by BLAS."
            if len(floors)
            else ""
        )
    )
    return paneled(
        source, source.name("share_of_peak"), title, note, "share of FMA peak", draw, source.timed, source.panels
    )


def _memory(source: Source) -> Drawing:
    gained = source.frame["peak_memory"].where(source.frame["peak_memory"] > 0)

    def draw(axes: Axes, rows: pd.DataFrame) -> None:
        for name, part in series(rows):
            line(axes, name, part.assign(gained=gained), "gained")
        log_y(axes, gained.to_frame(), lambda value: re.sub(r"\.0+\b", "", fmt.bytes_(value)))
        batch_axis(axes, source.frame)

    largest = source.frame["batch_size"].max()
    # Within one model: others hold other parameters, and not every peer trains each.
    there = source.frame[(source.frame["batch_size"] == largest) & gained.notna()]
    leanest = there.loc[there.groupby(["model", "threads"])["peak_memory"].idxmin(), "implementation"]
    title = (
        f"Peak memory at batch {largest:,}: fastnn needs the least in {(leanest == OWN).sum()} of {len(leanest)} cases"
    )
    note = (
        "What a process's memory grew by while it trained, against batch size; both on log scales. Lower is better. "
        "A case without growth has no point."
    )
    return paneled(source, "memory", title, note, "peak memory", draw, source.timed, source.panels, left=1.0)


def _startup(source: Source) -> Drawing:
    """Bars inside bars, all from 0: with empty caches (wide, pale), with filled caches, import alone (thin)."""
    starts = {(start.model, start.implementation): start for start in source.results.startups}
    models = list(dict.fromkeys(start.model for start in source.results.startups))
    names = in_order(start.implementation for start in source.results.startups)
    longest = max(value for start in starts.values() for value in _moments(start))
    labels = dict(zip(source.frame["model"], source.frame["model_label"], strict=True))

    def draw(axes: Axes, model: str) -> None:
        for place, name in enumerate(names):
            _start_bars(axes, place, starts.get((model, name)), longest)
        axes.set_xlim(0, 1.85 * longest)  # room for the figures beside the longest bar
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_yticks(range(len(names)), [textwrap.fill(label(name), 21) for name in names])
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.grid(axis="x", color=RULE, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("seconds", loc="right")

    own = dict.fromkeys(fmt.seconds(_moments(start)[1]) for start in starts.values() if start.implementation == OWN)
    title = f"From process start to the first step, caches filled: fastnn {fmt.listed(list(own)) or fmt.EM_DASH}"
    note = (
        "Seconds from the start of a new process, lower is better. Thin dark bar: import done; middle: first step done "
        "with filled on-disk caches; wide pale bar: first step done with empty ones. Figures in this order."
    )
    panels = [(labels.get(model, model), model) for model in models]
    height = 0.36 * len(names) + 0.1

    def render(width: float, captions: Captions | None) -> Figure:
        figure, axes = layout(width, [title for title, _ in panels], height, captions, [], left=1.55)
        for place, (_, model) in zip(axes, panels, strict=True):
            draw(place, model)
        return figure

    return finish(source, "startup", title, note, render)


def _moments(start: StartUp) -> list[float]:
    """Seconds until import, first step with filled, with empty caches; NaN for what was not measured."""
    measured = (start.import_seconds, start.cached_seconds, start.cold_seconds)
    return [math.nan if value is None else value for value in measured]


def _start_bars(axes: Axes, place: int, start: StartUp | None, longest: float) -> None:
    if start is None or start.status != "ok":
        word = NOT_RUN if start is None else status_word(start.status)
        axes.text(0.01 * longest, place, word, va="center", color=MUTED, fontsize=8)
        return
    moments = _moments(start)
    for seconds, height, alpha in zip(moments, (0.2, 0.46, 0.72), (1.0, 0.5, 0.28), strict=True):
        if seconds > 0:
            axes.barh(place, seconds, height, color=look(start.implementation).light, alpha=alpha, linewidth=0)
    end = max((value for value in moments if value > 0), default=0.0)
    words = " · ".join(f"{value:.{1 if value >= 10 else 2}f}" if value > 0 else fmt.EM_DASH for value in moments)
    axes.text(end + 0.015 * longest, place, f"{words} s", va="center", color=INK, fontsize=8)


def _whisker(axes: Axes, x: float, cell: dict[str, Any]) -> None:
    shown = look(cell["implementation"])
    bounds = cell["ratio_low"], cell["ratio_high"]
    if not any(math.isnan(bound) for bound in bounds):
        axes.plot([x, x], bounds, color=shown.light, linewidth=1.2, zorder=2)
    hollow = cell["fastnn_verdict"] == UNCLEAR
    axes.plot(
        x,
        cell["ratio_to_fastnn"],
        shown.marker,
        color=PAPER if hollow else shown.light,
        markeredgecolor=shown.light,
        markeredgewidth=1.0 if hollow else 0.0,  # an edge of the same colour would fill the notches of a cross
        markersize=marker_size(shown.marker, 5),
        zorder=3,
    )
