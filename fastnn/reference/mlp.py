"""The multi-layer perceptron in plain NumPy: what `fastnn.MLP` must equal, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.activations import layer_activations, layer_initializers
from fastnn.initializers import Initializer, initial_weights
from fastnn.losses import ChosenLoss
from fastnn.optimizers import Optimizer
from fastnn.reference import affine, elementary, softmax
from fastnn.reference.dropout import dropout_factors
from fastnn.reference.logistic import sigmoid
from fastnn.reference.precision import in_float64
from fastnn.regularization import regularization


class MLP:
    """Affine layers with an activation between them, and a loss on the last; as `fastnn.MLP`, but for its speed."""

    def __init__(
        self,
        sizes: Sequence[int],
        activation: Any = "sigmoid",
        loss: Any = "softmax_cross_entropy",
        init: str | float | Initializer | None = None,
        dtype: str = "float32",
        seed: int | None = 0,
        **against_overfitting: Any,
    ) -> None:
        hidden = len(sizes) - 2
        self._activations, self._loss = (
            layer_activations("activation", activation, hidden),
            ChosenLoss.find("loss", loss),
        )
        self._weights = initial_weights(sizes, layer_initializers(init, self._activations, hidden), seed, dtype)
        self._regularization = regularization(hidden, seed, **against_overfitting)
        self._steps = 0
        # Of each optimizer: the steps made, and the moments of each array.
        self._states: dict[Optimizer, tuple[int, list[list[NDArray]]]] = {}

    def forward(self, x: NDArray) -> NDArray:
        """The last layer's affine output (n, outputs): the logits."""
        return self._layers(x)[-1][1]

    def predict_proba(self, x: NDArray) -> NDArray:
        """softmax(forward(x)), or sigmoid(forward(x)) where each output has a probability of its own."""
        z = self.forward(x)
        return softmax.softmax(z) if self._loss.item.output == "softmax" else in_float64(sigmoid)(z)

    def predict(self, x: NDArray) -> NDArray:
        """What the loss makes of forward(x): labels, signs, rates, or values."""
        z, output = self.forward(x), self._loss.item.output
        if output == "softmax":
            return z.argmax(axis=1)
        if output in ("sigmoid", "sign"):
            answers = np.where(z > 0, 1, 0 if output == "sigmoid" else -1)
            return answers[:, 0] if answers.shape[1] == 1 else answers
        return elementary.exp(z) if output == "exp" else z

    def gradients(self, x: NDArray, t: NDArray, sample_weight: Any = None) -> tuple[float, list[NDArray]]:
        """The loss of the next training step, and its gradient for each array of `get_weights()`."""
        layers, factors = self._layers(x, drops=self._regularization.drops), self._dropout_factors(len(x))
        loss, delta = self._loss.reference(layers[-1][1], t, sample_weight)
        found: list[NDArray] = []
        penalty, own = 0.0, self._regularization
        per_row = own.penalty_per_row and self._loss.reduction == "mean"
        counted = self._loss.counted(t, sample_weight).sum() if per_row else 1.0
        # Where nothing weighs anything there is no penalty either: no weight moves.
        share = 1 / counted if counted > 0 else 0.0
        l1, l2 = share * own.l1, share * own.l2
        for k in reversed(range(1, len(layers))):
            a, w = layers[k - 1][1] * factors[k - 1], self._weights[2 * k - 2]
            dx, dw, db = affine.affine_backward(delta, a, w)
            penalty += l1 * np.abs(w, dtype=np.float64).sum()
            penalty += l2 * np.square(w, dtype=np.float64).sum()
            found = [dw + (l1 * np.sign(w) + 2 * l2 * w), db, *found]
            if k > 1:
                delta = self._activation_backward(k - 2, dx * factors[k - 1], *layers[k - 1])
        return float(loss) + float(penalty), found

    def train_step(self, x: NDArray, t: NDArray, optimizer: Optimizer, sample_weight: Any = None) -> float:
        """Forward, loss, backward, update; the loss before the update. Of the optimizer only its numbers and the
        reference of its rule are used."""
        loss, gradients = self.gradients(x, t, sample_weight)
        self._steps += 1
        gradients = _clipped(gradients, optimizer.clip_value, optimizer.clip_norm)
        rule = optimizer.rule
        steps, moments = self._states.get(optimizer, (0, [[] for _ in gradients]))
        values = optimizer.values_at(steps)
        numbers = {name: values[name] for name in rule.hyper}
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

    def _activation_backward(self, hidden: int, dy: NDArray, x: NDArray, y: NDArray) -> NDArray:
        chosen = self._activations[hidden]
        arguments = {"input": (x,), "output": (y,), "both": (x, y)}[chosen.item.slope_of]
        return in_float64(chosen.item.reference_backward)(dy, *arguments, **chosen.numbers)

    def _dropout_factors(self, n: int) -> list[NDArray]:
        """What the net's inputs and each hidden layer's outputs are multiplied by in the next step."""
        own, dtype = self._regularization, self._weights[0].dtype
        rates = (own.input_dropout, *own.dropout)
        shapes = [(n, w.shape[0]) for w in self._weights[::2]]
        return [
            dropout_factors(own.key, self._steps, stream, shape, rate).astype(dtype)
            for stream, (shape, rate) in enumerate(zip(shapes, rates, strict=True))
        ]

    def _layers(self, x: NDArray, drops: bool = False) -> list[tuple[NDArray, NDArray]]:
        """[(x, x), the first hidden layer before and after its activation, ..., (logits, logits)], before dropout."""
        rows = np.asarray(x, self._weights[0].dtype)
        layers, factors = [(rows, rows)], self._dropout_factors(len(rows)) if drops else None
        for k in range(0, len(self._weights), 2):
            a = layers[-1][1] if factors is None else layers[-1][1] * factors[k // 2]
            z = affine.affine_forward(a, self._weights[k], self._weights[k + 1])
            if k == len(self._weights) - 2:
                layers.append((z, z))
            else:
                chosen = self._activations[k // 2]
                layers.append((z, in_float64(chosen.item.reference)(z, **chosen.numbers)))
        return layers


def _clipped(gradients: list[NDArray], clip_value: float | None, clip_norm: float | None) -> list[NDArray]:
    """Each element within ±clip_value, or all made shorter so that their common norm is at most about clip_norm."""
    if clip_value is not None:
        return [np.clip(g, -clip_value, clip_value).astype(g.dtype) for g in gradients]
    if clip_norm is not None:
        norm = np.sqrt(sum(np.square(g, dtype=np.float64).sum() for g in gradients))
        factor = clip_norm / (norm + 1e-6)
        return [g * g.dtype.type(1 if factor > 1 else factor) for g in gradients]
    return gradients
