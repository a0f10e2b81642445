"""Metrics against scikit-learn's, in chunks, and what is refused."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

import fastnn
from fastnn.training import evaluation
from tests.training.nets import new_net

sklearn_metrics = pytest.importorskip("sklearn.metrics")


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch) -> None:
    """Chunks of 64 rows."""
    monkeypatch.setattr(evaluation, "_CHUNK", 0)


@pytest.fixture
def x(x) -> np.ndarray:
    """Rows in several chunks."""
    return np.tile(x, (3, 1)) * np.repeat(np.float32([[1], [-0.5], [2]]), 60, axis=0)


@pytest.fixture
def t(t) -> np.ndarray:
    """Their labels."""
    return np.tile(t, 3)


WEIGHTS = np.arange(180) % 5 / 2


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["unweighted", "weighted"])
def test_of_classes(x, t, weights) -> None:
    net = new_net()
    found = net.evaluate(x, t, ["accuracy", "error", ("top_k_accuracy", 2)], weights)
    accuracy = sklearn_metrics.accuracy_score(t, net.predict(x), sample_weight=weights)
    top = sklearn_metrics.top_k_accuracy_score(t, net.forward(x), k=2, sample_weight=weights)
    assert list(found) == ["loss", "accuracy", "error", "top_2_accuracy"]
    assert 0.1 < accuracy < top < 1
    assert list(found.values())[1:] == pytest.approx([accuracy, 1 - accuracy, top])
    # One-hot rows are the same targets.
    assert net.evaluate(x, np.eye(3, dtype=np.float32)[t], ["accuracy", ("top_k_accuracy", 2)], weights)[
        "accuracy"
    ] == pytest.approx(accuracy)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("outputs", [1, 3])
def test_of_values(x, t, weights, outputs) -> None:
    net = fastnn.MLP((4, 8, outputs), "relu", "mean_squared_error", seed=3)
    own = (1000 + t[:, np.newaxis] + np.arange(outputs) + x[:, :1]).astype(np.float32)
    names = ["mean_absolute_error", "mean_squared_error", "root_mean_squared_error", "r2"]
    z = net.forward(x).astype(float)
    expected = [
        sklearn_metrics.mean_absolute_error(own, z, sample_weight=weights),
        sklearn_metrics.mean_squared_error(own, z, sample_weight=weights),
        sklearn_metrics.mean_squared_error(own, z, sample_weight=weights) ** 0.5,
        sklearn_metrics.r2_score(own, z, sample_weight=weights),
    ]
    for targets in (own, own[:, 0]) if outputs == 1 else (own,):
        found = net.evaluate(x, targets, names, weights)
        assert list(found.values())[1:] == pytest.approx(expected, rel=1e-6)


def test_r2_of_equal_targets_and_of_one_row(x) -> None:
    net = fastnn.MLP((4, 8, 1), "relu", "mean_squared_error", init=0.0, seed=3)
    t = np.zeros(180, np.float32)
    assert net.evaluate(x, t)["r2"] == sklearn_metrics.r2_score(t, np.zeros(180)) == 1
    assert net.evaluate(x, t + 5)["r2"] == sklearn_metrics.r2_score(t + 5, np.zeros(180)) == 0
    assert np.isnan(net.evaluate(x[:1], t[:1])["r2"])


def test_of_outputs_that_are_0_or_1(x, t) -> None:
    net = new_net(loss="sigmoid_cross_entropy")
    rows = np.eye(3, dtype=np.float32)[t]
    expected = pytest.approx((net.predict(x) == rows).mean())
    assert net.evaluate(x, rows)["accuracy"] == net.evaluate(x, rows * 0.8 + 0.1)["accuracy"] == expected
    one = fastnn.MLP((4, 8, 1), "relu", "sigmoid_cross_entropy", seed=3)
    expected = pytest.approx((one.predict(x) == (t == 1)).mean())
    for targets in (t == 1, (t == 1)[:, np.newaxis].astype(np.float32), (t == 1).astype(np.float32)):
        own = targets.astype(int) if targets.dtype == bool else targets
        assert one.evaluate(x, own)["accuracy"] == expected


def test_of_signs(x, t) -> None:
    net = fastnn.MLP((4, 8, 1), "relu", "hinge", seed=3)
    signs = np.where(t == 1, 1, -1).astype(np.float32)
    assert net.evaluate(x, signs)["accuracy"] == pytest.approx((net.predict(x) == signs).mean())


def test_of_one_hot_rows_with_a_loss_of_values(x, t) -> None:
    net = new_net(loss="mean_squared_error")
    found = net.evaluate(x, np.eye(3, dtype=np.float32)[t], ["accuracy"])
    assert found["accuracy"] == pytest.approx((net.forward(x).argmax(axis=1) == t).mean())
    with pytest.raises(ValueError, match="'accuracy' where rows of t are not one-hot"):
        net.evaluate(x, x[:, :3], ["accuracy"])


def test_rows_with_an_ignored_label_count_nothing(x, t) -> None:
    net = new_net(loss=("softmax_cross_entropy", {"ignore_label": -1}))
    own, kept = np.where(np.arange(180) % 4 == 0, -1, t), np.arange(180) % 4 != 0
    metrics = ["accuracy", ("top_k_accuracy", 2), sklearn_metrics.accuracy_score, "sklearn:f1_macro"]
    assert net.evaluate(x, own, metrics, WEIGHTS) == pytest.approx(
        net.evaluate(x[kept], own[kept], metrics, WEIGHTS[kept])
    )


def test_top_k_of_equal_and_missing_outputs(x) -> None:
    """Of equal outputs the first are larger, as in `accuracy`; a NaN is never right."""
    net = new_net(init=0.0)
    for label, k, expected in ((0, 1, 1), (1, 1, 0), (1, 2, 1), (2, 2, 0), (2, 3, 1)):
        own = np.full(180, label)
        assert net.evaluate(x, own, [("top_k_accuracy", k)])[f"top_{k}_accuracy"] == expected
    nan = new_net(init=0.0)
    nan.set_weights([w + np.nan for w in nan.get_weights()])
    assert nan.evaluate(x, np.full(180, 2), [("top_k_accuracy", 1), ("top_k_accuracy", 2)])["top_2_accuracy"] == 0


def test_functions_and_their_names(x, t) -> None:
    net = new_net()

    def seen(truth: np.ndarray, prediction: np.ndarray) -> float:
        assert truth.shape == prediction.shape == (180,)
        np.testing.assert_array_equal(truth, t)
        np.testing.assert_array_equal(prediction, net.predict(x))
        return 0.25

    fbeta = partial(sklearn_metrics.fbeta_score, beta=2, average="macro")
    metrics = [seen, ("mine", seen), fbeta, sklearn_metrics.cohen_kappa_score]
    found = net.evaluate(x, np.eye(3, dtype=np.float32)[t], metrics)
    assert found == {
        "loss": pytest.approx(net.evaluate(x, t)["loss"]),
        "seen": 0.25,
        "mine": 0.25,
        "fbeta_score": pytest.approx(fbeta(t, net.predict(x))),
        "cohen_kappa_score": pytest.approx(sklearn_metrics.cohen_kappa_score(t, net.predict(x))),
    }


def test_functions_of_values_have_one_shape(x) -> None:
    net = fastnn.MLP((4, 8, 1), "relu", "mean_squared_error", seed=3)
    shapes = ("shapes", lambda t, prediction: t.shape == prediction.shape == (180,))
    for t in (x[:, 0], x[:, :1]):
        assert net.evaluate(x, t, [shapes])["shapes"] == 1


def test_scorers(x, t) -> None:
    """By name, as an object, and a function like them; they ask for labels, probabilities or decisions."""
    net = new_net()

    def own(estimator: Any, rows: Any, truth: np.ndarray) -> float:
        return float(estimator.predict_proba(rows)[:, 0].mean())

    names = ["f1_macro", "roc_auc_ovr", "neg_log_loss", "matthews_corrcoef"]
    made = sklearn_metrics.make_scorer(sklearn_metrics.jaccard_score, average="micro")
    found = net.evaluate(x, t, [*(f"sklearn:{name}" for name in names), made, own])
    p, labels = net.predict_proba(x), net.predict(x)
    assert found == {
        "loss": pytest.approx(net.evaluate(x, t)["loss"]),
        "f1_macro": pytest.approx(sklearn_metrics.f1_score(t, labels, average="macro")),
        "roc_auc_ovr": pytest.approx(sklearn_metrics.roc_auc_score(t, p, multi_class="ovr")),
        "neg_log_loss": pytest.approx(-sklearn_metrics.log_loss(t, p)),
        "matthews_corrcoef": pytest.approx(sklearn_metrics.matthews_corrcoef(t, labels)),
        "jaccard_score": pytest.approx(sklearn_metrics.jaccard_score(t, labels, average="micro")),
        "own": pytest.approx(p[:, 0].mean()),
    }


def test_scorers_of_two_classes_and_of_values(x, t) -> None:
    weights, yes = WEIGHTS, (t == 1).astype(int)
    for net in (
        fastnn.MLP((4, 8, 1), "relu", "sigmoid_cross_entropy", seed=3),
        fastnn.MLP((4, 8, 2), "relu", "softmax_cross_entropy", seed=3),
    ):
        names = [f"sklearn:{name}" for name in ("roc_auc", "average_precision", "neg_brier_score")]
        found = net.evaluate(x, yes, names, weights)
        p = net.predict_proba(x)[:, -1].astype(float)
        expected = [
            sklearn_metrics.roc_auc_score(yes, p, sample_weight=weights),
            sklearn_metrics.average_precision_score(yes, p, sample_weight=weights),
            -sklearn_metrics.brier_score_loss(yes, p, sample_weight=weights),
        ]
        assert list(found.values())[1:] == pytest.approx(expected, rel=1e-6)
    net = fastnn.MLP((4, 8, 1), "relu", "mean_squared_error", seed=3)
    found = net.evaluate(x, x[:, 0], ["r2", "sklearn:explained_variance", "sklearn:neg_median_absolute_error"])
    z = net.forward(x)[:, 0]
    assert found["explained_variance"] == pytest.approx(sklearn_metrics.explained_variance_score(x[:, 0], z), rel=1e-5)
    assert found["neg_median_absolute_error"] == pytest.approx(-np.median(np.abs(z - x[:, 0])), rel=1e-5)


def test_defaults(x, t) -> None:
    assert list(new_net().evaluate(x, t)) == ["loss", "accuracy"]
    assert list(new_net(loss="mean_squared_error").evaluate(x, x[:, :3])) == ["loss", "r2"]


POISSON, VALUES = {"loss": "poisson"}, {"loss": "mean_squared_error"}


@pytest.mark.parametrize(
    ("options", "metrics", "kind", "message"),
    [
        ({}, ["r2"], ValueError, r"metrics\[0\]: a net with the loss softmax_cross_entropy .* measure this one"),
        ({}, ["mean_squared_error"], ValueError, r"metrics\[0\]: a net with the loss softmax"),
        (POISSON, ["accuracy"], ValueError, r"metrics\[0\]: a net with the loss poisson"),
        (VALUES, [("top_k_accuracy", 2)], ValueError, r"metrics\[0\]: .* expected a net with a softmax"),
        ({}, ["top_k_accuracy"], ValueError, r"metrics\[0\]: got k = 5, expected at most the 3 outputs"),
        ({}, [("top_k_accuracy", 0)], ValueError, r"metrics\[0\]\[1\]: got 0"),
        ({}, ["accuracy", "accuracy"], ValueError, r"metrics\[1\]: got the name 'accuracy', which is taken"),
        ({}, [("loss", max)], ValueError, r"metrics\[0\]: got the name 'loss'"),
        ({}, [("val_mine", max)], ValueError, r"metrics\[0\]: got the name 'val_mine'"),
        ({}, ["sklearn:f3"], ValueError, r"metrics\[0\]: got 'sklearn:f3', expected 'sklearn:' and one of accuracy, "),
        ({}, [3], TypeError, r"metrics\[0\]: got 3, expected a name, a function"),
        ({}, [("accuracy", 3)], TypeError, r"metrics\[0\]: got \('accuracy', 3\)"),
        ({}, [("mine", lambda t, prediction: "good")], TypeError, "metrics: got 'good' from 'mine'"),
    ],
)
def test_refuses(x, t, options, metrics, kind, message) -> None:
    with pytest.raises(kind, match=message):
        new_net(**options).evaluate(x, t if not options else np.abs(x[:, :3]), metrics)
