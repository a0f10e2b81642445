"""How long a training will go on."""

from __future__ import annotations

import time
from collections import deque
from statistics import median

# Epochs that the estimate is of: a busy moment does not move their median, and what lasts does.
_LAST = 15


class TimeLeft:
    """Of a training that begins now with its first of so many epochs: each takes the median of the last ones. Kernels
    are compiled in the first, which therefore counts as what it did once it had begun to tell how far it was."""

    def __init__(self, epochs: int) -> None:
        self._left, self._done = epochs, 0
        self._seconds: deque[float] = deque(maxlen=_LAST)
        self._begun = time.monotonic()
        # When the first epoch first told how far it is, and how far that was: by then all is compiled.
        self._told: tuple[float, float] | None = None

    def epoch_end(self) -> None:
        """An epoch has ended, and the next one begins."""
        now = time.monotonic()
        if self._done > 0:
            self._seconds.append(now - self._begun)
        elif self._told is not None and self._told[1] < 1:
            when, then = self._told
            self._seconds.append((now - when) / (1 - then))
        self._begun, self._done, self._left = now, self._done + 1, self._left - 1

    def seconds(self, fraction: float | None = None) -> float | None:
        """What is left, in seconds, when that fraction of the epoch under way is done, if it is known. None as long as
        nothing can be said."""
        now = time.monotonic()
        if not self._seconds:
            return None if fraction is None else self._in_the_first(now, fraction)
        one = median(self._seconds)
        return max(one * self._left - (now - self._begun), one * (self._left - 1), 0.0)

    def _in_the_first(self, now: float, fraction: float) -> float | None:
        if self._told is None:
            self._told = now, fraction
        when, then = self._told
        return None if fraction <= then else (now - when) / (fraction - then) * (self._left - fraction)
