"""What only compiling shows: at the first call, and where a net or a step needs an item."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fastnn
from fastnn import extend
from tests.extend.items import optimizer_of, power

OBJECTS = {"a": object()}


def helper(x):
    return x


def looks_up(x):
    y = x
    return OBJECTS["a"] * y


def calls_a_helper(x):
    return helper(x)


def formats(x):
    text = f"{x:.3f}"
    return len(text)


WRONG_VALUES = {
    "array": (lambda x: np.zeros(3) + x, "value: .* returns an array, expected one number"),
    "tuple": (lambda x: (x, x), "value: .* returns a tuple of 2, expected one number"),
    "nothing": (lambda x: None, "value: .* returns nothing, expected a number; is a `return` missing"),
    "at times nothing": (lambda x: x if x > 0 else None, "value: .* returns a number or None"),
    "an object": (looks_up, r"value: .*'OBJECTS'.* \(.*test_compiling.py, line \d+: return OBJECTS\[\"a\"\] \* y\)"),
    "a helper": (calls_a_helper, "value: .*'helper'.*decorate that function with @fastnn.extend.scalar"),
    "no such name": (lambda x: x + no_such_name, "value: .*'no_such_name' is not defined"),  # noqa: F821
    "text": (formats, r"value: .*f-string.*line \d+"),
    "an index": (lambda x: x[0], r"value: Numba cannot compile getitem\(float32, .*line \d+"),
}


@pytest.mark.filterwarnings("ignore:.*is not kept on disk:RuntimeWarning")
@pytest.mark.parametrize("case", WRONG_VALUES)
def test_a_value_that_does_not_compile(case: str) -> None:
    value, message = WRONG_VALUES[case]
    item = fastnn.activation("wrong", value=value, backward=lambda dy, x, y: dy)
    for use in (lambda: fastnn.wrong(np.ones(3, np.float32)), lambda: fastnn.MLP((3, 4, 2), activation=item)):
        with pytest.raises(TypeError, match=f"^wrong: {message}") as raised:
            use()
        assert "\n" not in str(raised.value)


def usable_net() -> tuple[fastnn.MLP, np.ndarray, np.ndarray]:
    return fastnn.MLP((3, 4, 2), loss="mean_squared_error"), np.ones((5, 3), np.float32), np.ones((5, 2), np.float32)


def unchanged(net: fastnn.MLP, before: list[np.ndarray], x: np.ndarray, t: np.ndarray) -> None:
    """The net is as before, and can be trained."""
    for w, v in zip(net.get_weights(), before, strict=True):
        np.testing.assert_array_equal(w, v)
    losses = [net.train_step(x, t, fastnn.SGD(0.1)) for _ in range(2)]
    assert losses[1] < losses[0]


WRONG_UPDATES = {
    "no moments": (
        lambda g, v, lr, momentum: lr * g,
        "<lambda> .* returns .*, expected the new v, and what is subtracted",
    ),
    "too many": (
        lambda g, v, lr, momentum: (v, v, lr * g),
        "<lambda> .* returns .*, expected the new v, and what is subtracted",
    ),
    "a number": (lambda g, v, lr, momentum: (v, 0.1), ".* returns .*float64.*computed from g or a moment"),
    "a power": (lambda g, v, lr, momentum: (v, g**2), r"Numba cannot compile pow.*neither \*\*, `if` nor functions"),
    "NumPy": (lambda g, v, lr, momentum: (v, np.sqrt(g)), r"Numba cannot compile sqrt.*square_root"),
}


@pytest.mark.parametrize("case", WRONG_UPDATES)
def test_an_update_that_does_not_compile(case: str) -> None:
    update, message = WRONG_UPDATES[case]
    net, x, t = usable_net()
    before, made = net.get_weights(), optimizer_of("Wrong", update=staticmethod(update))
    with pytest.raises(TypeError, match=f"^Wrong: update: {message}"):
        net.train_step(x, t, made())
    unchanged(net, before, x, t)


def test_an_update_that_forgets_a_moment() -> None:
    """Which would stay zero."""
    net, x, t = usable_net()
    before = net.get_weights()
    made = optimizer_of("Wrong", moments=("m", "v"), update=staticmethod(lambda g, m, v, lr, momentum: (m, lr * g)))
    with pytest.raises(
        TypeError, match="^Wrong: update: .* returns .*, expected the new m, and the new v, and what is"
    ):
        net.train_step(x, t, made())
    unchanged(net, before, x, t)


@pytest.mark.parametrize("constants", [lambda step, lr, momentum: lr, lambda step, lr, momentum: (lr, lr, lr)])
def test_constants_of_another_number(constants: Any) -> None:
    net, x, t = usable_net()
    before, made = net.get_weights(), optimizer_of("Wrong", constants=staticmethod(constants))
    with pytest.raises(TypeError, match="^Wrong: constants: .* returns .*, expected a tuple of 2 numbers"):
        net.train_step(x, t, made())
    unchanged(net, before, x, t)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (lambda g, moments, c: (moments, g), r"returns .*, expected \(\(the 1 new moments\), numerator, denominator"),
        (lambda g, moments, c: ((), g, None), r"returns .*, expected \(\(the 1 new moments\), numerator, denominator"),
        (lambda g, moments, c: (moments, g, g), r"returns .*denominator: None, with divides=False\)"),
    ],
)
def test_a_rule_of_another_structure(rule: Any, message: str) -> None:
    extend.update_rule("wrong_update", rule=rule, moments=("m",), defaults={"lr": 0.1})
    w = np.ones(3, np.float32)
    with pytest.raises(TypeError, match=f"^wrong_update: rule: .*{message}"):
        fastnn.wrong_update(w, w.copy(), w.copy())
    np.testing.assert_array_equal(w, 1)


def test_a_loss_that_does_not_compile(dtype: str) -> None:
    item = fastnn.elementwise_loss("wrong", value=power, slope=lambda y, t: (y, t))
    x, t = np.ones((5, 3), dtype), np.ones((5, 2), dtype)
    net = fastnn.MLP((3, 2), loss=item, dtype=dtype)
    before = net.get_weights()
    for use in (
        lambda: fastnn.wrong(t, t),
        lambda: fastnn.wrong(t, t, sample_weight=np.ones(5)),
        lambda: fastnn.wrong.reference(t, t),
        lambda: net.train_step(x, t, fastnn.SGD(0.1)),
        lambda: net.train_step(x, t, fastnn.SGD(0.1), np.ones(5)),
    ):
        with pytest.raises(TypeError, match=r"^wrong: slope: .*returns a tuple of 2, expected one number"):
            use()
    assert all(np.array_equal(w, v) for w, v in zip(net.get_weights(), before, strict=True))


def test_a_wrong_slope_is_found(rng: np.random.Generator) -> None:
    """Which no error can tell: also a slope that uses what `slope_of` does not name."""
    x, t = rng.standard_normal((20, 3)), rng.standard_normal((20, 2))
    wrong = {
        "third_power_for_a_test": fastnn.activation(
            "third_power_for_a_test",
            value=lambda x: x * x * x,
            backward=lambda dy, x, y: dy * 3 * y / x,
            slope_of="input",
        ),
        "cube_for_a_test": fastnn.activation(
            "cube_for_a_test", value=lambda x: x * x * x, backward=lambda dy, x, y: dy * 3 * x * x, slope_of="output"
        ),
    }
    for name, item in wrong.items():
        net = fastnn.MLP((3, 4, 2), item, "mean_squared_error", dtype="float64")
        with pytest.raises(fastnn.GradientError, match=f"the slope of the activation '{name}'"):
            fastnn.check_gradient(net, x, t)
    own = fastnn.elementwise_loss("wrong", value=power, slope=lambda y, t: y - t)
    with pytest.raises(fastnn.GradientError, match="the gradient of the loss 'wrong'"):
        fastnn.check_gradient(fastnn.MLP((3, 4, 2), "tanh", own, dtype="float64"), x, t)
