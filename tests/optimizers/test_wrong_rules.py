"""Rules that are wrong in the ways in which people get them wrong: the generated comparison sees each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fastnn
from fastnn.ops import DECLARED
from fastnn.ops.verify import comparisons
from fastnn.optimizers import RULES


def right(name: str) -> Callable[..., None]:
    return getattr(fastnn, name).reference


def with_numbers(name: str, **changed: Any) -> Callable[..., None]:
    """The rule with other numbers than those that it is told."""
    return lambda *arrays, **numbers: right(name)(*arrays, **{**numbers, **changed})


def ascent(name: str) -> Callable[..., None]:
    def wrong(w, *arrays, **numbers):
        before = w.copy()
        right(name)(w, *arrays, **numbers)
        w[...] = 2 * before - w

    return wrong


def forgets(name: str, moment: int) -> Callable[..., None]:
    """A moment that is zero in every step."""

    def wrong(w, g, *moments, **numbers):
        moments[moment][...] = 0
        right(name)(w, g, *moments, **numbers)

    return wrong


def adam_with_eps_in_the_root(w, g, m, v, *, step, lr, weight_decay):
    g64 = g.astype(np.float64) + weight_decay * w
    m64, v64 = 0.9 * m + 0.1 * g64, 0.999 * v + 0.001 * g64**2
    m[...], v[...] = m64, v64
    w[...] = w - lr * m64 / (1 - 0.9**step) / np.sqrt(v64 / (1 - 0.999**step) + 1e-8)


def rmsprop_with_eps_in_the_root(w, g, v, *, lr, alpha, weight_decay):
    g64 = g.astype(np.float64) + weight_decay * w
    v64 = alpha * v + (1 - alpha) * g64**2
    v[...] = v64
    w[...] = w - lr * g64 / np.sqrt(v64 + 1e-8)


def no_maximum(w, g, m, v, largest, **numbers):
    right("adam_update")(w, g, m, v, **numbers)
    largest[...] = v


def no_absolute_value(w, g, m, u, **numbers):
    beta1, beta2 = 0.9, 0.999
    g64 = g.astype(np.float64) + numbers["weight_decay"] * w
    m[...] = beta1 * m + (1 - beta1) * g64
    u[...] = np.maximum(beta2 * u, g64 + 1e-8)
    w[...] = w - numbers["lr"] / (1 - beta1 ** numbers["step"]) * m / u


def lion_without_sign(w, g, m, *, lr, weight_decay):
    w[...] = w * (1 - lr * weight_decay) - lr * (0.9 * m + 0.1 * g)
    m[...] = 0.99 * m + 0.01 * g


def lion_with_the_new_moment(w, g, m, *, lr, weight_decay):
    m[...] = 0.99 * m + 0.01 * g
    w[...] = w * (1 - lr * weight_decay) - lr * np.sign(0.9 * m + 0.1 * g)


def rate_in_the_velocity(w, g, v, velocity, **numbers):
    """As TensorFlow has it: the rate of today does not scale the velocity of yesterday."""
    lr = numbers.pop("lr")
    before, old = w.copy(), velocity.copy()
    right("rmsprop_momentum_update")(w, g, v, velocity, lr=1.0, **numbers)
    w[...] = before - (numbers["momentum"] * old + lr * (velocity - numbers["momentum"] * old))


def eps_outside_the_roots(w, g, v, moved, *, lr, weight_decay):
    g64 = g.astype(np.float64) + weight_decay * w
    v[...] = 0.9 * v + 0.1 * g64**2
    delta = (np.sqrt(moved) + 1e-6) / (np.sqrt(v) + 1e-6) * g64
    moved[...] = 0.9 * moved + 0.1 * delta**2
    w[...] = w - lr * delta


WRONG = {
    "no bias correction, adam": ("adam_update", with_numbers("adam_update", step=10**9)),
    "no bias correction, adamw": ("adamw_update", with_numbers("adamw_update", step=10**9)),
    "no bias correction, adamax": ("adamax_update", with_numbers("adamax_update", step=10**9)),
    "bias correction one step late": ("adam_amsgrad_update", with_numbers("adam_amsgrad_update", step=2)),
    "momentum of the step before": ("nadam_update", with_numbers("nadam_update", step=2)),
    "no momentum decay": ("nadam_update", with_numbers("nadam_update", momentum_decay=0.0)),
    "never rectified": ("radam_update", with_numbers("radam_update", step=1)),
    "decay coupled, adamw": ("adamw_update", right("adam_update")),
    "decay coupled, nadam": ("nadamw_update", right("nadam_update")),
    "decay coupled, radam": ("radamw_update", right("radam_update")),
    "decay decoupled": ("adam_update", right("adamw_update")),
    "no decay": ("lion_update", with_numbers("lion_update", weight_decay=0.0)),
    "eps in the root, adam": ("adam_update", adam_with_eps_in_the_root),
    "eps in the root, rmsprop": ("rmsprop_update", rmsprop_with_eps_in_the_root),
    "eps outside the roots": ("adadelta_update", eps_outside_the_roots),
    "no maximum": ("adam_amsgrad_update", no_maximum),
    "no absolute value": ("adamax_update", no_absolute_value),
    "no sign": ("lion_update", lion_without_sign),
    "the new moment": ("lion_update", lion_with_the_new_moment),
    "not centered": ("rmsprop_centered_update", forgets("rmsprop_centered_update", 2)),
    "a rate in the velocity": ("rmsprop_momentum_update", rate_in_the_velocity),
    "no memory": ("adagrad_update", forgets("adagrad_update", 0)),
    "no decay of the rate": ("adagrad_update", with_numbers("adagrad_update", lr_decay=0.0)),
    "not dampened": ("dampened_momentum_update", with_numbers("dampened_momentum_update", dampening=0.0)),
    "dampened in the first step alone": ("dampened_momentum_update", with_numbers("dampened_momentum_update", step=1)),
    **{f"ascent, {name}": (name, ascent(name)) for name in RULES},
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_rule_is_seen(case: str, dtype: str) -> None:
    name, rule = WRONG[case]

    class Wrong:
        declaration = DECLARED[name].declaration

        def __call__(self, *arrays, **numbers):
            rule(*arrays, **numbers)

    with np.errstate(all="ignore"):
        assert max(found.error_ratio for found in comparisons(Wrong(), dtype) if found.style != "special") > 1
