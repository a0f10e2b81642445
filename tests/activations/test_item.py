"""What an activation cannot be: refused when it is declared, by the name of the part, with nothing registered."""

from __future__ import annotations

import numpy as np
import pytest

import fastnn
from fastnn.jit import scalar
from fastnn.ops import DECLARED


@scalar
def _double(x):
    return x + x


@scalar
def _double_backward(dy, x, y):
    return dy + dy


PARTS = {
    "formula": "2 x",
    "slope": "2",
    "value": _double,
    "backward": _double_backward,
    "slope_of": "output",
    "reference": lambda x: 2 * x,
    "reference_backward": lambda dy, y: 2 * dy,
    "init": "he_normal",
    "flops": (1, 1),
    "ulps": (0, 0),
}


@pytest.mark.parametrize(
    ("name", "parts", "message"),
    [
        ("relu", {}, "^name: got 'relu', which is taken"),
        ("softmax", {}, "^name: got 'softmax', which is taken"),
        ("hard shrink", {}, "^name: got 'hard shrink', expected a name that a function can have"),
        ("double", {"slope_of": "outputs"}, "^slope_of: got 'outputs', expected one of 'input', 'output', 'both'"),
        ("double", {"init": "glorot"}, "^init: got 'glorot', expected one of 'normal', "),
        ("double", {"numbers": {"a": float}}, r"^defaults: got \[\], expected one of each number, \['a'\]"),
        ("swish", {}, "^name: got 'swish', which is taken"),
    ],
)
def test_refused(name: str, parts: dict, message: str) -> None:
    before = dict(fastnn.Activation.by_name), dict(DECLARED)
    with pytest.raises(ValueError, match=message):
        fastnn.activation(name, **PARTS | parts)
    assert before == (fastnn.Activation.by_name, DECLARED)


def test_a_module_that_runs_again_replaces_its_own(dtype: str) -> None:
    """As a cell of a notebook does."""
    try:
        for _ in range(2):
            item = fastnn.activation("double_for_a_test", **PARTS)
        assert fastnn.MLP((2, 3, 2), activation="double_for_a_test")._activations[0].item is item
        x = np.ones(3, dtype)
        np.testing.assert_array_equal(fastnn.double_for_a_test(x), 2 * x)
    finally:
        del fastnn.Activation.by_name["double_for_a_test"]
        del DECLARED["double_for_a_test"], DECLARED["double_for_a_test_backward"]
