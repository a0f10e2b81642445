"""What is refused when an item is declared; the catalogues are as before."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import fastnn
from fastnn import extend
from fastnn.ops import DECLARED
from tests.extend.items import REGISTRIES, optimizer_of, power, power_slope


@pytest.mark.parametrize(
    ("parts", "error", "message"),
    [
        ({"value": lambda x, y: x}, TypeError, r"^wrong: value: got <lambda>\(x, y\), expected a function of \(x\)$"),
        ({"backward": lambda dy, x: x}, TypeError, r"^wrong: backward: got .*expected a function of \(dy, x, y\)$"),
        ({"value": np.tanh}, TypeError, "^wrong: value: got <ufunc 'tanh'>, expected a function written in Python"),
        ({"ulps": (1, 1)}, ValueError, r"^ulps: got \(1, 1\) without reference"),
        ({"slope_of": "x"}, ValueError, "^slope_of: got 'x', expected one of"),
        ({"defaults": {"a": 1.0}}, TypeError, r"^wrong: value: got .*expected a function of \(x, a\)$"),
    ],
)
def test_activations_refused(parts: dict[str, Any], error: type[Exception], message: str) -> None:
    before = [dict(registry) for registry in REGISTRIES]
    with pytest.raises(error, match=message):
        fastnn.activation("wrong", **{"value": lambda x: x, "backward": lambda dy, x, y: dy} | parts)
    assert before == list(REGISTRIES)


def checked(x):
    assert x > 0
    return x


def test_what_raises_is_refused() -> None:
    """Itself, and where a function that it calls does."""
    decorated = extend.scalar(lambda x: checked_too(x))
    for value in (checked, lambda x: decorated(x)):
        with pytest.raises(ValueError, match="^wrong: value: got checked, which raises or asserts; nothing can be rai"):
            fastnn.activation("wrong", value=value, backward=lambda dy, x, y: dy)


checked_too = extend.scalar(checked)


@pytest.mark.parametrize("name", ["class", "a b", "", 3, "relu", "softmax", "hinge", "adam_update"])
def test_names_refused(name: Any) -> None:
    before = [dict(registry) for registry in REGISTRIES]
    why = "taken" if name in DECLARED else "expected a name that a function can have"
    for declare in (
        lambda: fastnn.activation(name, value=lambda x: x, backward=lambda dy, x, y: dy),
        lambda: fastnn.elementwise_loss(name, value=power, slope=power_slope),
        lambda: extend.update_rule(name, rule=lambda g, moments, c: (moments, g, None)),
    ):
        with pytest.raises(ValueError, match=f"^name: got {re.escape(repr(name))}, .*{why}"):
            declare()
    assert before == list(REGISTRIES)


@pytest.mark.parametrize(
    ("parts", "error", "message"),
    [
        ({"update": staticmethod(lambda g, v, momentum, lr: g)}, TypeError, r"Wrong: update: got .*\(g, v, lr, moment"),
        ({"update": lambda self, g, v, lr, momentum: g}, TypeError, "Wrong: update: .*@staticmethod, without self"),
        ({"update": 3}, TypeError, "Wrong: update: got 3, expected a function"),
        ({"moments": "v"}, TypeError, r"Wrong: moments: got 'v', expected a tuple of names, such as \('m', 'v'\)"),
        ({"constants": lambda step, momentum, lr: (lr,)}, TypeError, r"Wrong: constants: .*\(step, lr, momentum\)"),
    ],
)
def test_optimizers_refused(parts: dict[str, Any], error: type[Exception], message: str) -> None:
    before = [dict(registry) for registry in REGISTRIES]
    with pytest.raises(error, match=message):
        optimizer_of("Wrong", **parts)
    assert before == list(REGISTRIES)


def test_names_of_optimizers_are_new() -> None:
    with pytest.raises(ValueError, match="^name: got 'adam_update', which is taken"):
        optimizer_of("Adam")


def test_an_optimizer_without_a_rule() -> None:
    net, made = fastnn.MLP((3, 2)), type("WithoutRule", (fastnn.Optimizer,), {})
    with pytest.raises(NotImplementedError, match="WithoutRule: expected a static method `update`"):
        net.train_step(np.ones((1, 3), np.float32), np.zeros(1, int), made())
