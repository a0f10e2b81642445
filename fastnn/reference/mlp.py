"""The multi-layer perceptron in plain NumPy: what `fastnn.MLP` must equal, step by step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fastnn.initializers import initial_weights
from fastnn.reference import activations, affine, losses, softmax
from fastnn.reference.optimizers import SGD, Adam

_FORWARD = {"sigmoid": activations.sigmoid, "tanh": activations.tanh, "relu": activations.relu}
_BACKWARD = {
    "sigmoid": activations.sigmoid_backward,
    "tanh": activations.tanh_backward,
    "relu": activations.relu_backward,
}
_LOSS = {"softmax_cross_entropy": losses.softmax_cross_entropy, "mean_squared_error": losses.mean_squared_error}


class MLP:
    """Affine layers with an activation between them, and a loss on the last; as `fastnn.MLP`, but for its speed."""

    def __init__(
        self,
        sizes: Sequence[int],
        activation: str = "sigmoid",
        loss: str = "softmax_cross_entropy",
        init: str | float | None = None,
        dtype: str = "float32",
        seed: int | None = 0,
    ) -> None:
        init = ("he" if activation == "relu" else "xavier") if init is None else init
        self.activation, self.loss = activation, loss
        self._weights = initial_weights(sizes, init, seed, dtype)

    def forward(self, x: NDArray) -> NDArray:
        """The last layer's affine output (n, outputs): the logits."""
        return self._layer_outputs(x)[-1]

    def predict_proba(self, x: NDArray) -> NDArray:
        """softmax(forward(x))."""
        return softmax.softmax(self.forward(x))

    def predict(self, x: NDArray) -> NDArray:
        """The label (n,) of the largest logit of each row; forward(x) itself for the mean squared error."""
        z = self.forward(x)
        return z.argmax(axis=1) if self.loss == "softmax_cross_entropy" else z

    def gradients(self, x: NDArray, t: NDArray) -> tuple[float, list[NDArray]]:
        """The loss, and its gradient for each array of `get_weights()`."""
        outputs = self._layer_outputs(x)
        loss, delta = _LOSS[self.loss](outputs[-1], t)
        found: list[NDArray] = []
        for layer in reversed(range(len(self._weights) // 2)):
            before = outputs[layer]
            dx, dw, db = affine.affine_backward(delta, before, self._weights[2 * layer])
            found = [dw, db, *found]
            if layer > 0:
                delta = _BACKWARD[self.activation](dx, before)
        return float(loss), found

    def train_step(self, x: NDArray, t: NDArray, optimizer: SGD | Adam) -> float:
        """Forward, loss, backward, update; the mean loss before the update."""
        loss, gradients = self.gradients(x, t)
        optimizer.step(self._weights, gradients)
        return loss

    def get_weights(self) -> list[NDArray]:
        """Copies of [w1, b1, w2, b2, ...]."""
        return [w.copy() for w in self._weights]

    def set_weights(self, weights: Sequence[NDArray]) -> None:
        """Copy [w1, b1, w2, b2, ...] in."""
        for own, given in zip(self._weights, weights, strict=True):
            own[...] = given

    def _layer_outputs(self, x: NDArray) -> list[NDArray]:
        """[x, first hidden layer, ..., logits]."""
        outputs = [np.asarray(x, self._weights[0].dtype)]
        last = len(self._weights) - 2
        for k in range(0, len(self._weights), 2):
            y = affine.affine_forward(outputs[-1], self._weights[k], self._weights[k + 1])
            outputs.append(y if k == last else _FORWARD[self.activation](y))
        return outputs
