"""Whether workers run on threads or take turns on one: what is faster at the moment.

Threads that share a step of some ten microseconds wait for each other at its end. Where other processes keep the cores
busy, the one that is waited for may not run for milliseconds, and a step takes fifty times as long as on one thread.
Workers that take turns form the same sums in the same order, so results do not depend on it.
"""

from __future__ import annotations

# Seconds after which a way's speed is known, and looked at again; the other way is tried for less, once a second.
_WINDOW, _TRIAL, _BETWEEN_TRIALS = 0.02, 0.005, 1.0

# Calls, at the least, of which a speed is known.
_CALLS = 4


class Pace:
    """Which way the calls of one net take, from how long they took.

    threaded : whether the next call shall run on threads. The first call of each way is not counted: it may compile, or
    start threads.
    """

    def __init__(self) -> None:
        self.threaded = True
        self._speeds: dict[bool, float | None] = {True: None, False: None}  # seconds per row
        self._begun = {True: False, False: False}
        self._trying, self._since_trial = False, 0.0
        self._restart()

    def _restart(self) -> None:
        self._seconds, self._rows, self._calls = 0.0, 0, 0

    @property
    def seconds(self) -> float:
        """How long the next call should take at the most."""
        return _TRIAL if self._trying else _WINDOW

    def took(self, seconds: float, rows: int) -> None:
        """A call on so many rows took so long."""
        if not self._begun[self.threaded]:
            self._begun[self.threaded] = True
            return
        self._seconds, self._rows, self._calls = self._seconds + seconds, self._rows + rows, self._calls + 1
        if self._seconds < self.seconds or self._calls < _CALLS:
            return
        self._speeds[self.threaded] = self._seconds / self._rows
        self._since_trial = 0.0 if self._trying else self._since_trial + self._seconds
        self._choose()
        self._restart()

    def _choose(self) -> None:
        other = self._speeds[not self.threaded]
        if not self._trying and (other is None or self._since_trial >= _BETWEEN_TRIALS):
            self.threaded, self._trying = not self.threaded, True
            return
        self._trying = False
        own = self._speeds[self.threaded]
        if own is not None and other is not None and own > other:
            self.threaded = not self.threaded
