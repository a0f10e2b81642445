"""Rows that are held out of the training, to validate the net on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.datasets.split import stratified_split


class Part:
    """Some rows of a source, which is not copied. rows : their indices in the source, (n,) int64, ascending."""

    def __init__(self, source: Any, rows: NDArray[np.int64]) -> None:
        self.source, self.indices, self.n = source, rows, len(rows)

    def rows(self, which: slice | NDArray) -> Any:
        """Some of the rows: those of a slice, or with these indices."""
        return self.source.rows(self.indices[which])

    def chunks(self, size: int) -> Iterator[Any]:
        """All rows in order, so many at a time."""
        for first in range(0, self.n, size):
            yield self.rows(slice(first, first + size))


def hold_out(source: Any, t: NDArray | None, fraction: float, key: int) -> tuple[Part, Part]:
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
