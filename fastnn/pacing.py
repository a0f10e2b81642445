"""Whether workers run on threads or take turns on one: what is faster at the moment.

Threads that share a step of some ten microseconds wait for each other at its end. Where other processes keep the cores
busy, the one that is waited for may not run for milliseconds, and a step takes fifty times as long as on one thread.
Workers that take turns form the same sums in the same order, so results do not depend on it.
"""

from __future__ import annotations

# Seconds after which a way's speed is known, and looked at again; the other way is tried for less. A speed takes so
# many calls, or so many seconds where each takes long.
_WINDOW, _TRIAL, _CALLS, _LONG = 0.02, 0.005, 4, 0.2

# Seconds between two trials, at the least, and how many times what the last one took. The first come sooner, by this
# factor, which doubles with each: the first steps of all touch memory for the first time, and say little.
_BETWEEN_TRIALS, _TIMES_A_TRIAL, _SOONER = 1.0, 50.0, 1 / 16


class Pace:
    """Which way the calls of one net take, from how long they took.

    threaded : whether the next call shall run on threads. The first call after a change of ways is not counted: it may
    compile, or wake threads. Several threads may call at a time; then some calls are counted for nothing.
    """

    def __init__(self) -> None:
        self.threaded = True
        self._speeds: dict[bool, float | None] = {True: None, False: None}  # seconds per row
        self._begun = False  # whether the first call of this way is over
        self._trying, self._until_trial, self._patience = False, 0.0, _SOONER
        self._restart()

    def _restart(self) -> None:
        self._sums = 0.0, 0, 0  # seconds, rows, calls

    def took(self, threaded: bool, seconds: float, rows: int) -> None:
        """A call on so many rows, at least 1, took so long, on threads or in turns."""
        if threaded != self.threaded:
            return  # another thread has chosen meanwhile
        if not self._begun:
            self._begun = True
            return
        # Read once, and written in one assignment: another thread may do so too.
        total, all_rows, calls = self._sums
        self._sums = total, all_rows, calls = total + seconds, all_rows + rows, calls + 1
        if total < (_TRIAL if self._trying else _WINDOW):
            return
        if calls < _CALLS and total < _LONG:
            return
        self._speeds[threaded] = total / all_rows
        if self._trying:
            self._until_trial = self._patience * max(_BETWEEN_TRIALS, _TIMES_A_TRIAL * total)
            self._patience = min(1.0, 2 * self._patience)
        else:
            self._until_trial -= total
        self._choose()
        self._restart()

    def _choose(self) -> None:
        other = self._speeds[not self.threaded]
        if not self._trying and (other is None or self._until_trial <= 0):
            self._change()
            self._trying = True
            return
        self._trying = False
        own = self._speeds[self.threaded]
        if own is not None and other is not None and own > other:
            self._change()

    def _change(self) -> None:
        self.threaded, self._begun = not self.threaded, False
