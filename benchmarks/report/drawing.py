"""What the figures have in common: what they draw from, panels side by side, and the way into PNG and SVG."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.report import conditions
from benchmarks.report import formatting as fmt
from benchmarks.report.canvas import NARROW, RULE, STYLE, WIDE, Captions, layout, line_style, png, svg
from benchmarks.report.implementations import AT_ONCE, OWN, in_order
from benchmarks.report.summary import Summary
from benchmarks.results import Results


@dataclass(frozen=True)
class Drawing:
    """One figure of the report, drawn when it is asked for: the texts of a report need none."""

    name: str  # file name without suffix, unique in the report
    title: str  # the finding
    note: str  # what is shown and how to read it
    _footnote: str
    _render: Callable[[float, Captions | None], Figure]

    @cached_property
    def wide(self) -> str:
        """SVG element without title and footnote."""
        with matplotlib.rc_context(STYLE):
            return svg(self._render(WIDE, None), f"{self.name}-w")

    @cached_property
    def narrow(self) -> str:
        """The same for a phone."""
        with matplotlib.rc_context(STYLE):
            return svg(self._render(NARROW, None), f"{self.name}-n")

    @cached_property
    def png(self) -> bytes:
        """Wide, with title and footnote."""
        with matplotlib.rc_context(STYLE):
            return png(self._render(WIDE, Captions(self.title, self.note, self._footnote)))


@dataclass(frozen=True)
class Source:
    """What every figure draws from."""

    results: Results
    frame: pd.DataFrame  # of one form: one step a call, or many
    summary: Summary
    many: bool = False

    def name(self, figure: str) -> str:
        """Of a figure that there is of both forms."""
        return f"{figure}_many_steps" if self.many else figure

    @property
    def own(self) -> str:
        """fastnn in this form."""
        return AT_ONCE if self.many else OWN

    @property
    def peers(self) -> list[str]:
        """Implementations that are compared with it somewhere."""
        compared = (self.frame["implementation"] != self.own) & self.frame["ratio_to_fastnn"].notna()
        return in_order(self.frame.loc[compared, "implementation"])

    @property
    def panels(self) -> list[tuple[str, pd.DataFrame]]:
        """Title and rows of each model at each number of threads."""
        dtypes = self.frame["dtype"].nunique()
        panels = []
        for (_, dtype, threads), rows in self.frame.groupby(["model", "dtype", "threads"], sort=False):
            shared = fmt.count(threads, "thread").replace(" ", "\N{NO-BREAK SPACE}")
            panels.append((f"{rows['model_label'].iloc[0]}{f', {dtype}' if dtypes > 1 else ''}, {shared}", rows))
        return panels

    @property
    def timed(self) -> list[str]:
        """Implementations that have a time somewhere."""
        return in_order(self.frame.loc[self.frame["median_seconds"].notna(), "implementation"])


def series(rows: pd.DataFrame) -> Iterable[tuple[str, pd.DataFrame]]:
    """Rows of each implementation, fastnn last so that it is drawn on top."""
    for name in reversed(in_order(rows["implementation"])):
        yield name, rows[rows["implementation"] == name]


def line(axes: Axes, name: str, rows: pd.DataFrame, column: str, x: str = "batch_size") -> None:
    """Points joined by a line that breaks at cells without a time."""
    axes.plot(rows[x], rows[column], **line_style(name))


def paneled(
    source: Source,
    name: str,
    title: str,
    note: str,
    unit: str,
    draw: Callable[[Axes, pd.DataFrame], None],
    legend: list[str],
    panels: Sequence[tuple[str, pd.DataFrame]],
    left: float = 0.78,
) -> Drawing:
    """A figure with one panel for each title and its rows. left : room for the tick labels and the unit, in inches."""

    def render(width: float, captions: Captions | None) -> Figure:
        height = 2.5 if width == WIDE else 2.4
        figure, axes = layout(width, [title for title, _ in panels], height, captions, legend, left)
        for place, (_, rows) in zip(axes, panels, strict=True):
            draw(place, rows)
            place.grid(axis="y", color=RULE, linewidth=0.6, zorder=0)
            place.set_axisbelow(True)
            place.set_ylabel(unit)
            place.yaxis.set_label_coords((0.2 - left) / (width * place.get_position().width), 0.5)
        return figure

    return finish(source, name, title, note, render)


def finish(
    source: Source, name: str, title: str, note: str, render: Callable[[float, Captions | None], Figure]
) -> Drawing:
    """`render` takes a width and, for the PNG, what is written around the panels."""
    return Drawing(name, conditions.titled(title, source.results), note, conditions.short(source.results), render)
