"""Keras: `model.fit` of one epoch, on the backend that the environment names."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from benchmarks.epochs.base import EpochPeer, require_plain_loss
from benchmarks.epochs.cases import EpochCase
from benchmarks.peers.base import Formulation, own

_ACTIVATIONS = {name: name for name in ("sigmoid", "tanh", "relu", "elu", "selu", "silu", "softplus", "softsign")}
_OPTIMIZERS = {"sgd": keras.optimizers.SGD, "adam": keras.optimizers.Adam}


class KerasEpochs(EpochPeer):
    """Any depth, with the softmax cross-entropy."""

    formulation = Formulation(adam_epsilon=1e-7, epsilon_after_correction=False)
    steps_per_execution = 1

    def __init__(self, case: EpochCase, weights: list[NDArray], x: NDArray, t: NDArray) -> None:
        require_plain_loss(case)
        model, self._batch_size = case.model, case.batch_size
        activation = own(_ACTIVATIONS, "activation", model.activation)
        optimizer = own(_OPTIMIZERS, "optimizer", model.optimizer)
        keras.config.set_floatx(case.dtype)
        self._net = keras.Sequential([layers.Input(model.sizes[:1])])
        for width in model.sizes[1:-1]:
            self._net.add(layers.Dense(width, activation))
            if model.dropout:
                self._net.add(layers.Dropout(model.dropout))
        self._net.add(layers.Dense(model.sizes[-1]))
        self._net.compile(
            optimizer(model.lr),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            steps_per_execution=self.steps_per_execution,
        )
        self._net.set_weights(weights)
        self._x, self._t = x, t

    def epoch(self, order: NDArray | None) -> float:
        shuffled, x, t = order is None, self._x, self._t
        if order is not None:
            x, t = x[order], t[order]
        history = self._net.fit(x, t, batch_size=self._batch_size, epochs=1, shuffle=shuffled, verbose=0)
        return history.history["loss"][0]

    def weights(self) -> list[NDArray]:
        return [np.array(w) for w in self._net.get_weights()]


class KerasEpochsBy32(KerasEpochs):
    """32 steps in one call of TensorFlow's."""

    steps_per_execution = 32
