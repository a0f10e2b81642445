"""NumPy as teaching notes write it: float64, a dict of parameters, a new array for every intermediate result."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.cases import Case
from benchmarks.peers.base import Batch, Formulation, Peer, one_hot, own, require_plain, require_two_layers


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def sigmoid_grad(x):
    return (1.0 - sigmoid(x)) * sigmoid(x)


def tanh_grad(x):
    return 1.0 - np.tanh(x) ** 2


def relu(x):
    return np.maximum(0, x)


def relu_grad(x):
    grad = np.zeros_like(x)
    grad[x >= 0] = 1
    return grad


def softmax(x):
    x = x - np.max(x, axis=-1, keepdims=True)
    return np.exp(x) / np.sum(np.exp(x), axis=-1, keepdims=True)


def cross_entropy_error(y, t):
    return -np.sum(t * np.log(y + 1e-7)) / y.shape[0]


class TwoLayerNet:
    """The network of the notes: x (n, i), t one-hot (n, c)."""

    def __init__(self, params: dict[str, NDArray], activation: str) -> None:
        self.params = params
        functions = {"sigmoid": (sigmoid, sigmoid_grad), "tanh": (np.tanh, tanh_grad), "relu": (relu, relu_grad)}
        self.activation, self.activation_grad = own(functions, "activation", activation)

    def gradient(self, x: NDArray, t: NDArray) -> tuple[float, dict[str, NDArray]]:
        """The loss, which the notes ask of a second forward pass, and the gradients."""
        w1, w2 = self.params["W1"], self.params["W2"]
        b1, b2 = self.params["b1"], self.params["b2"]
        grads = {}

        # forward
        a1 = np.dot(x, w1) + b1
        z1 = self.activation(a1)
        a2 = np.dot(z1, w2) + b2
        y = softmax(a2)
        loss = cross_entropy_error(y, t)

        # backward
        dy = (y - t) / x.shape[0]
        grads["W2"] = np.dot(z1.T, dy)
        grads["b2"] = np.sum(dy, axis=0)
        dz1 = np.dot(dy, w2.T)
        da1 = self.activation_grad(a1) * dz1
        grads["W1"] = np.dot(x.T, da1)
        grads["b1"] = np.sum(da1, axis=0)
        return loss, grads


class SGD:
    def __init__(self, lr: float) -> None:
        self.lr = lr

    def update(self, params: dict[str, NDArray], grads: dict[str, NDArray]) -> None:
        for key in params:
            params[key] -= self.lr * grads[key]


class Adam:
    def __init__(self, lr: float, beta1: float = 0.9, beta2: float = 0.999) -> None:
        self.lr = lr
        self.beta1 = beta1
        self.beta2 = beta2
        self.iter = 0
        self.m: dict[str, NDArray] = {}
        self.v: dict[str, NDArray] = {}

    def update(self, params: dict[str, NDArray], grads: dict[str, NDArray]) -> None:
        if not self.m:
            for key, val in params.items():
                self.m[key] = np.zeros_like(val)
                self.v[key] = np.zeros_like(val)

        self.iter += 1
        lr_t = self.lr * np.sqrt(1.0 - self.beta2**self.iter) / (1.0 - self.beta1**self.iter)

        for key in params:
            self.m[key] += (1 - self.beta1) * (grads[key] - self.m[key])
            self.v[key] += (1 - self.beta2) * (grads[key] ** 2 - self.v[key])
            params[key] -= lr_t * self.m[key] / (np.sqrt(self.v[key]) + 1e-7)


class Notes(Peer):
    """The notes' network and optimizers, always in float64, on rows and one-hot labels converted beforehand."""

    formulation = Formulation(loss_epsilon=1e-7, adam_epsilon=1e-7, epsilon_after_correction=False)

    @classmethod
    def prepare(cls, case: Case, batches: list[Batch]) -> list[Any]:
        classes = case.model.sizes[-1]
        return [(x.astype(np.float64), one_hot(t, classes, "float64")) for x, t in batches]

    def __init__(self, case: Case, weights: list[NDArray], inputs: list[Any]) -> None:
        require_two_layers(case)
        require_plain(case)
        self._inputs, self._model = inputs, case.model
        self._optimizer_class = own({"sgd": SGD, "adam": Adam}, "optimizer", case.model.optimizer)
        self._initial = dict(zip(("W1", "b1", "W2", "b2"), weights, strict=True))
        self.restart()

    def restart(self) -> None:
        params = {key: w.astype(np.float64) for key, w in self._initial.items()}
        self._net = TwoLayerNet(params, self._model.activation)
        self._optimizer = self._optimizer_class(self._model.lr)

    def step(self, k: int) -> float:
        x, t = self._inputs[k % len(self._inputs)]
        loss, grads = self._net.gradient(x, t)
        self._optimizer.update(self._net.params, grads)
        return loss

    def weights(self) -> list[NDArray]:
        return list(self._net.params.values())
