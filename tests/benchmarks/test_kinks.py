"""The reference net that takes slopes from the other side of a kink, and which elements it says are in doubt."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.kinks import Element, KinkedMLP
from benchmarks.recipes import ACTIVATIONS
from fastnn import SGD
from fastnn.reference.mlp import MLP

SIZES, SHARE = (6, 5, 4, 3), 1e-5
RNG = np.random.default_rng(3)
X, T = RNG.standard_normal((7, 6)), RNG.integers(0, 3, 7)
ROW, UNIT = 2, 1
# Where the slope jumps; of all others it is smooth.
KINKS = {
    "relu": 0, "leaky_relu": 0, "selu": 0, "relu6": 6, "hard_sigmoid": -3, "hard_swish": 3,
}  # fmt: skip


def net_at(z: float, activation: str, kind: type = MLP, **more) -> MLP:
    """Whose first hidden layer has this pre-activation in one place."""
    net = kind(SIZES, activation=activation, dtype="float64", **more)
    weights = net.get_weights()
    weights[1][UNIT] = z - X[ROW] @ weights[0][:, UNIT]
    net.set_weights(weights)
    return net


def trained(net: MLP) -> tuple[list[float], list[NDArray]]:
    optimizer = SGD(0.1)
    return [net.train_step(X, T, optimizer) for _ in range(3)], net.get_weights()


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_with_no_element_turned_it_is_the_reference(activation: str):
    kinked = net_at(0, activation, KinkedMLP, share=SHARE, turned=frozenset())
    (losses, weights), (right_losses, right) = trained(kinked), trained(net_at(0, activation))
    np.testing.assert_allclose(losses, right_losses, rtol=1e-12)
    for found, expected in zip(weights, right, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_elements_next_to_a_kink_are_named_with_their_distance(activation: str):
    net = net_at(KINKS.get(activation, 0) - 1e-6, activation, KinkedMLP, share=SHARE, turned=frozenset())
    net.gradients(X, T)
    if activation not in KINKS:
        assert net.doubtful == {}
        return
    weights = net.get_weights()
    terms = np.append(X[ROW] * weights[0][:, UNIT], weights[1][UNIT])
    assert net.doubtful == {Element(0, 0, ROW, UNIT): pytest.approx(1e-6 / (SHARE * np.linalg.norm(terms)), rel=1e-4)}


def test_errors_of_the_layer_before_come_with_it():
    net = net_at(0, "relu", KinkedMLP, share=SHARE, turned=frozenset())
    (_, a), *_ = net._layers(X)[1:]
    w1, b1, w2, b2, *_ = net.get_weights()
    first = SHARE**2 * (X**2 @ w1**2 + b1**2) * (a > 0)
    second = (SHARE**2 * a**2 + first) @ w2**2 + SHARE**2 * b2**2
    np.testing.assert_allclose(net._spreads[1], np.sqrt(second))


@pytest.mark.parametrize("activation", KINKS)
@pytest.mark.parametrize("side", [-1e-7, 1e-7])
def test_a_turned_element_has_the_slope_of_the_other_side(activation: str, side: float):
    """The gradient is that of a net whose element lies on the other side; the loss stays."""
    element = Element(0, 0, ROW, UNIT)
    there, here = KINKS[activation] - side, KINKS[activation] + side
    loss, found = net_at(here, activation, KinkedMLP, share=SHARE, turned=frozenset([element])).gradients(X, T)
    right_loss, right = net_at(there, activation).gradients(X, T)
    _, unturned = net_at(here, activation).gradients(X, T)
    assert loss == pytest.approx(right_loss, rel=1e-6)
    np.testing.assert_allclose(found[1], right[1], rtol=1e-5, atol=1e-6)
    assert abs(unturned[1][UNIT] - right[1][UNIT]) > 1e-4
    assert not np.allclose(unturned[0][:, UNIT], right[0][:, UNIT], rtol=1e-3)


def test_elements_of_later_steps_are_told_apart():
    net = net_at(0, "relu", KinkedMLP, share=1e-1, turned=frozenset())
    trained(net)
    assert {element.step for element in net.doubtful} == {0, 1, 2}
    assert {element.hidden for element in net.doubtful} == {0, 1}
    assert all(0 <= distance <= 1 for distance in net.doubtful.values())
