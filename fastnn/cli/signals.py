"""Ctrl-C, and SIGTERM, by which schedulers of clusters and containers end a job: each ends the work at hand, neither
the saving of what was learned."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Terminated(KeyboardInterrupt):
    """There was a SIGTERM."""


class Interrupts:
    """What signals do: each raises KeyboardInterrupt, or `Terminated`.

    saves : there is something to save, in `saving`. From the first signal on, others are then ignored until it is
    saved: of people who press Ctrl-C twice, and of a terminal and a service manager that send one each.
    terminated : whether the first signal was a SIGTERM.
    """

    def __init__(self, saves: bool = False) -> None:
        self.terminated = False
        self._saves, self._holds, self._first = saves, False, 0

    def take(self, number: int, frame: FrameType | None) -> None:
        """The handler of both signals."""
        if not self._first:
            self._first, self.terminated = number, number == signal.SIGTERM
        if self._holds:
            return
        self._holds = self._saves
        raise self._error(number)

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Within it no signal raises. The first of all, if it comes here, raises at the end."""
        earlier, self._holds = self._first, True
        try:
            yield
        finally:
            self._holds = self._saves = False
        if self._first and not earlier:
            raise self._error(self._first)

    @staticmethod
    def _error(number: int) -> KeyboardInterrupt:
        return Terminated() if number == signal.SIGTERM else KeyboardInterrupt()


@contextmanager
def interrupts(saves: bool = False) -> Iterator[Interrupts]:
    """Within it both signals do what `Interrupts` says. A Ctrl-C that is ignored, as of a job in the background of a
    script, still is."""
    found = Interrupts(saves)
    if threading.current_thread() is not threading.main_thread():  # which alone gets signals
        yield found
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for number, handler in before.items():
            if handler != signal.SIG_IGN or number == signal.SIGTERM:
                signal.signal(number, found.take)
        yield found
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
