"""A line for the person at a terminal who waits while kernels are compiled."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

# Seconds of compiling, all together, after which the line is printed.
PATIENCE = 1.0

LINE = "fastnn: compiling for this machine, once; a first training step takes about 10 s (FASTNN_QUIET=1 hides this)"


class Notice:
    """Prints the line once in a process, if it compiles for long and stderr is a terminal.

    Calls must be serialised, as Numba's compiler lock does.
    """

    def __init__(self) -> None:
        self._depth = 0
        self._spent = 0.0
        self._begun: float | None = None
        self._timer: threading.Timer | None = None
        self._done = False

    @contextmanager
    def of_compilation(self) -> Iterator[None]:
        """Around `Dispatcher.compile`, which loads or compiles a kernel, and within it those that it calls."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if self._depth == 0:
                self._end()

    def compiling(self) -> None:
        """A kernel was not found in the cache."""
        if self._done or self._begun is not None or self._depth == 0:
            return
        if not _wanted():
            self._done = True
            return
        self._begun = time.monotonic()
        # A thread: LLVM may take seconds within one call.
        self._timer = threading.Timer(max(0.0, PATIENCE - self._spent), self._say)
        self._timer.daemon = True
        self._timer.start()

    def _end(self) -> None:
        if self._begun is not None:
            self._spent += time.monotonic() - self._begun
            self._begun = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _say(self) -> None:
        self._done = True
        with suppress(OSError, ValueError):  # a terminal that went away
            print(LINE, file=sys.stderr, flush=True)


def _wanted() -> bool:
    """Whether a person would see the line, and has not switched it off, as runs in which warnings are errors do too."""
    quiet = os.environ.get("FASTNN_QUIET", "") not in ("", "0")
    strict = any(option.startswith("error") for option in sys.warnoptions)
    return not quiet and not strict and sys.stderr is not None and sys.stderr.isatty()
