"""Figures of a history: a curve for each quantity, training and validation in one panel."""

from __future__ import annotations

import math
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

if TYPE_CHECKING:
    from fastnn.training.history import History

# Of Okabe and Ito, which are told apart without colour vision too; and validation is dashed.
_TRAINING = {"color": "#0072B2", "linestyle": "-", "marker": "o"}
_VALIDATION = {"color": "#D55E00", "linestyle": "--", "marker": "s"}
_INK, _FAINT = "#333333", "#d9d9d9"

# Up to so many epochs each has a marker.
_MARKED = 30

# A loss that spans more than this factor is drawn on a logarithmic axis.
_SPAN = 100.0

_NOT_DRAWN = ("lr", "seconds")
_WIDTH, _HEIGHT = 5.2, 3.4  # inches, of one panel


def draw(history: History, path: str | PathLike[str] | None, ax: Axes | None, names: list[str] | None) -> Figure:
    """As `History.plot`."""
    if not len(history):
        raise ValueError("history: got no epoch, expected at least one to draw")
    for name in names or ():
        if name not in history:
            raise ValueError(f"names: got {name!r}, expected some of {', '.join(map(repr, history.names))}")
    chosen = [name for name in history.names if name not in _NOT_DRAWN] if names is None else list(names)
    if not chosen:
        raise ValueError("names: got none, expected at least one, or None")
    panels = _panels(chosen)
    if ax is not None:
        shown = {"loss": panels["loss"]} if names is None else {", ".join(panels): chosen}
        figure = ax.get_figure(root=True)
        assert figure is not None
        axes: list[Axes] = [ax]
    else:
        shown, columns = panels, min(2, len(panels))
        lines = math.ceil(len(panels) / columns)
        figure = Figure(figsize=(_WIDTH * columns, _HEIGHT * lines), layout="constrained")
        axes = [figure.add_subplot(lines, columns, k + 1) for k in range(len(panels))]
    for panel, (title, curves) in zip(axes, shown.items(), strict=True):
        _draw_panel(panel, history, title, curves)
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure


def _panels(names: list[str]) -> dict[str, list[str]]:
    """The names by what they are of: training and validation belong together."""
    panels: dict[str, list[str]] = {}
    for name in names:
        panels.setdefault(name.removeprefix("val_"), []).append(name)
    return panels


def _draw_panel(ax: Axes, history: History, title: str, curves: list[str]) -> None:
    epochs = np.array(history.epochs)
    several = len({name.removeprefix("val_") for name in curves}) > 1
    for k, name in enumerate(curves):
        validation = name.startswith("val_")
        look: dict[str, Any] = dict(_VALIDATION if validation else _TRAINING)
        if several:
            look["color"] = f"C{k}"
        if len(epochs) > _MARKED:
            look["marker"] = ""
        label = name if several else "validation" if validation else "training"
        ax.plot(epochs, history[name], label=label, linewidth=1.6, markersize=4, zorder=3, **look)
    values = np.array([history[name] for name in curves])
    finite = values[np.isfinite(values)]
    if finite.size and finite.min() > 0 and finite.max() > _SPAN * finite.min():
        ax.set_yscale("log")
        title += " (log scale)"
    ax.set_xlabel("epoch", color=_INK)
    ax.set_title(title.replace("_", " "), loc="left", fontsize=11, color=_INK)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    if len(epochs) == 1:
        ax.set_xlim(epochs[0] - 0.5, epochs[0] + 0.5)
    ax.grid(axis="y", color=_FAINT, linewidth=0.7, zorder=0)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(_INK)
    ax.tick_params(colors=_INK)
    if len(curves) > 1 or curves[0].startswith("val_"):
        ax.legend(frameon=False, labelcolor=_INK)
