"""Good NumPy: the case's dtype, every intermediate in a buffer allocated once, products and ufuncs with `out=`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.cases import Case
from benchmarks.peers.base import Peer, own, require_plain


def _sigmoid(z: NDArray) -> None:
    np.negative(z, out=z)
    np.exp(z, out=z)
    z += 1
    np.reciprocal(z, out=z)


def _tanh(z: NDArray) -> None:
    np.tanh(z, out=z)


def _relu(z: NDArray) -> None:
    np.maximum(z, 0, out=z)


def _sigmoid_backward(delta: NDArray, y: NDArray, scratch: NDArray) -> None:
    np.subtract(1, y, out=scratch)
    scratch *= y
    delta *= scratch


def _tanh_backward(delta: NDArray, y: NDArray, scratch: NDArray) -> None:
    np.multiply(y, y, out=scratch)
    np.subtract(1, scratch, out=scratch)
    delta *= scratch


def _relu_backward(delta: NDArray, y: NDArray, scratch: NDArray) -> None:
    np.sign(y, out=scratch)  # y is never negative: 0 or 1
    delta *= scratch


# In place: the activation of z; delta times the activation's derivative, from the activation's value y.
_ACTIVATIONS: dict[str, tuple[Callable, Callable]] = {
    "sigmoid": (_sigmoid, _sigmoid_backward),
    "tanh": (_tanh, _tanh_backward),
    "relu": (_relu, _relu_backward),
}


class TunedNumPy(Peer):
    """Any depth; nothing of the size of the batch is allocated in a step, but for the row maxima and sums."""

    def __init__(self, case: Case, weights: list[NDArray], inputs: list[Any]) -> None:
        require_plain(case)
        n = case.batch_size
        self._inputs = inputs
        self._lr = case.model.lr
        self._activate, self._differentiate = own(_ACTIVATIONS, "activation", case.model.activation)
        self._rows = np.arange(n)
        # All parameters in one array, so that an update is one pass: the layers see views of it.
        self._flat, self._params = _views(weights)
        self._gradient, self._grads = _views(weights)
        self._scratch, self._moment1, self._moment2 = (np.zeros_like(self._flat) for _ in range(3))
        self._update = own({"sgd": self._sgd, "adam": self._adam}, "optimizer", case.model.optimizer)
        self._outputs = [np.empty((n, o), case.dtype) for _, o in case.model.layers]
        self._deltas = [np.empty_like(y) for y in self._outputs]
        self._derivatives = [np.empty_like(y) for y in self._outputs]
        self._initial = np.concatenate([w.ravel() for w in weights])
        self.restart()

    def restart(self) -> None:
        np.copyto(self._flat, self._initial)
        self._moment1[...] = 0
        self._moment2[...] = 0
        self._steps = 0

    def step(self, k: int) -> float:
        x, t = self._inputs[k % len(self._inputs)]
        last = len(self._outputs) - 1
        below = x
        for layer, y in enumerate(self._outputs):
            np.matmul(below, self._params[2 * layer], out=y)
            y += self._params[2 * layer + 1]
            if layer < last:
                self._activate(y)
            below = y
        loss = self._softmax_cross_entropy(self._outputs[last], t, self._deltas[last])
        for layer in range(last, -1, -1):
            delta, below = self._deltas[layer], self._outputs[layer - 1] if layer else x
            np.matmul(below.T, delta, out=self._grads[2 * layer])
            np.sum(delta, axis=0, out=self._grads[2 * layer + 1])
            if layer:
                np.matmul(delta, self._params[2 * layer].T, out=self._deltas[layer - 1])
                self._differentiate(self._deltas[layer - 1], below, self._derivatives[layer - 1])
        self._update()
        return loss

    def weights(self) -> list[NDArray]:
        return [w.copy() for w in self._params]

    def _softmax_cross_entropy(self, z: NDArray, t: NDArray, delta: NDArray) -> float:
        """Mean loss of logits z (overwritten); `delta` becomes the gradient with respect to them."""
        z -= z.max(axis=1, keepdims=True)
        np.exp(z, out=delta)
        sums = delta.sum(axis=1, keepdims=True)
        loss = (np.log(sums).sum() - z[self._rows, t].sum()) / len(z)
        delta /= sums
        delta[self._rows, t] -= 1
        delta /= len(z)
        return loss

    def _sgd(self) -> None:
        np.multiply(self._gradient, self._lr, out=self._scratch)
        self._flat -= self._scratch

    def _adam(self, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8) -> None:
        self._steps += 1
        gradient, scratch = self._gradient, self._scratch
        np.multiply(gradient, 1 - beta1, out=scratch)
        self._moment1 *= beta1
        self._moment1 += scratch
        np.square(gradient, out=gradient)
        gradient *= 1 - beta2
        self._moment2 *= beta2
        self._moment2 += gradient
        np.sqrt(self._moment2, out=scratch)
        scratch /= np.sqrt(1 - beta2**self._steps)
        scratch += epsilon
        np.divide(self._moment1, scratch, out=scratch)
        scratch *= self._lr / (1 - beta1**self._steps)
        self._flat -= scratch


def _views(like: list[NDArray]) -> tuple[NDArray, list[NDArray]]:
    """One zeroed flat array and views of it in the given shapes."""
    flat = np.zeros(sum(w.size for w in like), like[0].dtype)
    ends = np.cumsum([w.size for w in like])
    return flat, [flat[end - w.size : end].reshape(w.shape) for w, end in zip(like, ends, strict=True)]
