"""scikit-learn's MLPClassifier, one partial_fit per step; its checks on every call are part of what users pay."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neural_network import MLPClassifier

from benchmarks.cases import Case
from benchmarks.peers.base import Formulation, Peer, own, require_plain

_ACTIVATIONS = {"sigmoid": "logistic", "tanh": "tanh", "relu": "relu"}


class _Started(MLPClassifier):
    """Starts from given weights: the public API sets them only after a first step, with Adam's moments filled.

    Two classes have two outputs with a softmax, like any other number: the public API gives them one output, which is
    another network.
    """

    def start_from(self, weights: list[NDArray]) -> None:
        self._layers = list(zip(weights[::2], weights[1::2], strict=True))

    def _init_coef(self, fan_in: int, fan_out: int, dtype: Any) -> tuple[NDArray, NDArray]:
        w, b = self._layers[len(self.coefs_)]
        return w.astype(dtype), b.astype(dtype)

    def _validate_input(self, X: Any, y: Any, incremental: bool, reset: bool) -> tuple[NDArray, NDArray]:
        X, y = super()._validate_input(X, y, incremental, reset)
        self._label_binarizer.y_type_ = "multiclass"
        return X, y if y.shape[1] > 1 else np.hstack([~y, y])


class SklearnMLP(Peer):
    """Any depth. Plain steps: no penalty, no shuffling, no momentum, the whole of a call's rows as one batch."""

    formulation = Formulation(epsilon_after_correction=False)

    def __init__(self, case: Case, weights: list[NDArray], inputs: list[Any]) -> None:
        require_plain(case)
        self._inputs, self._initial, self._case = inputs, weights, case
        self._activation = own(_ACTIVATIONS, "activation", case.model.activation)
        self._solver = own({"sgd": "sgd", "adam": "adam"}, "optimizer", case.model.optimizer)
        self._classes = np.arange(case.model.sizes[-1])
        self.restart()

    def restart(self) -> None:
        model = self._case.model
        self._net = _Started(
            hidden_layer_sizes=model.sizes[1:-1],
            activation=self._activation,
            solver=self._solver,
            learning_rate_init=model.lr,
            batch_size=self._case.batch_size,
            alpha=0.0,
            shuffle=False,
            momentum=0.0,
            nesterovs_momentum=False,
            epsilon=self.formulation.adam_epsilon,
        )
        self._net.start_from(self._initial)

    def step(self, k: int) -> float:
        return self.train(*self._inputs[k % len(self._inputs)])

    def train(self, x: NDArray, t: NDArray, shuffle: bool = False) -> float:
        """On all of these rows, batch by batch; returns the mean loss, each before the update of its batch."""
        self._net.shuffle = shuffle
        self._net.partial_fit(x, t, classes=self._classes)
        return self._net.loss_

    def weights(self) -> list[NDArray]:
        layers = zip(self._net.coefs_, self._net.intercepts_, strict=True)
        return [w.copy() for layer in layers for w in layer]
