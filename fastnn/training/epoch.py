"""One epoch: each row once, batch by batch, in compiled code."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from numpy.typing import NDArray

from fastnn.training.sources import Source
from fastnn.training.steps import Steps

# Seconds between two looks at what Python has to do: interrupts, and `report`.
_IN_ONE_CALL = 0.04


class EpochResult(NamedTuple):
    """The mean loss over the rows of an epoch, each before the update of its batch; how many rows and steps; and
    whether it was finished: not if it stopped at a loss that is not finite."""

    loss: float
    rows: int
    steps: int
    finished: bool


def run_epoch(
    net: Any,
    source: Source,
    optimizer: Any,
    batch_size: int,
    order: NDArray | None = None,
    *,
    report: Callable[[int, float], None] | None = None,
    stops_at_nan: bool = True,
) -> EpochResult:
    """Train the net on each row of the source once, in steps of `batch_size` rows, the last one smaller; each batch of
    a `BatchSource` is one step.

    order : the indices of the rows, (n,) int64; None takes them as they lie. report : called some twenty times a second
    and at the end, with the rows done and their mean loss so far. Rows of batches in which nothing weighs anything do
    not count in that mean. Where the loss of a step is not finite, the epoch stops after it, unless `stops_at_nan` is
    False. The net counts the epoch if it is finished.

    Raises what the schedule of the optimizer raises, and RuntimeError while another thread trains the net.
    KeyboardInterrupt comes between two steps: those that were made stay.
    """
    progress = _Progress(report)
    for piece, piece_order in source.pieces(order, batch_size):
        for first, n, count in _equal_batches(piece.n, piece.n if source.n is None else batch_size):
            steps = Steps.of(net, piece, optimizer, n, piece_order)
            while count and not progress.stopped:
                total, rows, made = steps.run(first, min(count, progress.steps_at_once), stops_at_nan, progress.total)
                count, first = count - made, first + made * n
                progress.add(total, rows, made, made * n, stops_at_nan)
            steps.leave_to(piece)
        if progress.stopped:
            return progress.result(finished=False)
    net.count_epoch()
    return progress.result(finished=True)


def _equal_batches(n: int, size: int) -> list[tuple[int, int, int]]:
    """Where they begin, their rows and their number: the batches of that size, and what is left of n rows."""
    full, rest = divmod(n, size)
    return [(0, size, full)] * (full > 0) + [(full * size, rest, 1)] * (rest > 0)


class _Progress:
    """The sums of an epoch so far, and how many steps take as long as Python may wait."""

    def __init__(self, report: Callable[[int, float], None] | None) -> None:
        self._report, self._counted, self._rows, self._steps = report, 0, 0, 0
        self.total, self.steps_at_once, self.stopped = 0.0, 1, False
        self._last = time.perf_counter()

    def add(self, total: float, counted: int, steps: int, rows: int, stops_at_nan: bool) -> None:
        """After one call: the sum of all losses so far; the rows that count in it; its steps, and their rows."""
        self.total, self._counted = total, self._counted + counted
        self._steps, self._rows = self._steps + steps, self._rows + rows
        self.stopped = stops_at_nan and not math.isfinite(total)
        if self._report is not None:
            self._report(self._rows, self._mean)
        now = time.perf_counter()
        wanted = steps * _IN_ONE_CALL / max(now - self._last, 1e-9)
        # The first steps may compile something, or be the first to touch memory: four times as many at most.
        self.steps_at_once = max(1, min(int(wanted), 4 * steps))
        self._last = now

    @property
    def _mean(self) -> float:
        return self.total / self._counted if self._counted else math.nan

    def result(self, finished: bool) -> EpochResult:
        return EpochResult(self._mean, self._rows, self._steps, finished)
