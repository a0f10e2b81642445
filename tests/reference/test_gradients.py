"""The references' gradients against central differences in float64: what kernels are held to must itself be right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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


def drawn(loss: str, n: int, outputs: int) -> list[np.ndarray]:
    """Random outputs and targets in float64."""
    return getattr(fastnn, loss).declaration.draw({"n": n, "o": outputs, "c": outputs}, "float64")


def options_of(loss: str) -> list[dict[str, Any]]:
    """The example numbers, and one of every option."""
    example, has = getattr(fastnn, loss).declaration.example, fastnn.Loss.by_name[loss].options
    found: list[dict[str, Any]] = [{}, dict(example), {**example, "sample_weight": np.array([1.5, 0, 0.3, 2])}]
    if "reduction" in has:
        found.append({"reduction": "sum"})
    if "class_weight" in has:
        found.append({"class_weight": np.array([1, 0.5, 2, 3, 0.1]), "label_smoothing": 0.2})
    if "ignore_label" in has:
        found.append({"ignore_label": 4, "class_weight": np.array([1, 0.5, 2, 3, 0.1])})
    return found


@pytest.mark.parametrize("loss", fastnn.Loss.by_name)
def test_loss(loss: str) -> None:
    reference, (y, t) = getattr(fastnn, loss).reference, drawn(loss, 4, 5)
    for options in options_of(loss):
        expected = central_differences(lambda y, options=options: reference(y, t, **options)[0], y)
        np.testing.assert_allclose(reference(y, t, **options)[1], expected, **TOLERANCE)


@pytest.mark.parametrize("name", ["cross_entropy", "binary_cross_entropy"])
@pytest.mark.parametrize("eps", [0.0, 1e-3])
def test_of_probabilities(name: str, eps: float, rng: np.random.Generator) -> None:
    forward, backward = (getattr(fastnn, full).reference for full in (name, f"{name}_backward"))
    p, t = rng.random((4, 5)) * 0.8 + 0.1, np.eye(5)[rng.integers(0, 5, 4)] * 0.9 + 0.02
    expected = central_differences(lambda p: forward(p, t, eps), p)
    np.testing.assert_allclose(backward(p, t, eps), expected, **TOLERANCE)


@pytest.mark.parametrize("loss", fastnn.Loss.by_name)
@pytest.mark.parametrize("activation", fastnn.Activation.by_name)
def test_every_weight_of_the_notes_network(activation: str, loss: str, rng: np.random.Generator) -> None:
    """2-3-2-2, whose numerical gradients the teaching notes compute."""
    net = MLP((2, 3, 2, 2), activation, loss, dtype="float64")
    x = rng.standard_normal((4, 2))
    t = drawn(loss, 4, 2)[1]
    # Zero biases would leave a unit behind dead ones just on ReLU's kink.
    weights = [w + rng.normal(0, 0.3, w.shape) for w in net.get_weights()]
    net.set_weights(weights)
    found = net.gradients(x, t)[1]

    def loss_of(_: np.ndarray) -> float:
        net.set_weights(weights)
        return net.gradients(x, t)[0]

    for w, gradient in zip(weights, found, strict=True):
        np.testing.assert_allclose(gradient, central_differences(loss_of, w), **TOLERANCE)
