"""fastnn's own training step, through its public interface."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

import fastnn
from benchmarks.cases import Case
from benchmarks.peers.base import Batch, Peer
from benchmarks.recipes import OPTIMIZERS


class FastnnMLP(Peer):
    """Any depth."""

    @classmethod
    def prepare(cls, case: Case, batches: list[Batch]) -> list[Any]:
        return [(x, case.model.targets(t, case.dtype)) for x, t in batches]

    def __init__(self, case: Case, weights: list[NDArray], inputs: list[Any]) -> None:
        self._inputs, self._initial, self._model = inputs, weights, case.model
        model = case.model
        # Only what is not usual is given: the baseline may be a version that does not know it.
        more: dict[str, Any] = {"dropout": model.dropout} if model.dropout else {}
        if model.label_smoothing:
            more["loss"] = (model.loss, {"label_smoothing": model.label_smoothing})
        elif model.loss != "softmax_cross_entropy":
            more["loss"] = model.loss
        self.net = fastnn.MLP(model.sizes, activation=model.activation, dtype=case.dtype, **more)
        recipe = OPTIMIZERS[model.optimizer]
        self._numbers = dict(recipe.numbers) | ({"clip_norm": model.clip_norm} if model.clip_norm else {})
        self._optimizer_class = getattr(fastnn, recipe.name)
        self.restart()

    def restart(self) -> None:
        self.net.set_weights(self._initial)
        self.optimizer = self._optimizer_class(self._model.lr, **self._numbers)

    def step(self, k: int) -> float:
        x, t = self._inputs[k % len(self._inputs)]
        return self.net.train_step(x, t, self.optimizer)

    def weights(self) -> list[NDArray]:
        return self.net.get_weights()
