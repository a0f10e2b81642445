"""fastnn's own training step, through its public interface."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

import fastnn
from benchmarks.cases import Case
from benchmarks.peers.base import Peer

_OPTIMIZERS = {"sgd": fastnn.SGD, "adam": fastnn.Adam}


class FastnnMLP(Peer):
    """Any depth."""

    def __init__(self, case: Case, weights: list[NDArray], inputs: list[Any]) -> None:
        self._inputs, self._initial, self._model = inputs, weights, case.model
        self._net = fastnn.MLP(case.model.sizes, activation=case.model.activation, dtype=case.dtype)
        self.restart()

    def restart(self) -> None:
        self._net.set_weights(self._initial)
        self._optimizer = _OPTIMIZERS[self._model.optimizer](self._model.lr)

    def step(self, k: int) -> float:
        x, t = self._inputs[k % len(self._inputs)]
        return self._net.train_step(x, t, self._optimizer)

    def weights(self) -> list[NDArray]:
        return self._net.get_weights()
