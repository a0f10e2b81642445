"""What a person sees of a training under way, on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from fastnn import scalar_checks
from fastnn.training.time_left import TimeLeft

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

Report = Callable[[int, float], None]

# How often the bar is drawn, in seconds.
_EVERY = 0.1

_HIDDEN = ("lr", "seconds")


class Silent:
    """Shows nothing."""

    # What an epoch reports to, with the rows done and their mean loss so far.
    report: Report | None = None

    def begin(self, first: int, last: int, rows: int | None) -> None:
        """Before epoch `first` of those up to `last`, of so many rows each, if that is known."""

    def epoch_end(self, epoch: int, logs: Mapping[str, float]) -> None:
        """After an epoch."""

    def say(self, text: str) -> None:
        """A line that stays."""

    def end(self) -> None:
        """Whatever happens."""


class Lines(Silent):
    """A line for each epoch."""

    def begin(self, first: int, last: int, rows: int | None) -> None:
        self._last, self._left = last, TimeLeft(last - first + 1)

    def epoch_end(self, epoch: int, logs: Mapping[str, float]) -> None:
        self._left.epoch_end()
        left = self._left.seconds()
        number = f"{epoch:>{len(str(self._last))}}/{self._last}"
        more = f", {span(left)} left" if left is not None and epoch < self._last else ""
        self.say(f"epoch {number}  {numbers(logs)}  {span(logs['seconds'])}{more}")

    def say(self, text: str) -> None:
        if sys.stderr is not None:
            print(text, file=sys.stderr, flush=True)


class Bar(Silent):
    """A bar on a terminal, drawn by rich, with the loss so far, the last epoch's numbers and the time left."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn
        from rich.progress import Progress as RichProgress

        # Not refreshed by a thread of rich's, which would take turns with the training for the interpreter's lock.
        self._bar: RichProgress = RichProgress(
            TextColumn("epoch {task.fields[epoch]}/{task.fields[last]}"),
            BarColumn(bar_width=20),
            TaskProgressColumn(),
            TextColumn("{task.fields[numbers]}"),
            # rich's own estimate is that of all of the last 30 seconds, with the time in which kernels are compiled.
            TextColumn("{task.fields[left]}"),
            console=Console(stderr=True),
            auto_refresh=False,
        )
        self.report = self._report

    def begin(self, first: int, last: int, rows: int | None) -> None:
        # Without a number of rows it counts epochs.
        self._first, self._last, self._rows = first, last, rows
        # The epoch under way, and the last one that is done with its numbers.
        self._epoch, self._done, self._numbers, self._next = first, first - 1, "", 0.0
        self._left = TimeLeft(last - first + 1)
        self._task = self._bar.add_task(
            "", total=(last - first + 1) * (rows or 1), epoch=first, last=last, numbers="", left=""
        )
        self._bar.start()

    def _report(self, done: int, loss: float) -> None:
        if time.monotonic() >= self._next:
            others = self._numbers.partition("  ")[2]
            left = self._left.seconds(done / self._rows if self._rows else None)
            self._draw(self._before(self._epoch) + (done if self._rows else 0), f"loss {loss:.4g}  {others}", left)

    def _before(self, epoch: int) -> int:
        return (epoch - self._first) * (self._rows or 1)

    def epoch_end(self, epoch: int, logs: Mapping[str, float]) -> None:
        self._left.epoch_end()
        self._done, self._epoch, self._numbers = epoch, epoch, numbers(logs)
        if time.monotonic() >= self._next:
            self._draw(self._before(epoch + 1), self._numbers, self._left.seconds())
        self._epoch = min(epoch + 1, self._last)

    def _draw(self, completed: int, text: str, left: float | None = None) -> None:
        shown = "" if left is None else f"{span(left)} left"
        self._bar.update(self._task, completed=completed, epoch=self._epoch, numbers=text, left=shown, refresh=True)
        self._next = time.monotonic() + _EVERY

    def say(self, text: str) -> None:
        self._bar.console.print(text, highlight=False, markup=False)

    def end(self) -> None:
        if self._bar.live.is_started:
            # What stays on the terminal: the last epoch, and no time left.
            self._bar.columns = self._bar.columns[:-1]
            self._epoch = self._done
            self._draw(self._before(self._done + 1), self._numbers)
        self._bar.stop()


def shown(progress: bool | None) -> Silent:
    """How a training is shown: for None a bar on a terminal, if rich is installed, else lines; for True the same; for
    False nothing."""
    if progress is not None and not scalar_checks.flag("progress", progress):
        return Silent()
    if sys.stderr is None or not sys.stderr.isatty():
        return Lines()
    try:
        return Bar()
    except ImportError:
        return Lines()


def numbers(logs: Mapping[str, float]) -> str:
    """The numbers of an epoch in a line."""
    return "  ".join(f"{name} {value:.4g}" for name, value in logs.items() if name not in _HIDDEN)


def span(seconds: float) -> str:
    """A time as people read it."""
    if seconds < 0.0995:
        return f"{seconds * 1e3:.3g} ms"
    if seconds < 99.5:
        return f"{seconds:.2g} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02} min"
