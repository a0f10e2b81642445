"""What the scripts of this folder share: their option --out, their data, and how their figures look."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import fastnn

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which the colour-blind can tell apart; and lines and markers, which need no colour.
COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"]
LINES = ["-", (0, (5, 1.5)), (0, (1.5, 1)), (0, (6, 1.5, 1.5, 1.5)), (0, (9, 2)), (0, (3, 1, 1, 1, 1, 1))]
MARKERS = ["o", "s", "^", "D", "v", "P"]
INK, MUTED, RULE = "#1b1f24", "#5c6570", "#d9dde2"

_STYLE = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "text.color": INK,
    "axes.titlecolor": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": MUTED,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": RULE,
    "legend.frameon": False,
}


def options(doc: str | None) -> argparse.ArgumentParser:
    """A parser whose help is the docstring of the script, with the option that all scripts have."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="save the figure there; without it none is drawn")
    return parser


def load(name: str) -> fastnn.datasets.Split:
    """`fastnn.datasets.load`; where the data is nowhere to be had, the script ends with a message that says so."""
    try:
        return fastnn.datasets.load(name)
    except fastnn.datasets.DatasetError as error:
        sys.exit(f"{error}\nWithout a network, --data digits runs on the 8x8 digits that ship with fastnn.")


@contextmanager
def figure(path: Path, width: float = 9, height: float = 3.8, panels: int = 1) -> Iterator[list[Axes]]:
    """The axes of a figure, side by side, to draw on; it is saved to `path` at the end. In inches."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        made = Figure(figsize=(width, height), facecolor="white", layout="constrained")
        axes = list(made.subplots(1, panels, squeeze=False)[0])
        for place in axes:
            place.grid(True, linewidth=0.8)
            place.set_axisbelow(True)
        yield axes
        save(made, path)


def counts(axes: Axes, label: str) -> None:
    """The horizontal axis counts steps or epochs: ticks at whole numbers."""
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel(label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def save(made: Figure, path: Path) -> None:
    """Save a figure, and say where."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made.savefig(path, dpi=110, metadata={"Software": None})
    print(f"figure: {path}")
