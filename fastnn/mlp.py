"""The multi-layer perceptron: packed parameters, and the training step as one kernel."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from fastnn.initializers import initial_weights
from fastnn.kernels import activations, losses, train_step
from fastnn.kernels.metrics import argmax_rows
from fastnn.kernels.softmax import softmax
from fastnn.ops import checks
from fastnn.optimizers import Optimizer


class MLP:
    """A multi-layer perceptron: affine layers with one activation between them, and a loss on the last.

    Parameters
    ----------
    sizes : the widths of the layers, inputs first: (784, 50, 10). Any depth from two numbers on.
    activation : of the hidden layers: "sigmoid", "tanh" or "relu".
    loss : "softmax_cross_entropy", the mean over rows, from labels (n,) or rows of probabilities (n, outputs); or
        "mean_squared_error", the mean over all elements, from targets (n, outputs), or (n,) with one output.
    init : the scale of the normal initial weights: "xavier", "he" or a standard deviation, 0.01 in the teaching
        notes. Without it "he" for ReLU and "xavier" otherwise. Biases start at zero.
    dtype : "float32" or "float64": of the parameters, of x and of what comes out.
    seed : of the initial weights; None draws them differently each time.

    Raises ValueError or TypeError, naming the argument, for any other value. A net may not be trained from two
    threads at once.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: str = "sigmoid",
        loss: str = "softmax_cross_entropy",
        init: str | float | None = None,
        dtype: DTypeLike = "float32",
        seed: int | None = 0,
    ) -> None:
        self.sizes = tuple(checks.count(f"sizes[{k}]", size) for k, size in enumerate(sizes))
        if len(self.sizes) < 2:
            raise ValueError(f"sizes: got {self.sizes}, expected at least two widths, inputs and outputs")
        self.activation = _one_of("activation", activation, activations.CODES)
        self.loss = _one_of("loss", loss, losses.CODES)
        self.dtype = checks.float_dtype("dtype", dtype)
        if init is None:
            init = "he" if activation == "relu" else "xavier"
        weights = initial_weights(self.sizes, init, seed, self.dtype.name)
        self._sizes = np.array(self.sizes)
        self._codes = activations.CODES[activation], losses.CODES[loss]
        self._parameters = np.concatenate([w.ravel() for w in weights])
        self._gradients = np.empty_like(self._parameters)
        self._outputs = self._deltas = np.empty(0, self.dtype)

    def train_step(self, x: ArrayLike, t: ArrayLike, optimizer: Optimizer) -> float:
        """One step of training in place: forward, loss, backward, update.

        x : (n, inputs), n at least 1, in the net's dtype. t : see `loss` of the class. Returns the mean loss before
        the update. Nothing is changed where an argument is refused with ValueError or TypeError.
        """
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"optimizer: got {optimizer!r}, expected one of fastnn's optimizers, fastnn.SGD(lr=0.1)")
        rows = self._rows(x)
        if len(rows) == 0:
            raise ValueError("x: got 0 rows, expected at least 1")
        targets = self._targets(t, len(rows))
        self._reserve(len(rows))
        state = optimizer.state(self, self._parameters)
        state.step += 1
        return train_step.train_step(
            rows,
            targets,
            self._parameters,
            self._gradients,
            state.moments,
            self._sizes,
            *self._codes,
            optimizer.code,
            state.step,
            optimizer.hyper,
            self._outputs,
            self._deltas,
        )

    def forward(self, x: ArrayLike) -> NDArray:
        """The last layer's affine output (n, outputs), the logits; x : (n, inputs) in the net's dtype."""
        rows = self._rows(x)
        outputs = np.empty(len(rows) * sum(self.sizes[1:]), self.dtype)
        train_step.forward(rows, self._parameters, self._sizes, self._codes[0], outputs)
        return outputs[outputs.size - len(rows) * self.sizes[-1] :].reshape(len(rows), self.sizes[-1]).copy()

    def predict_proba(self, x: ArrayLike) -> NDArray:
        """softmax(forward(x)) (n, outputs)."""
        z = self.forward(x)
        softmax(z, z)
        return z

    def predict(self, x: ArrayLike) -> NDArray:
        """The label (n,) int64 of each row's largest logit; with the mean squared error forward(x) itself."""
        z = self.forward(x)
        if self.loss == "mean_squared_error":
            return z
        labels = np.empty(len(z), np.int64)
        argmax_rows(z, labels)
        return labels

    def get_weights(self) -> list[NDArray]:
        """Copies of [w1, b1, w2, b2, ...]: w (inputs, outputs), b (outputs,)."""
        return [view.copy() for view in self._views()]

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Copy [w1, b1, w2, b2, ...] in, converted to the net's dtype.

        Raises ValueError, with nothing changed, for a wrong number of arrays or a wrong shape.
        """
        views = self._views()
        arrays = [np.asarray(w) for w in weights]
        if len(arrays) != len(views):
            raise ValueError(f"weights: got {len(arrays)} arrays, expected {len(views)}: w and b of each layer")
        for k, (view, array) in enumerate(zip(views, arrays, strict=True)):
            if array.shape != view.shape:
                raise ValueError(f"weights[{k}]: got shape {array.shape}, expected {view.shape}")
            if array.dtype.kind not in "fiu":
                raise TypeError(f"weights[{k}]: got dtype {array.dtype}, expected numbers")
        for view, array in zip(views, arrays, strict=True):
            view[...] = array

    def __repr__(self) -> str:
        return f"MLP({self.sizes}, activation={self.activation!r}, loss={self.loss!r}, dtype={self.dtype.name!r})"

    def _views(self) -> list[NDArray]:
        views, at = [], 0
        for i, o in pairwise(self.sizes):
            views += [self._parameters[at : at + i * o].reshape(i, o), self._parameters[at + i * o : at + i * o + o]]
            at += i * o + o
        return views

    def _rows(self, x: ArrayLike) -> NDArray:
        rows = checks.float_array("x", x, self.dtype, ", the net's dtype")
        if rows.ndim != 2 or rows.shape[1] != self.sizes[0]:
            raise ValueError(f"x: got shape {rows.shape}, expected (n, {self.sizes[0]})")
        return checks.contiguous(rows)

    def _targets(self, t: Any, n: int) -> NDArray:
        array = t if type(t) is np.ndarray else np.asarray(t)
        outputs = self.sizes[-1]
        if self.loss == "softmax_cross_entropy" and array.ndim == 1:
            labels = checks.label_array("t", array)
            if len(labels) != n:
                raise ValueError(f"t: got {len(labels)} labels, expected {n}, one for each row of x")
            checks.labels_in_range("t", labels, outputs)
            return labels
        targets = checks.float_array("t", array, self.dtype, ", the net's dtype")
        if outputs == 1 and targets.shape == (n,):
            targets = targets.reshape(n, 1)
        if targets.shape != (n, outputs):
            raise ValueError(f"t: got shape {targets.shape}, expected ({n}, {outputs}), a row for each row of x")
        return checks.contiguous(targets)

    def _reserve(self, n: int) -> None:
        """Room for every layer's outputs of n rows; what the last step used serves again where n is the same."""
        size = n * sum(self.sizes[1:])
        if self._outputs.size != size:
            self._outputs, self._deltas = np.empty(size, self.dtype), np.empty(size, self.dtype)


def _one_of(name: str, value: Any, known: Any) -> str:
    if value not in known:
        raise ValueError(f"{name}: got {value!r}, expected one of {', '.join(map(repr, known))}")
    return value
