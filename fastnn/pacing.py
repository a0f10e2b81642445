"""Whether workers run on threads or take turns on one: what is faster at the moment.

Threads that share a step of some ten microseconds wait for each other at its end. Where other processes keep the cores
busy, the one that is waited for may not run for milliseconds, and a step takes fifty times as long as on one thread.
Workers that take turns form the same sums in the same order, so results do not depend on it.

If the present way has become slower than the other was when last timed, the net changes over at once. But that time is
from before: now and then the other way is tried again, the less often the more the last trial lost. On threads that is
seldom: they are seen to become slow, and the work of one thread does not change. In turns nothing shows that the cores
are free again.
"""

from __future__ import annotations

import math

# Seconds after which the speed of the present way is known, and looked at again. It takes so many calls, or so many
# seconds where each takes long.
_WINDOW, _CALLS, _LONG = 0.02, 4, 0.2

# A trial takes so many seconds, and as many calls; less once it has lost as much.
_TRIAL = 0.005

# Seconds between two trials, at the least, and how many times what the last one lost: a trial of threads, and of turns.
_BETWEEN_TRIALS, _TIMES_OF_THREADS, _TIMES_OF_TURNS = 1.0, 50.0, 200.0

# Threads are tried again sooner by this factor at first, and after they were fast for so many seconds; it doubles with
# each such trial that fails. The first steps of all touch memory for the first time; other processes come and go.
_SOONER, _FAST = 1 / 16, 0.25

# The first call of a trial in turns may compile something, if it takes more than so many times as long as on threads.
_COMPILES = 3.0


class Pace:
    """Which way the calls of one net take, from how long they took.

    threaded : whether the next call shall run on threads. The first call after a change of ways may compile, wake
    threads, or fetch what the other core has written: it counts only in a trial of calls so long that few are made, and
    where it does not decide wrongly. Several threads may call at a time; then some calls are counted for nothing.
    """

    def __init__(self) -> None:
        self.threaded = True
        self._speeds = {True: math.inf, False: math.inf}  # seconds per row, when last known
        self._begun = False  # whether the first call of this way is over
        self._trying, self._until_trial, self._patience = False, 0.0, _SOONER
        self._held = 0.0  # seconds since this way was chosen
        self._restart()

    def _restart(self) -> None:
        self._sums = 0.0, 0, 0  # seconds, rows, calls

    def took(self, threaded: bool, seconds: float, rows: int) -> None:
        """A call on so many rows, at least 1, took so long, on threads or in turns."""
        if threaded != self.threaded:
            return  # another thread has chosen meanwhile
        if not self._begun:
            self._begun = True
            most = (1.0 if threaded else _COMPILES) * rows * self._speeds[not threaded]
            if not self._trying or seconds < _TRIAL or seconds > most:
                return
        # Read once, and written in one assignment: another thread may do so too.
        total, all_rows, calls = self._sums
        self._sums = total, all_rows, calls = total + seconds, all_rows + rows, calls + 1
        if self._trying:
            lost = total - all_rows * self._speeds[not threaded]
            if lost >= _TRIAL or (total >= _TRIAL and calls >= _CALLS):
                self._speeds[threaded] = total / all_rows
                self._end_trial(total, lost)
        elif total >= _WINDOW and (calls >= _CALLS or total >= _LONG):
            self._speeds[threaded] = total / all_rows
            self._look(total)

    def _end_trial(self, seconds: float, lost: float) -> None:
        """After so long a trial, which lost so much against the other way."""
        self._trying = False
        if lost <= 0:
            self._held = seconds
            self._expect_trial(0.0)
            self._restart()
            return
        self._change()
        self._expect_trial(lost)
        if not self.threaded:
            self._patience = min(1.0, 2 * self._patience)

    def _look(self, seconds: float) -> None:
        """At both speeds, after so many seconds more of the present way."""
        self._held, self._until_trial = self._held + seconds, self._until_trial - seconds
        if self._until_trial <= 0:
            self._trying = True
            self._change()
        elif self._speeds[self.threaded] > self._speeds[not self.threaded]:
            if self.threaded:
                # If they were fast for a moment alone, the trial that chose them was in error.
                self._patience = _SOONER if self._held >= _FAST else min(1.0, 2 * self._patience)
            self._held = 0.0
            self._change()
            self._expect_trial(0.0)
        else:
            self._restart()

    def _expect_trial(self, lost: float) -> None:
        """Of the other way, after one that lost so much, or none."""
        if self.threaded:
            self._until_trial = max(_BETWEEN_TRIALS, _TIMES_OF_TURNS * lost)
        else:
            self._until_trial = self._patience * max(_BETWEEN_TRIALS, _TIMES_OF_THREADS * lost)

    def _change(self) -> None:
        self.threaded, self._begun = not self.threaded, False
        self._restart()
