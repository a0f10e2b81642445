"""SIGTERM, by which schedulers of clusters and containers end a job, does what Ctrl-C does."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


class Terminated(KeyboardInterrupt):
    """There was a SIGTERM."""


@dataclass
class Signals:
    """terminated : whether there was a SIGTERM."""

    terminated: bool = False


@contextmanager
def sigterm_interrupts() -> Iterator[Signals]:
    """Within it SIGTERM does what Ctrl-C does: what was learned is kept."""
    signals = Signals()

    def interrupt(*_: object) -> None:
        signals.terminated = True
        raise Terminated

    if threading.current_thread() is not threading.main_thread():  # which alone gets signals
        yield signals
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield signals
    finally:
        signal.signal(signal.SIGTERM, before)
