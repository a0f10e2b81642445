"""What is raced: an epoch of a model on the rows of its data set."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.cases import MODELS, Case
from benchmarks.peers.base import Batch
from benchmarks.rows import Rows

PLAIN = MODELS[1]
EPOCH_MODELS = (PLAIN, replace(PLAIN, dropout=0.2))
EPOCH_BATCH_SIZES = (1, 32, 128, 512)


@dataclass(frozen=True)
class EpochCase(Case):
    """An epoch over `rows` rows, in batches of which the last may be smaller."""

    rows: int = 0
    verified_rows: int = 0  # of the epoch that is verified

    @property
    def trained_rows(self) -> int:
        return self.rows

    @property
    def flops(self) -> int:
        """Of all steps."""
        return sum(count * Case(self.model, n).flops for n, count in self._steps())

    @property
    def bytes_moved(self) -> int:
        """Least traffic of all steps."""
        return sum(count * Case(self.model, n, self.dtype).bytes_moved for n, count in self._steps())

    @property
    def verified(self) -> EpochCase:
        """The epoch that is verified, without chance."""
        return replace(self.without_chance, rows=self.verified_rows)

    def data(self, x: NDArray, t: NDArray) -> Rows:
        """Copies of its rows x (rows, inputs) in the case's dtype, and of their labels (rows,) int64."""
        x = np.array(x[: self.rows, : self.model.sizes[0]], self.dtype, order="C")
        return x, np.array(t[: self.rows], np.int64)

    def order(self) -> NDArray[np.int64]:
        """The one in which it is verified."""
        return np.random.default_rng(0).permutation(self.rows)

    def ordered_batches(self, x: NDArray, t: NDArray) -> list[Batch]:
        """The batches of `data(x, t)` in that order."""
        x, t = self.data(x, t)
        order = self.order()
        parts = [order[first : first + self.batch_size] for first in range(0, self.rows, self.batch_size)]
        return [(x[part], t[part]) for part in parts]

    def _steps(self) -> list[tuple[int, int]]:
        """Rows of a step, and how many there are of such steps."""
        full, rest = divmod(self.rows, self.batch_size)
        return [(self.batch_size, full), (rest, 1)] if rest else [(self.batch_size, full)]
