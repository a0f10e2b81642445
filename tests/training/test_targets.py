"""Targets that a loss is not for are refused, whoever is given them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fastnn
from fastnn.losses import Loss
from fastnn.ops.arguments import STYLES
from fastnn.training import sources
from tests.training.nets import new_net, same_weights

# Targets of a loss, one that it is not for, and what the message expects.
RIGHT = {"hinge": -1.0, "squared_hinge": 1.0, "poisson": 3.0, "sigmoid_cross_entropy": 0.25, "kl_divergence": 0.5}
WRONG = [
    ("hinge", 0.0, "-1 or +1"),
    ("squared_hinge", 2.0, "-1 or +1"),
    ("poisson", -0.5, "numbers of at least 0"),
    ("sigmoid_cross_entropy", 1.5, "0, 1 or a probability"),
    ("sigmoid_cross_entropy", -1.0, "0, 1 or a probability"),
    ("kl_divergence", 70.0, "probabilities, from 0 to 1,"),
    ("softmax_cross_entropy", -0.25, "probabilities, from 0 to 1,"),
]


def by_fit(net: fastnn.MLP, x: Any, t: Any, weights: Any = None) -> None:
    net.fit(x, t, sample_weight=weights, epochs=1, progress=False)


def by_batches(net: fastnn.MLP, x: Any, t: Any, weights: Any = None) -> None:
    net.fit([(x, t) if weights is None else (x, t, weights)], epochs=1, progress=False)


def by_validation(net: fastnn.MLP, x: Any, t: Any, weights: Any = None) -> None:
    right = np.full(t.shape, RIGHT.get(net._loss.item.name, 1.0), np.float32)
    net.fit(x, right, validation_data=(x, t) if weights is None else (x, t, weights), epochs=1, progress=False)


def by_epoch(net: fastnn.MLP, x: Any, t: Any, weights: Any = None) -> None:
    net.train_epoch(x, t, fastnn.Adam(), 32, sample_weight=weights)


def by_evaluate(net: fastnn.MLP, x: Any, t: Any, weights: Any = None) -> None:
    net.evaluate(x, t, [], sample_weight=weights)


@pytest.mark.parametrize(("loss", "wrong", "expected"), WRONG)
@pytest.mark.parametrize("use", [by_fit, by_batches, by_validation, by_epoch, by_evaluate])
def test_refused_by_row(use: Callable[..., None], loss: str, wrong: float, expected: str, x) -> None:
    net, t = new_net(loss=loss), np.full((60, 3), RIGHT.get(loss, 0.5))
    t[41, 1] = wrong
    message = f"t: got {wrong:g} in row 41, expected {expected} with the loss {loss}"
    with pytest.raises(ValueError, match=f"^(validation_data: )?{re.escape(message)}$"):
        use(net, x, t)
    assert same_weights(net, new_net(loss=loss))


def test_integers_too(x) -> None:
    with pytest.raises(ValueError, match=r"^t: got 0 in row 0, expected -1 or \+1 with the loss hinge$"):
        by_fit(new_net(loss="hinge"), x, np.zeros((60, 3), int))


def test_rows_that_weigh_nothing_may_hold_anything(x) -> None:
    t, weights = np.full((60, 3), 3.0), np.ones(60)
    t[41, 1], weights[41] = -1, 0
    for use in (by_fit, by_batches, by_validation, by_epoch, by_evaluate):
        use(new_net(loss="poisson"), x, t, weights)
    t[50, 2] = -2
    with pytest.raises(ValueError, match="^t: got -2 in row 50"):
        by_fit(new_net(loss="poisson"), x, t, weights)


def test_rows_of_a_file_have_their_own_numbers(x, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(sources, "rows_at_once", lambda net: 10)
    np.save(tmp_path / "x.npy", x.astype(np.float64))
    t = np.full((60, 3), 1.0)
    t[41, 1] = 0
    with pytest.raises(ValueError, match="^t: got 0 in row 41,"):
        by_fit(new_net(loss="hinge"), np.load(tmp_path / "x.npy", mmap_mode="r"), t)


def test_what_is_missing_is_explained_as_before(x) -> None:
    """NaN is no wrong target: the loss that is not finite is explained by it."""
    t = np.full((60, 3), -1.0)
    t[41, 1] = np.nan
    with pytest.raises(fastnn.NonFiniteLossError, match="t has NaN or infinite numbers in row 41"):
        by_fit(new_net(loss="hinge"), x, t)


@pytest.mark.parametrize("name", Loss.by_name)
def test_no_target_that_kernels_are_tested_with_is_refused(name: str, rng: np.random.Generator) -> None:
    kind = Loss.by_name[name].targets
    for style in STYLES:
        for dtype in (np.dtype(np.float32), np.dtype(np.float64)):
            refused = kind.refused(kind.draw(rng, (7, 5), dtype, style, {"n": 7, "c": 5, "o": 5}))
            assert refused is None or not refused.any()
