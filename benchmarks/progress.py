"""How far a run has come, on standard error: a bar with the time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress


class Progress(Protocol):
    """Told by those who work; one unit is one case, or what takes about as long."""

    def doing(self, what: str) -> None:
        """What is being worked on now."""

    def advance(self, units: float) -> None:
        """So much more is done."""

    def done(self, what: str) -> None:
        """A part has been finished: worth a line of its own."""


class BarProgress:
    """For a terminal."""

    def __init__(self, total: float, console: Console) -> None:
        self._bar = RichProgress(
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TextColumn("about"),
            TimeRemainingColumn(),
            TextColumn("left"),
            TextColumn("{task.description}"),
            console=console,
            transient=True,
            speed_estimate_period=120,
        )
        self._task = self._bar.add_task("", total=total)

    def __enter__(self) -> BarProgress:
        self._bar.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bar.stop()

    def doing(self, what: str) -> None:
        self._bar.update(self._task, description=what)

    def advance(self, units: float) -> None:
        self._bar.advance(self._task, units)

    def done(self, what: str) -> None:
        self._bar.console.print(what, highlight=False)


class LineProgress:
    """For a log: a line for every finished part."""

    def __init__(self, total: float, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._total, self._stream, self._clock = total, stream, clock
        self._begin, self._units = clock(), 0.0

    def __enter__(self) -> LineProgress:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return

    def doing(self, what: str) -> None:
        return

    def advance(self, units: float) -> None:
        self._units += units

    def done(self, what: str) -> None:
        fraction = min(1.0, self._units / self._total)
        left = (self._clock() - self._begin) * (1 / fraction - 1) if fraction else 0.0
        until = f", about {int(left // 60)} min {left % 60:02.0f} s left" if left >= 1 else ""
        print(f"[{fraction:4.0%}{until}] {what}", file=self._stream, flush=True)


class Part:
    """The progress of a part of the work: it advances from 0 to 1, which is `units` of the parent's."""

    def __init__(self, parent: Progress, units: float) -> None:
        self._parent, self._units = parent, units
        self.doing, self.done = parent.doing, parent.done

    def advance(self, units: float) -> None:
        self._parent.advance(units * self._units)


def progress(total: float, stream: TextIO) -> BarProgress | LineProgress:
    """What suits the stream; `total` in units."""
    console = Console(file=stream)
    return BarProgress(total, console) if console.is_terminal else LineProgress(total, stream)
