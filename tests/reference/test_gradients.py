"""The references' gradients against central differences in float64: what kernels are held to must itself be right."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import fastnn
from fastnn.reference import affine, softmax
from fastnn.reference.mlp import MLP


def central_differences(f: Callable[[np.ndarray], float], x: np.ndarray, h: float = 1e-5) -> np.ndarray:
    """The gradient of a scalar function."""
    gradient = np.zeros_like(x)
    for k in np.ndindex(x.shape):
        kept = x[k]
        x[k] = kept + h
        above = f(x)
        x[k] = kept - h
        below = f(x)
        x[k] = kept
        gradient[k] = (above - below) / (2 * h)
    return gradient


# The truncation error of central differences is h² times a third derivative; cancellation adds eps / h.
TOLERANCE = {"rtol": 1e-6, "atol": 1e-8}


@pytest.mark.parametrize("name", fastnn.Activation.by_name)
def test_activation(name: str, rng: np.random.Generator) -> None:
    """With the defaults of its numbers and with others."""
    item = fastnn.Activation.by_name[name]
    x, dy = 2 * rng.standard_normal((4, 5)), rng.standard_normal((4, 5))
    for numbers in (item.defaults, item.example):
        y = item.reference(x, **numbers)
        arguments = {"input": (x,), "output": (y,), "both": (x, y)}[item.slope_of]
        expected = central_differences(lambda x, own=numbers: (item.reference(x, **own) * dy).sum(), x.copy())
        np.testing.assert_allclose(item.reference_backward(dy, *arguments, **numbers), expected, **TOLERANCE)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax(name: str, rng: np.random.Generator) -> None:
    forward, backward = getattr(softmax, name), getattr(softmax, f"{name}_backward")
    z, dy = rng.standard_normal((4, 5)), rng.standard_normal((4, 5))
    expected = central_differences(lambda z: (forward(z) * dy).sum(), z)
    np.testing.assert_allclose(backward(dy, forward(z)), expected, **TOLERANCE)


def test_affine(rng: np.random.Generator) -> None:
    x, w, b, dy = (rng.standard_normal(s) for s in ((4, 5), (5, 3), (3,), (4, 3)))
    found = affine.affine_backward(dy, x, w)
    for k, argument in enumerate((x, w, b)):
        expected = central_differences(lambda _: (affine.affine_forward(x, w, b) * dy).sum(), argument)
        np.testing.assert_allclose(found[k], expected, **TOLERANCE)


@pytest.mark.parametrize("one_hot", [False, True])
def test_softmax_cross_entropy(one_hot: bool, rng: np.random.Generator) -> None:
    z, t = rng.standard_normal((4, 5)), rng.integers(0, 5, 4)
    if one_hot:
        t = np.eye(5)[t] * 0.9 + 0.03
    loss, dz = fastnn.softmax_cross_entropy.reference(z, t)
    np.testing.assert_allclose(loss, fastnn.cross_entropy.reference(softmax.softmax(z), t))
    expected = central_differences(lambda z: fastnn.softmax_cross_entropy.reference(z, t)[0], z)
    np.testing.assert_allclose(dz, expected, **TOLERANCE)


def test_mean_squared_error(rng: np.random.Generator) -> None:
    y, t = rng.standard_normal((4, 5)), rng.standard_normal((4, 5))
    expected = central_differences(lambda y: fastnn.mean_squared_error.reference(y, t)[0], y)
    np.testing.assert_allclose(fastnn.mean_squared_error.reference(y, t)[1], expected, **TOLERANCE)


@pytest.mark.parametrize("loss", fastnn.Loss.by_name)
@pytest.mark.parametrize("activation", fastnn.Activation.by_name)
def test_every_weight_of_the_notes_network(activation: str, loss: str, rng: np.random.Generator) -> None:
    """2-3-2-2, whose numerical gradients the teaching notes compute."""
    net = MLP((2, 3, 2, 2), activation, loss, dtype="float64")
    x = rng.standard_normal((4, 2))
    t = rng.integers(0, 2, 4) if loss == "softmax_cross_entropy" else rng.standard_normal((4, 2))
    # Zero biases would leave a unit behind dead ones just on ReLU's kink.
    weights = [w + rng.normal(0, 0.3, w.shape) for w in net.get_weights()]
    net.set_weights(weights)
    found = net.gradients(x, t)[1]

    def loss_of(_: np.ndarray) -> float:
        net.set_weights(weights)
        return net.gradients(x, t)[0]

    for w, gradient in zip(weights, found, strict=True):
        np.testing.assert_allclose(gradient, central_differences(loss_of, w), **TOLERANCE)
