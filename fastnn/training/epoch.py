"""One epoch: each row once, batch by batch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from numpy.typing import NDArray

from fastnn.training.sources import ArraySource

# How often `report` is called, in seconds.
_REPORT_EVERY = 0.05


class EpochResult(NamedTuple):
    """The mean loss over the rows of an epoch, each before the update of its batch; how many rows and steps; and
    whether it was finished: not if it stopped at a loss that is not finite."""

    loss: float
    rows: int
    steps: int
    finished: bool


def run_epoch(
    net: Any,
    source: ArraySource,
    optimizer: Any,
    batch_size: int,
    order: NDArray | None = None,
    *,
    report: Callable[[int, float], None] | None = None,
    stops_at_nan: bool = True,
) -> EpochResult:
    """Train the net on each row of the source once, in steps of `batch_size` rows, the last one smaller.

    order : the indices of the rows, (n,) int64; None takes them as they lie. report : called some twenty times a second
    and at the end, with the rows done and their mean loss so far. Where the loss of a step is not finite, the epoch
    stops after it, unless `stops_at_nan` is False. The net counts the epoch if it is finished.
    """
    n, total, done, steps, last = source.n, 0.0, 0, 0, time.monotonic()
    for first in range(0, n, batch_size):
        which = slice(first, first + batch_size) if order is None else order[first : first + batch_size]
        x, t, weights = source.rows(which)
        loss = net.train_step(x, t, optimizer, weights)
        total, done, steps = total + loss * len(t), done + len(t), steps + 1
        if stops_at_nan and not math.isfinite(loss):
            return EpochResult(total / done, done, steps, False)
        if report is not None and (time.monotonic() - last > _REPORT_EVERY or done == n):
            report(done, total / done)
            last = time.monotonic()
    net.count_epoch()
    return EpochResult(total / done, done, steps, True)
