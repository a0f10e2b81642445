"""How small is small? Steps over a grid of widths and batch sizes, from nets of 4 units a layer to 2048.

Every layer of a net is as wide as its input, so that one number tells how large it is. Rows are drawn at random: no
data set has rows of any width, and what a dense step takes does not depend on its numbers.
"""

from __future__ import annotations

import re

from benchmarks.cases import Model
from benchmarks.race import Plan
from benchmarks.rows import NORMAL

WIDTHS = (4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)
BATCH_SIZES = (1, 8, 32, 128, 512, 2048)
PEERS = ("fastnn", "numpy", "pytorch", "jax")
PLAN = Plan(rounds=15, case_seconds=1.2)  # two seconds a cell
# Operations of a step: the largest net on the largest batch goes without.
MOST_FLOPS = 3e10

CLASSES = 10


def net(width: int) -> Model:
    """Two hidden layers as wide as the input."""
    return Model((width, width, width, CLASSES), "relu", "adam", lr=1e-3, data=NORMAL)


def width_of(name: str) -> int | None:
    """Of the `net` of that name; None for any other model."""
    found = re.fullmatch(rf"(\d+)-\1-\1-{CLASSES}-relu-adam", name)
    return int(found[1]) if found else None
