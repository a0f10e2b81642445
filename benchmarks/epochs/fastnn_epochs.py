"""fastnn's `train_epoch`, and as a yardstick a loop of its bare steps."""

from __future__ import annotations

from numpy.typing import NDArray

from benchmarks.epochs.base import EpochPeer
from benchmarks.epochs.cases import EpochCase
from benchmarks.peers.fastnn_mlp import FastnnMLP
from fastnn.training.epoch import run_epoch
from fastnn.training.sources import source_of


class FastnnEpochs(EpochPeer):
    """Any model."""

    def __init__(self, case: EpochCase, weights: list[NDArray], x: NDArray, t: NDArray) -> None:
        self._x, self._t = x, case.model.targets(t, case.dtype)
        self._batch_size = case.batch_size
        made = FastnnMLP(case, weights, [])
        self._net, self._optimizer = made.net, made.optimizer

    def epoch(self, order: NDArray | None) -> float:
        if order is None:
            return self._net.train_epoch(self._x, self._t, self._optimizer, self._batch_size)
        # What train_epoch does, in another order than it would draw.
        source = source_of(self._net, self._x, self._t, None)
        return run_epoch(self._net, source, self._optimizer, self._batch_size, order).loss

    def weights(self) -> list[NDArray]:
        return self._net.get_weights()


class FastnnSteps(FastnnEpochs):
    """Batches as they lie. An order that is given is how they are laid."""

    def __init__(self, case: EpochCase, weights: list[NDArray], x: NDArray, t: NDArray) -> None:
        super().__init__(case, weights, x, t)
        self._batches = self._cut(self._x, self._t)

    def epoch(self, order: NDArray | None) -> float:
        batches = self._batches if order is None else self._cut(self._x[order], self._t[order])
        train_step, optimizer, total = self._net.train_step, self._optimizer, 0.0
        for x, t in batches:
            total += train_step(x, t, optimizer) * len(x)
        return total / len(self._x)

    def _cut(self, x: NDArray, t: NDArray) -> list[tuple[NDArray, NDArray]]:
        cuts = [slice(first, first + self._batch_size) for first in range(0, len(x), self._batch_size)]
        return [(x[cut], t[cut]) for cut in cuts]
