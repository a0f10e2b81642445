"""Items of a user's own, in the short form: they compute what they say, as those of the package do."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest

import fastnn
from fastnn import extend
from fastnn.ops.verify import comparisons
from fastnn.reference.mlp import MLP as Twin
from tests.extend.items import bent, bent_backward, optimizer_of, power, power_slope


def test_activation(dtype: str, rng: np.random.Generator) -> None:
    item = fastnn.activation("bent", value=bent, backward=bent_backward, defaults={"slope": 0.1})
    x, dy = rng.standard_normal((2, 3, 7)).astype(dtype)
    exact = np.where(x > 0, x, 0.3 * x.astype(float))
    np.testing.assert_allclose(fastnn.bent(x, slope=0.3), exact, rtol=2 * np.finfo(dtype).eps)
    slopes = dy * np.where(x > 0, 1, 0.3)
    np.testing.assert_allclose(fastnn.bent_backward(dy, x, exact.astype(dtype), slope=0.3), slopes, rtol=1e-6)
    for reference in (fastnn.bent.reference, item.reference):
        np.testing.assert_allclose(reference(x.astype(float), slope=0.3), exact, rtol=1e-15)
    assert fastnn.bent.reference(x, slope=0.3).dtype == dtype
    assert "y = `bent(x, slope)` of" in fastnn.bent.__doc__
    for function in (fastnn.bent, fastnn.bent_backward, item):
        about = function.__doc__
        assert function is item or "`.reference` is its own code" in about
    with pytest.raises(TypeError, match="slope: got 'a', expected a number"):
        fastnn.MLP((3, 4, 2), activation=("bent", {"slope": "a"}))


@pytest.mark.parametrize("n", [1, 70])
def test_a_net_of_them_equals_its_twin(n: int, dtype: str, rng: np.random.Generator) -> None:
    fastnn.activation("bent", value=bent, backward=bent_backward, defaults={"slope": 0.1})
    fastnn.elementwise_loss("power", value=power, slope=power_slope)
    optimizer = optimizer_of()(0.01, weight_decay=0.1)
    net, twin = (kind((5, 9, 2), ("bent", 0.2), "power", dtype=dtype) for kind in (fastnn.MLP, Twin))
    tolerance = 100 * float(np.finfo(dtype).eps)
    for _ in range(4):
        x, t = rng.standard_normal((n, 5)).astype(dtype), rng.standard_normal((n, 2)).astype(dtype)
        weights = rng.random(n)
        for given in (None, weights):
            expected = twin.train_step(x, t, optimizer, given)
            assert net.train_step(x, t, optimizer, given) == pytest.approx(expected, rel=tolerance)
    for w, v in zip(net.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(w, v, rtol=tolerance, atol=tolerance)
    assert fastnn.check_gradient(net, x, t).error_ratio <= 1


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (optimizer_of, fastnn.SGD(0.1, momentum=0.9, weight_decay=0.01)),
        ("Adam", fastnn.Adam(0.1, weight_decay=0.01)),
    ],
)
def test_an_optimizer_is_as_ours(ours: Any, theirs: fastnn.Optimizer, dtype: str, rng: np.random.Generator) -> None:
    made = optimizer_of() if ours is optimizer_of else adam_of_numbers()
    optimizer = made(0.1, weight_decay=0.01)
    nets = [fastnn.MLP((5, 9, 3), dtype=dtype) for _ in range(2)]
    for n in (1, 70, 3):
        x, t = rng.standard_normal((n, 5)).astype(dtype), rng.integers(0, 3, n)
        for net, one in zip(nets, (optimizer, theirs), strict=True):
            net.train_step(x, t, one)
    close = 1e-12 if dtype == "float64" else 3e-5
    for w, v in zip(*(net.get_weights() for net in nets), strict=True):
        np.testing.assert_allclose(w, v, rtol=close, atol=close)


def adam_of_numbers() -> type[fastnn.Optimizer]:
    def constants(step, lr, beta1, beta2):
        return beta1, beta2, lr / (1 - beta1**step), 1 / (1 - beta2**step)

    def update(g, m, v, beta1, beta2, rate, correction):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        return m, v, rate * m / (extend.square_root(v * correction) + 1e-8)

    betas = {"beta1": extend.Hyper(0.9, extend.fraction), "beta2": extend.Hyper(0.999, extend.fraction)}
    parts = {"moments": ("m", "v"), "constants": staticmethod(constants), "update": staticmethod(update)}
    rest = {name: extend.Hyper(0.0, extend.not_negative) for name in ("weight_decay",)}
    lr = {"lr": extend.Hyper(0.1, extend.learning_rate)}
    return type("AdamOfATest", (fastnn.Optimizer,), {**lr, **betas, **rest, **parts, "__module__": __name__})


def test_vectors_take_numbers(dtype: str, rng: np.random.Generator) -> None:
    def update(g, lr):
        larger = extend.where_greater(g, 0, extend.maximum(g, 0.5), -1.0)
        larger -= 1
        larger *= -1
        return lr * larger - -extend.sign(g) * 2 / (extend.absolute(g) + 1) + extend.square_root_times(g * g, 3)

    optimizer_of("NumbersOfATest", moments=(), momentum=None, weight_decay=None, update=staticmethod(update))
    w, g = rng.standard_normal((2, 101)).astype(dtype)
    g64 = g.astype(float)
    moved = 0.1 * (1 - np.where(g > 0, np.maximum(g64, 0.5), -1)) + np.sign(g64) * 2 / (np.abs(g64) + 1)
    expected = w - (moved + 3 * np.abs(g64))
    fastnn.numbers_of_a_test_update(w, g)
    np.testing.assert_allclose(w, expected, rtol=0, atol=20 * np.finfo(dtype).eps)


def test_a_schedule_is_asked(rng: np.random.Generator) -> None:
    optimizer = optimizer_of()(lambda steps: 0.1 if steps == 0 else 0.0, momentum=0.0)
    net = fastnn.MLP((3, 4, 2))
    x, t = rng.standard_normal((5, 3)).astype("float32"), np.zeros(5, int)
    losses = [net.train_step(x, t, optimizer) for _ in range(3)]
    assert losses[0] > losses[1] == losses[2]


def test_what_is_not_verified_says_so(dtype: str) -> None:
    fastnn.activation("bent", value=bent, backward=bent_backward, defaults={"slope": 0.1})
    with pytest.raises(ValueError, match="^bent: got no ulps, expected them beside a reference.*check_gradient"):
        next(comparisons(fastnn.bent, dtype))


def test_decorating_twice_is_once() -> None:
    """A function with `@scalar` is taken as it is, one that is compiled already too."""
    decorated = extend.scalar(extend.scalar(lambda x: x + x))
    compiled = numba.njit(lambda dy, x, y: dy + dy)
    fastnn.activation("doubled_for_a_test", value=decorated, backward=compiled)
    x = np.ones(3, np.float32)
    np.testing.assert_array_equal(fastnn.doubled_for_a_test(x), 2)
    np.testing.assert_array_equal(fastnn.doubled_for_a_test_backward(x, x, x), 2)


def test_a_cell_that_runs_again_replaces_its_items(rng: np.random.Generator) -> None:
    x = np.ones(2, np.float32)
    for factor in (2.0, 3.0):
        fastnn.activation("again", value=lambda x, by=factor: by * x, backward=lambda dy, x, y: dy)
        fastnn.elementwise_loss("again_loss", value=lambda y, t, by=factor: by * (y - t), slope=power_slope)
        optimizer_of("Again", moments=(), momentum=None, weight_decay=None, update=lambda g, lr: lr * (g + g))
        w = np.zeros(2, np.float32)
        fastnn.again_update(w, x, lr=factor)
        assert (fastnn.again(x)[0], fastnn.again_loss(x, 0 * x)[0], w[0]) == (factor, factor, -2 * factor)
