"""What every figure stands on: colours, layout in inches, axes, and the way into a file.

No pyplot and no lasting rcParams: nothing outside of the figures changes.
"""

from __future__ import annotations

import io
import math
import re
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from benchmarks.report.implementations import AT_ONCE, LOOKS, OWN, SPARE_LOOKS, Marker, label, look

# Colours of everything that is no implementation: (light page, dark page).
INKS = {
    "ink": ("#1b1f24", "#e6e8eb"),
    "muted": ("#5c6570", "#a0a8b2"),
    "rule": ("#d9dde2", "#3a4149"),
    "shade": ("#f3f5f7", "#20252b"),
    "paper": ("#ffffff", "#15191d"),
}
INK, MUTED, RULE, SHADE, PAPER = (light for light, _ in INKS.values())

# Grounds on which ink is read, from much slower over level to much faster: orange and blue, as colour-blind people see.
GROUNDS = (
    ("#f2a269", "#8a4316"),
    ("#f8d3b4", "#573421"),
    ("#eceef0", "#2c3238"),
    ("#d3e5f3", "#1e374c"),
    ("#a9cfe8", "#1d4a6c"),
    ("#7ab6dc", "#1a5c8a"),
    ("#4d9dcf", "#136ca6"),
)

WIDE, NARROW = 10.0, 3.8  # inches: shown about 1100 and 360 pixels wide, so that 9 points stay readable in both
PNG_DPI = 160
STYLE = {
    "font.size": 9,
    "svg.fonttype": "path",  # the same look wherever it is opened
    "svg.hashsalt": "fastnn",  # the same bytes from the same results
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": RULE,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


@dataclass(frozen=True)
class Captions:
    """Text around the panels."""

    title: str
    note: str
    footer: str


def layout(
    width: float, titles: list[str], height: float, captions: Captions | None, legend: list[str], left: float
) -> tuple[Figure, list[Axes]]:
    """Figure with one axes per title, placed in inches: `height` is that of a panel, `left` the room for its labels.

    A title that is too long for its panel goes on in a second line. Placed by hand rather than by an automatic layout,
    which draws every figure several times over.
    """
    columns = min(len(titles), 2) if width == WIDE else 1
    rows = math.ceil(len(titles) / columns)
    right, above, below = 0.2, 0.3, 0.5  # around every panel: the last two hold its title and its tick labels
    panel = width / columns - left - right
    # Characters of a title's size to an inch.
    wrapped = [textwrap.wrap(text, int(12.4 * panel), break_on_hyphens=False) for text in titles]
    # Further room above each row of panels: for the further lines of its longest title.
    more = [0.16 * (max(map(len, wrapped[row * columns :][:columns])) - 1) for row in range(rows)]
    legend_columns = 4 if width == WIDE else 2
    legend_height = 0.2 * math.ceil(len(legend) / legend_columns) + (0.12 if legend else 0)
    title = textwrap.wrap(captions.title, int(9.6 * width)) if captions else []
    note = textwrap.wrap(captions.note, int(15.2 * width)) if captions else []
    footer = textwrap.wrap(captions.footer, int(16.5 * width)) if captions else []
    head = 0.24 * len(title) + 0.16 * len(note) + (0.2 if captions else 0.04)
    foot = 0.16 * len(footer) + (0.12 if captions else 0)
    total = head + legend_height + rows * (above + height + below) + sum(more) + foot

    figure = Figure(figsize=(width, total), facecolor=PAPER)
    FigureCanvasAgg(figure)
    if captions:
        figure.text(0.1 / width, 1 - 0.1 / total, "\n".join(title), fontsize=12, fontweight="bold", va="top")
        y = 1 - (0.16 + 0.24 * len(title)) / total
        figure.text(0.1 / width, y, "\n".join(note), fontsize=8, color=MUTED, va="top", linespacing=1.35)
        figure.text(0.1 / width, 0.08 / total, "\n".join(footer), fontsize=7.5, color=MUTED, va="bottom")
    if legend:
        figure.legend(
            handles=[Line2D([], [], label=label(name), **line_style(name)) for name in legend],
            loc="upper left",
            bbox_to_anchor=(0.1 / width, 1 - head / total),
            ncols=legend_columns,
            frameon=False,
            fontsize=8.5,
            borderaxespad=0,
            borderpad=0,
            columnspacing=1.4,
            handletextpad=0.5,
            handlelength=2.2 if width == WIDE else 1.6,
        )
    axes = []
    for place, lines in enumerate(wrapped):
        row, column = divmod(place, columns)
        bottom = foot + (rows - 1 - row) * (above + height + below) + sum(more[row + 1 :]) + below
        box = (column * width / columns + left, bottom, panel, height)
        axes.append(figure.add_axes((box[0] / width, box[1] / total, box[2] / width, box[3] / total)))
        axes[-1].set_title("\n".join(lines), loc="left", fontsize=9.5, color=INK)
    return figure, axes


def line_style(name: str) -> dict[str, Any]:
    """Arguments of `Axes.plot` for an implementation; fastnn is drawn heavier and on top."""
    shown, own = look(name), name in (OWN, AT_ONCE)
    return {
        "color": shown.light,
        "marker": shown.marker,
        "linestyle": shown.line,
        "linewidth": 2.4 if own else 1.2,
        "markersize": marker_size(shown.marker, 6 if own else 4.5),
        "markeredgecolor": PAPER,
        "markeredgewidth": 0.5,
        "zorder": 4 if own else 3,
    }


def marker_size(marker: Marker, size: float) -> float:
    """Crosses and stars cover less of their square than the other markers do."""
    return 1.4 * size if marker in ("X", "P", "*", (4, 1, 0)) else size


def batch_axis(axes: Axes, frame: pd.DataFrame) -> None:
    """Log scale with a tick at every batch size of the run, thinned out where they are many."""
    sizes = sorted(frame["batch_size"].unique())
    axes.set_xscale("log")
    axes.set_xlim(sizes[0] / 1.35, sizes[-1] * 1.35)
    ticks(axes.xaxis, sizes[:: math.ceil(len(sizes) / 8)], plain)
    axes.set_xlabel("batch size", loc="right")


def log_y(axes: Axes, values: pd.DataFrame, words: Callable[[float], str]) -> None:
    """The same log scale in every panel, so that panels can be compared."""
    low, high = beyond(values.min(axis=None), values.max(axis=None), 1.3)
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    ticks(axes.yaxis, round_values(low, high), words)


def beyond(low: float, high: float, factor: float) -> tuple[float, float]:
    """Limits of a log scale that leave room for the markers of the lowest and the highest value: at least that factor,
    and a 25th of the scale."""
    room = max(factor, (high / low) ** 0.04)
    return low / room, high * room


def round_values(low: float, high: float) -> list[float]:
    """Powers of ten within the limits, with more between them the shorter the span is."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    span = high / low
    steps = (1,) if span > 1000 else (1, 2, 5) if span > 5 else (1, 1.25, 1.5, 2, 3, 4, 5, 6, 8)
    return [step * 10.0**decade for decade in decades for step in steps if low <= step * 10.0**decade <= high]


def ticks(axis: Axis, values: Iterable[float], words: Callable[[float], str]) -> None:
    """Ticks at `values` and nowhere else, in the given words."""
    axis.set_major_locator(FixedLocator(list(values)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: words(value)))
    axis.set_minor_locator(NullLocator())


def plain(value: float) -> str:
    """1, 512, 10k, 2M: for ticks, which are round; 8192 stays 8192."""
    for size, suffix in ((1e6, "M"), (1e4, "k")):
        if value >= size and value % (size / 10) == 0:
            unit = {"M": 1e6, "k": 1e3}[suffix]
            return f"{value / unit:g}{suffix}"
    return f"{value:g}" if value < 1e6 else f"{value:.0f}"


def png(figure: Figure) -> bytes:
    """The same bytes from the same figure."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=PNG_DPI, metadata={"Software": None})
    return buffer.getvalue()


def svg(figure: Figure, prefix: str) -> str:
    """The <svg> element alone, its colours as CSS variables and its ids unique, ready to stand in a page."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)  # among it the time of drawing
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', text))
    text = re.sub(r' id="([^"]+)"', lambda found: found.group() if found[1] in used else "", text)
    text = re.sub(r'( id="|href="#|url\(#)', rf"\g<1>{prefix}-", text)
    text = re.sub(r"#[0-9a-f]{6}\b", lambda found: _variable(found.group()), text)
    text = re.sub(r"\b([1-9]\d*\.\d\d)\d+", r"\1", text)  # hundredths of a point are finer than any screen
    text = re.sub(r"\s+", " ", re.sub(r"<!--.*?-->", "", text))
    # The page sets the width; the view box keeps the proportions.
    opening, rest = text.split(">", 1)
    return re.sub(r' (width|height)="[^"]*"', "", opening) + ">" + rest


def css_variables() -> dict[str, tuple[str, str]]:
    """Name of each colour's CSS variable -> its value on a light and on a dark page."""
    named = {f"--{name}": pair for name, pair in INKS.items()}
    named |= {f"--ground-{place}": pair for place, pair in enumerate(GROUNDS)}
    named |= {f"--{name}": (shown.light, shown.dark) for name, shown in LOOKS.items()}
    return named | {f"--spare-{place}": (light, dark) for place, (light, dark, _) in enumerate(SPARE_LOOKS)}


def _variable(color: str) -> str:
    found = next((name for name, (light, _) in css_variables().items() if light == color), None)
    return f"var({found})" if found else color
