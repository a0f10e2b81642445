"""Ctrl-C, SIGTERM and SIGHUP: each ends the work at hand as `KeyboardInterrupt`, never the saving of its results."""

from __future__ import annotations

import _thread
import math
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
# Seconds in which further signals mean the same request: impatient fingers; service managers that send two at once.
SAME_REQUEST = 5.0
RETRY = 0.01  # seconds


class Interrupts:
    """Signals raise inside `raised()`; elsewhere they are only noted. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._raises, self._waits = clock, False, False
        self._first, self._last = 0, -math.inf

    @property
    def exit_status(self) -> int:
        """128 + the number of the first signal, as shells count; that of Ctrl-C where none was noted."""
        return 128 + (self._first or signal.SIGINT)

    def install(self) -> None:
        """From now on signals come here, to the end of the process; one that was ignored before (`nohup`) still is."""
        for number in SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._take)
        sys.unraisablehook = self._retry

    @contextmanager
    def raised(self) -> Iterator[None]:
        """A signal raises `KeyboardInterrupt` in here, one that was only noted at once."""
        try:
            self._raises = True
            if self._waits:
                self._waits = False
                raise KeyboardInterrupt
            yield
        finally:
            self._raises = False

    def _take(self, number: int, frame: FrameType | None) -> None:
        self._first = self._first or number
        if self._clock() - self._last < SAME_REQUEST:
            return
        self._last = self._clock()
        if self._raises:
            raise KeyboardInterrupt
        self._waits = True

    def _retry(self, dropped: sys.UnraisableHookArgs) -> None:
        """Python drops what a finalizer raises, and a signal may come in one: it comes again."""
        if issubclass(dropped.exc_type, KeyboardInterrupt):
            self._last = -math.inf
            # By a thread, a moment later: here it would be dropped again.
            threading.Timer(RETRY, _thread.interrupt_main, (self._first,)).start()
        else:
            sys.__unraisablehook__(dropped)
