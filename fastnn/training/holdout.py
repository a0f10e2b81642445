"""Rows that are held out of the training, to validate the net on."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from fastnn.datasets.split import stratified_split
from fastnn.training.sources import ArraySource, MappedSource, Rows


class Part:
    """Some rows of a source, which are not copied. indices : theirs in the source, (n,) int64, ascending."""

    def __init__(self, source: ArraySource | MappedSource, indices: NDArray[np.int64]) -> None:
        self._source, self.indices, self.n = copy.copy(source), indices, len(indices)
        # The source goes through as many rows as it has: those of an order.
        self._source.n = self.n

    def pieces(self, order: NDArray | None, batch_size: int) -> Iterator[tuple[ArraySource, NDArray | None]]:
        """As those of the source; `order` has numbers of these rows, from 0 on."""
        return self._source.pieces(self.indices if order is None else self.indices[order], batch_size)

    def targets(self) -> tuple[NDArray, NDArray | None]:
        """Of these rows, with their weights."""
        t, weights = self._source.targets()
        return t[self.indices], None if weights is None else weights[self.indices]

    def chunks(self, size: int) -> Iterator[Rows]:
        """All rows as they lie, up to so many at a time."""
        for piece, order in self.pieces(None, size):
            if order is None:
                yield from piece.chunks(size)
                continue
            for first in range(0, self.n, size):
                yield piece.rows(order[first : first + size])


def hold_out(source: ArraySource | MappedSource, t: NDArray | None, fraction: float, key: int) -> tuple[Part, Part]:
    """The rows to train on, and those held out, drawn from the key; with targets t a like fraction of each class.

    t : as the net takes them, labels (n,) or rows, or None. Raises ValueError naming the argument.
    """
    n = source.n
    count = max(1, round(n * fraction))
    if n - count < 1:
        raise ValueError(f"validation_split: got {fraction} of {n} rows, expected to leave some to train on")
    classes = np.zeros(n, np.int64) if t is None else _classes(t)
    train, held = stratified_split(classes, count, key % 2**32)
    return Part(source, np.sort(train)), Part(source, np.sort(held))


def _classes(t: NDArray) -> NDArray[np.int64]:
    values, classes = np.unique(t, axis=0, return_inverse=True)
    if len(values) > max(2, len(t) // 2):
        raise ValueError(
            f"stratify: got {len(values)} different targets in {len(t)} rows, expected classes, of many rows each"
        )
    return classes.reshape(-1)
