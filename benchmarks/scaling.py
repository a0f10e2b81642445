"""How a training step grows: with the batch, with the width and depth of the network, with threads.

Each sweep is a small race of its own, verified and paired like the large one, among those who are cheap to prepare.
The batch is swept on the model with the shortest rows, so that what grows with it is not the rows themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.cases import Case, Model, grid
from benchmarks.race import Plan

PEERS = ("fastnn", "numpy", "pytorch")
PLAN = Plan(rounds=9, min_rounds=3, case_seconds=0.4)  # curves over decades: no verdicts are drawn from them

BATCH_SIZES = (512, 2048, 8192, 65536)
WIDTHS = (16, 64, 256, 1024, 2048)
DEPTHS = range(1, 7)
ROWS = 128  # where the batch is not what is swept
THREADED_ROWS = 512  # enough that every implementation shares a step

DEEP = Model((8, 128, 128, 2), "relu", "adam", lr=1e-3, data="pima")
WIDE = Model((784, 1024, 1024, 10), "relu", "adam", lr=1e-3)


def hidden(*widths: int) -> Model:
    """A network for images with these hidden layers."""
    return Model((784, *widths, 10), "relu", "adam", lr=1e-3)


def sweeps(on: Callable[[Model], Model], threads: Sequence[int], dtype: str) -> dict[str, list[Case]]:
    """The cases of each sweep by its name; `on` puts a model on the run's data."""
    return {
        "batch": grid([on(DEEP)], BATCH_SIZES, [1], dtype),
        "width": grid([on(hidden(width)) for width in WIDTHS], [ROWS], [1], dtype),
        "depth": grid([on(hidden(*[128] * depth)) for depth in DEPTHS], [ROWS], [1], dtype),
        "threads": grid([on(WIDE)], [THREADED_ROWS], threads, dtype),
    }
