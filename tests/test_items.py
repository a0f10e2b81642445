"""Items with their numbers: what a user may write, what is refused and how, and that copies are equal."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import fastnn
from fastnn.activations import Activation
from fastnn.items import Chosen, Item

LEAKY, TWO = Activation.by_name["leaky_relu"], ("a", "b")


class Pair(Item):
    """An item of two numbers."""

    by_name: dict = {}  # noqa: RUF012
    name = "pair"
    numbers = dict.fromkeys(TWO, lambda name, value: float(value))
    defaults = dict(zip(TWO, (1.0, 2.0), strict=True))  # noqa: RUF012


Pair.by_name["pair"] = Pair()


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("leaky_relu", 0.01),
        (LEAKY, 0.01),
        (("leaky_relu", 0.2), 0.2),
        (["leaky_relu", 0.2], 0.2),
        ((LEAKY, 1), 1.0),
        ((LEAKY, np.float32(0.5)), 0.5),
        (("leaky_relu", {"negative_slope": 0.2}), 0.2),
        (("leaky_relu", {}), 0.01),
        (Chosen(LEAKY, (0.3,)), 0.3),
    ],
)
def test_ways_to_choose(given, value: float) -> None:
    chosen = Activation.choose("activation", given)
    assert chosen == Chosen(LEAKY, (value,))
    assert chosen.numbers == {"negative_slope": value}
    assert type(chosen.values[0]) is float
    assert Activation.choose("activation", chosen.argument) == chosen


def test_several_numbers_are_named() -> None:
    chosen = Pair.choose("pair", ("pair", {"b": 5}))
    assert chosen.values == (1.0, 5.0)
    assert chosen.argument == ("pair", {"b": 5.0})
    assert repr(chosen) == "pair(a=1.0, b=5.0)"
    with pytest.raises(
        ValueError, match=r"^pair: got \('pair', 5\), expected a dict of the numbers of pair, 'a', 'b'$"
    ):
        Pair.choose("pair", ("pair", 5))


def test_reads_well() -> None:
    assert repr(Activation.choose("activation", "relu")) == "relu"
    assert repr(Activation.choose("activation", ("elu", 0.5))) == "elu(alpha=0.5)"


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda chosen: pickle.loads(pickle.dumps(chosen))])
def test_copies_are_equal(copied) -> None:
    chosen = Activation.choose("activation", ("elu", 0.5))
    assert copied(chosen) == chosen
    assert hash(copied(chosen)) == hash(chosen)
    assert copied(chosen).item is chosen.item
    assert chosen not in (Activation.choose("activation", ("celu", 0.5)), Activation.choose("activation", "elu"))


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ("hinge", ValueError, "^activation: got 'hinge', expected one of 'sigmoid', .*'silu', .*'swish'$"),
        (("hinge", 0.1), ValueError, "^activation: got 'hinge', expected one of"),
        (None, ValueError, "^activation: got None, expected one of"),
        (("leaky_relu", "0.1"), ValueError, r"^activation: got \('leaky_relu', '0.1'\), expected one of"),
        (
            ("leaky_relu", {"slope": 1}),
            ValueError,
            "^activation: got .*numbers of leaky_relu, 'negative_slope'$",
        ),
        (("relu", 0.1), ValueError, r"^activation: got \('relu', 0.1\), expected 'relu' alone, which takes no number$"),
        (("leaky_relu", -1), ValueError, r"^activation: negative_slope: got -1, expected a number in \[0, inf\)$"),
        (("leaky_relu", np.nan), ValueError, "^activation: negative_slope: got nan"),
        (("leaky_relu", True), TypeError, "^activation: negative_slope: got True, expected a number"),
        (("celu", 0), ValueError, r"^activation: alpha: got 0, expected a number in \(0, inf\)$"),
    ],
)
def test_refused(given, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Activation.choose("activation", given)


def test_functions_check_their_numbers() -> None:
    x = np.ones(3, np.float32)
    with pytest.raises(ValueError, match=r"^alpha: got 0, expected a number in \(0, inf\)$"):
        fastnn.celu(x, alpha=0)
    with pytest.raises(TypeError, match="^negative_slope: got '1', expected a number"):
        fastnn.leaky_relu_backward(x, x, negative_slope="1")
