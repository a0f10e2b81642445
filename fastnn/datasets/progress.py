"""A one-line progress display for downloads."""

import sys
import time
from types import TracebackType

_INTERVAL_S = 0.1


class Progress:
    """Shows how many bytes of a file have arrived, on stderr, and only where that is a terminal."""

    def __init__(self, label: str, done: int, total: int | None) -> None:
        """Bytes that are `done` already, and in `total`: None where the server does not tell."""
        self._label = label
        self._done = done
        self._total = total
        # sys.stderr is None in a process without a console.
        self._stream = sys.stderr if sys.stderr is not None and sys.stderr.isatty() else None
        self._next_at = 0.0

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Show the last figure and end the line."""
        if self._stream is not None:
            self._show()
            print(file=self._stream, flush=True)

    def update(self, done: int) -> None:
        """Show that `done` bytes are here, at most ten times a second."""
        self._done = done
        if self._stream is not None and time.monotonic() >= self._next_at:
            self._next_at = time.monotonic() + _INTERVAL_S
            self._show()

    def _show(self) -> None:
        share = f"{self._done / self._total:4.0%} of {self._total / 1e6:.1f} MB" if self._total else ""
        print(f"\r{self._label}: {share or f'{self._done / 1e6:.1f} MB'}", end="", file=self._stream, flush=True)
