"""fastnn's own epoch: the compiled steps of `MLP.train_epoch` on the batches as they lie, round after round."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.cases import Case
from benchmarks.peers.base import Batch
from benchmarks.peers.fastnn_mlp import FastnnMLP
from fastnn.training.sources import source_of
from fastnn.training.steps import Steps


class FastnnEpoch(FastnnMLP):
    """Any depth. A call of compiled code for each round of the batches, which are few: what `train_epoch` does in
    Python once for an epoch of any length would count for much in a round of 16 rows, and is left out."""

    in_one_call = True

    @classmethod
    def prepare(cls, case: Case, batches: list[Batch]) -> list[Any]:
        return [np.concatenate(arrays) for arrays in zip(*super().prepare(case, batches), strict=True)]

    def __init__(self, case: Case, weights: list[Any], inputs: list[Any]) -> None:
        self._n = case.batch_size
        super().__init__(case, weights, inputs)

    def restart(self) -> None:
        super().restart()
        x, t = self._inputs
        self._batches, self._source = len(x) // self._n, source_of(self.net, x, t, None)  # whose arrays the steps use
        self._steps = Steps.of(self.net, self._source, self.optimizer, self._n, None)

    def step(self, k: int) -> float:
        return self.steps(k, 1)

    def steps(self, first: int, count: int) -> float:
        """Returns the sum of the losses."""
        total, n = 0.0, self._n
        while count:
            first %= self._batches
            wanted = min(count, self._batches - first)
            total, _, made = self._steps.run(first * n, wanted, False, total)
            first, count = first + made, count - made
        return total / n

    def first_losses(self, count: int) -> list[float]:
        """Calls return sums: a loss is what a call of one step more adds, from the start."""
        sums = [0.0]
        for steps in range(1, count + 1):
            self.restart()
            sums.append(self.steps(0, steps))
        return np.diff(sums).tolist()
