"""Batches that a user's own code makes, epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import Any


class Batches:
    """Passes over the batches of a generator, of a function that returns one, or of anything that can be gone through
    again and again.

    steps : how many batches an epoch has, after which the next goes on where it ended, and begins again at the end;
    None: an epoch is one pass.
    """

    def __init__(self, argument: str, batches: Any, steps: int | None) -> None:
        self._argument, self._steps = argument, steps
        self.once = isinstance(batches, Iterator)
        if self.once:
            self._passes: Callable[[], Iterable[Any]] = lambda: batches
        elif callable(batches):
            self._passes = batches
        elif isinstance(batches, Iterable):
            self._passes = lambda: batches
        else:
            raise TypeError(
                f"{argument}: got a {type(batches).__name__} without t, expected batches (x, t) or "
                "(x, t, sample_weight): a generator, a function that returns one, or another iterable"
            )
        self._stream: Iterator[Any] | None = None

    def epoch(self) -> Iterator[Any]:
        """The batches of the next epoch. Raises ValueError where there is none."""
        if self._steps is None:
            found = iter(self._passes())
        else:
            if self._stream is None:
                self._stream = iter(self._passes()) if self.once else self._endless()
            found = islice(self._stream, self._steps)
        for first in found:
            return chain([first], found)
        cure = (
            "; a generator gives its batches once: pass a function that returns a new one for each epoch, "
            "or steps_per_epoch"
            if self.once
            else ""
        )
        raise ValueError(f"{self._argument}: got no more batches, expected some for the next epoch{cure}")

    def _endless(self) -> Iterator[Any]:
        empty = False
        while not empty:
            empty = True
            for batch in self._passes():
                empty = False
                yield batch
