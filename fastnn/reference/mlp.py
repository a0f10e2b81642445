"""The multi-layer perceptron in plain NumPy: what `fastnn.MLP` must equal, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.activations import Activation
from fastnn.initializers import initial_weights
from fastnn.losses import LossChoice
from fastnn.optimizers import Optimizer
from fastnn.reference import affine, softmax
from fastnn.reference.precision import in_float64


@in_float64
def _sigmoid(z: NDArray) -> NDArray:
    e = np.exp(-np.abs(z))  # 1 / (1 + exp(-z)) overflows where z is below -709
    return np.where(z < 0, e, 1) / (1 + e)


class MLP:
    """Affine layers with an activation between them, and a loss on the last; as `fastnn.MLP`, but for its speed."""

    def __init__(
        self,
        sizes: Sequence[int],
        activation: str = "sigmoid",
        loss: Any = "softmax_cross_entropy",
        init: str | float | None = None,
        dtype: str = "float32",
        seed: int | None = 0,
    ) -> None:
        self._activation, self._loss = Activation.find("activation", activation), LossChoice.find("loss", loss)
        self._weights = initial_weights(sizes, self._activation.init if init is None else init, seed, dtype)
        # Of each optimizer: the steps made, and the moments of each array.
        self._states: dict[Optimizer, tuple[int, list[list[NDArray]]]] = {}

    def forward(self, x: NDArray) -> NDArray:
        """The last layer's affine output (n, outputs): the logits."""
        return self._layers(x)[-1][1]

    def predict_proba(self, x: NDArray) -> NDArray:
        """softmax(forward(x)), or sigmoid(forward(x)) where each output has a probability of its own."""
        z = self.forward(x)
        return softmax.softmax(z) if self._loss.item.output == "softmax" else _sigmoid(z)

    def predict(self, x: NDArray) -> NDArray:
        """What the loss makes of forward(x): labels, signs, rates, or values."""
        z, output = self.forward(x), self._loss.item.output
        if output == "softmax":
            return z.argmax(axis=1)
        if output in ("sigmoid", "sign"):
            answers = np.where(z > 0, 1, 0 if output == "sigmoid" else -1)
            return answers[:, 0] if answers.shape[1] == 1 else answers
        return in_float64(np.exp)(z) if output == "exp" else z

    def gradients(self, x: NDArray, t: NDArray, sample_weight: Any = None) -> tuple[float, list[NDArray]]:
        """The loss, and its gradient for each array of `get_weights()`."""
        layers = self._layers(x)
        loss, delta = self._loss.reference(layers[-1][1], t, sample_weight)
        found: list[NDArray] = []
        for k in reversed(range(1, len(layers))):
            dx, dw, db = affine.affine_backward(delta, layers[k - 1][1], self._weights[2 * k - 2])
            found = [dw, db, *found]
            if k > 1:
                delta = self._activation_backward(dx, *layers[k - 1])
        return float(loss), found

    def train_step(self, x: NDArray, t: NDArray, optimizer: Optimizer, sample_weight: Any = None) -> float:
        """Forward, loss, backward, update; the loss before the update. Of the optimizer only its numbers and the
        reference of its rule are used."""
        loss, gradients = self.gradients(x, t, sample_weight)
        rule = optimizer.rule
        steps, moments = self._states.get(optimizer, (0, [[] for _ in gradients]))
        numbers = {name: optimizer.values[name] for name in rule.hyper}
        if "step" in rule.numbers:
            numbers["step"] = steps + 1
        for w, g, own in zip(self._weights, gradients, moments, strict=True):
            own += [np.zeros_like(w) for _ in range(len(rule.moments) - len(own))]
            with np.errstate(all="ignore"):
                rule.reference(w, g, *own[: len(rule.moments)], **numbers)
        self._states[optimizer] = steps + 1, moments
        return loss

    def get_weights(self) -> list[NDArray]:
        """Copies of [w1, b1, w2, b2, ...]."""
        return [w.copy() for w in self._weights]

    def set_weights(self, weights: Sequence[NDArray]) -> None:
        """Copy [w1, b1, w2, b2, ...] in."""
        for own, given in zip(self._weights, weights, strict=True):
            own[...] = given

    def _activation_backward(self, dy: NDArray, x: NDArray, y: NDArray) -> NDArray:
        arguments = {"input": (x,), "output": (y,), "both": (x, y)}[self._activation.slope_of]
        return in_float64(self._activation.reference_backward)(dy, *arguments)

    def _layers(self, x: NDArray) -> list[tuple[NDArray, NDArray]]:
        """[(x, x), the first hidden layer before and after its activation, ..., (logits, logits)]."""
        rows = np.asarray(x, self._weights[0].dtype)
        layers = [(rows, rows)]
        for k in range(0, len(self._weights), 2):
            z = affine.affine_forward(layers[-1][1], self._weights[k], self._weights[k + 1])
            last = k == len(self._weights) - 2
            layers.append((z, z if last else in_float64(self._activation.reference)(z)))
        return layers
