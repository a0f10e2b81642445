"""The loss over a data set against that of a training step on all its rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fastnn
from fastnn.losses import ChosenLoss
from fastnn.training import evaluation
from tests.training.nets import new_net

OPTIONS = {
    "softmax_cross_entropy": [{"label_smoothing": 0.1}, {"class_weight": [1.0, 0.0, 3.0], "ignore_label": -1}],
    "sigmoid_cross_entropy": [{"class_weight": [1.0, 2.0, 3.0]}],
    "huber": [{"delta": 0.3}],
}


def targets(loss: str, labels: np.ndarray, outputs: int) -> np.ndarray:
    """Targets that the loss takes."""
    rows = np.eye(3, dtype=np.float32)[labels][:, :outputs]
    if loss.endswith("hinge"):
        return 2 * rows - 1
    return rows if loss in ("kl_divergence", "sigmoid_cross_entropy", "poisson") else rows - np.float32(0.3)


def assert_loss_of_a_step(net: fastnn.MLP, x: np.ndarray, t: np.ndarray, weights: Any = None) -> None:
    found = net.evaluate(x, t, [], weights)
    assert list(found) == ["loss"]
    # The loss of each chunk is rounded to float32.
    assert found["loss"] == pytest.approx(net.train_step(x, t, fastnn.SGD(lr=0.0), weights), rel=1e-6)


@pytest.mark.parametrize("name", fastnn.Loss.by_name)
def test_equals_the_loss_of_a_step(name, x, t, monkeypatch) -> None:
    monkeypatch.setattr(evaluation, "_CHUNK", 0)  # chunks of 64 rows
    x, t = np.tile(x, (3, 1)), np.tile(t, 3)
    item, weights = fastnn.Loss.by_name[name], np.arange(180) % 4 / 2
    for options in [{}, *OPTIONS.get(name, [])] + ([{"reduction": "sum"}] if "reduction" in item.options else []):
        net = new_net(loss=(name, options))
        if name == "softmax_cross_entropy":
            own = np.where(np.arange(180) % 7 == 0, -1, t) if "ignore_label" in options else t
        else:
            own = targets(name, t, 3)
        assert_loss_of_a_step(net, x, own)
        assert_loss_of_a_step(net, x, own, weights)


def test_one_output(x, t) -> None:
    """With (n,) and (n, 1), labels and values."""
    for loss, own in (
        ("sigmoid_cross_entropy", (t == 0).astype(int)),
        ("sigmoid_cross_entropy", (t == 0).astype(np.float32)),
        ("mean_squared_error", t.astype(np.float32)),
        ("mean_squared_error", t.astype(np.float32)[:, np.newaxis]),
    ):
        assert_loss_of_a_step(fastnn.MLP((4, 8, 1), "relu", loss, seed=3), x, own, np.arange(60) / 8)


def test_includes_the_penalty_and_leaves_out_dropout(x, t) -> None:
    plain = new_net()
    net = new_net(l1=0.01, l2=0.1, dropout=0.5)
    expected = plain.evaluate(x, t)["loss"] + sum(
        0.01 * np.abs(w).sum(dtype=float) + 0.1 * (w.astype(float) ** 2).sum() for w in net.get_weights()[::2]
    )
    assert net.evaluate(x, t)["loss"] == pytest.approx(expected, rel=1e-6)


def test_of_float64_and_integers(x, t) -> None:
    net = new_net()
    rows = np.round(3 * x)
    assert net.evaluate(rows.astype(float), t) == net.evaluate(rows.astype(np.int8), t) == net.evaluate(rows, t)


def test_rows_that_weigh_nothing(x, t) -> None:
    found = new_net().evaluate(x, t, sample_weight=np.zeros(60))
    assert np.isnan(found["loss"])
    assert np.isnan(found["accuracy"])


def test_chunks_that_weigh_nothing(x, t, monkeypatch) -> None:
    monkeypatch.setattr(evaluation, "_CHUNK", 0)  # chunks of 64 rows
    x, t = np.tile(x, (3, 1)), np.tile(t, 3)
    assert_loss_of_a_step(new_net(), x, t, (np.arange(180) >= 64) / 2)


def test_a_loss_without_a_public_function(x, t) -> None:
    choice = ChosenLoss.find("loss", "mean_squared_error")
    net = new_net(loss="mean_squared_error")
    rows = np.eye(3, dtype=np.float32)[t]
    with pytest.MonkeyPatch.context() as patch:
        patch.delitem(fastnn.ops.DECLARED, choice.item.name)
        assert_loss_of_a_step(net, x, rows)


def test_refuses_no_rows() -> None:
    with pytest.raises(ValueError, match="x: got 0 rows, expected at least 1"):
        new_net().evaluate(np.ones((0, 4)), np.ones(0, int))
