"""scikit-learn: fitted estimators become nets and come back, and predict the same."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import fastnn
from fastnn.interop import from_sklearn, to_sklearn
from tests.interop.nets import assert_close, net_of, rows

neural_network = pytest.importorskip("sklearn.neural_network")

X = np.random.default_rng(0).normal(0, 1, (40, 5))


def fitted(kind: str, t: np.ndarray, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(neural_network, kind)(hidden_layer_sizes=(17, 17), max_iter=3, random_state=0, **options).fit(
            X, t
        )


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
def test_a_classifier_there_and_back(activation) -> None:
    names = np.array(["ape", "bee", "cat"])
    estimator = fitted("MLPClassifier", names[np.arange(40) % 3], activation=activation)
    net = from_sklearn(estimator, dropout=0.1)
    assert (net.sizes, net.loss, net.dtype) == ((5, 17, 17, 3), "softmax_cross_entropy", np.float64)
    assert net.activation == {"logistic": "sigmoid"}.get(activation, activation)
    assert_close(net.predict_proba(X), estimator.predict_proba(X))
    np.testing.assert_array_equal(estimator.classes_[net.predict(X)], estimator.predict(X))
    back = to_sklearn(net, estimator.classes_)
    np.testing.assert_array_equal(back.predict(X), estimator.predict(X))
    assert_close(back.predict_proba(X), estimator.predict_proba(X))
    assert back.get_params()["hidden_layer_sizes"] == (17, 17)


def test_two_classes_have_one_output() -> None:
    estimator = fitted("MLPClassifier", np.arange(40) % 2)
    net = from_sklearn(estimator)
    assert (net.sizes[-1], net.loss) == (1, "sigmoid_cross_entropy")
    assert_close(net.predict_proba(X), estimator.predict_proba(X)[:, 1:])
    assert_close(to_sklearn(net).predict_proba(X), estimator.predict_proba(X))


def test_two_outputs_of_a_softmax_become_one() -> None:
    net, x = net_of("relu", "float64", outputs=2), rows("float64")
    estimator = to_sklearn(net, ["no", "yes"])
    assert_close(estimator.predict_proba(x), net.predict_proba(x))
    np.testing.assert_array_equal(estimator.predict(x), np.array(["no", "yes"])[net.predict(x)])


def test_several_labels_at_once() -> None:
    estimator = fitted(
        "MLPClassifier", np.stack([np.arange(40) % 2, np.arange(40) % 3 == 0, X[:, 0] > 0], 1).astype(int)
    )
    net = from_sklearn(estimator)
    assert_close(net.predict_proba(X), estimator.predict_proba(X))
    np.testing.assert_array_equal(net.predict(X), estimator.predict(X))
    np.testing.assert_array_equal(to_sklearn(net).predict(X), estimator.predict(X))


@pytest.mark.parametrize("outputs", [1, 2])
def test_a_regressor_there_and_back(outputs) -> None:
    estimator = fitted("MLPRegressor", X[:, 0] if outputs == 1 else X[:, :2])
    net = from_sklearn(estimator)
    assert net.loss == "half_squared_error"
    assert_close(net.predict(X).reshape(estimator.predict(X).shape), estimator.predict(X))
    back = to_sklearn(net).predict(X)
    assert back.shape == estimator.predict(X).shape
    assert_close(back, estimator.predict(X))


def test_counts() -> None:
    try:
        estimator = fitted("MLPRegressor", np.arange(40) % 5, loss="poisson")
    except TypeError:
        pytest.skip("scikit-learn before 1.7 has no Poisson loss")
    net = from_sklearn(estimator)
    assert net.loss == "poisson"
    assert_close(net.predict(X)[:, 0], estimator.predict(X))
    assert_close(to_sklearn(net).predict(X), estimator.predict(X))


def test_a_net_of_its_own(dtype) -> None:
    """In its precision; and it trains on."""
    net, x = net_of("tanh", dtype), rows(dtype)
    estimator = to_sklearn(net)
    assert_close(estimator.predict_proba(x), net.predict_proba(x))
    before = estimator.coefs_[0].copy()
    estimator.partial_fit(x, np.arange(9) % 3)
    assert (estimator.coefs_[0] != before).any()
    np.testing.assert_array_equal(net.get_weights()[0], before)


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (lambda: net_of("gelu"), "activation: got 'gelu', which scikit-learn does not have"),
        (lambda: fastnn.MLP((5, 17, 17, 3), ["relu", "tanh"]), "activation: got .*, expected one for all layers"),
        (lambda: fastnn.MLP((5, 3), loss="hinge"), "loss: got 'hinge', which no estimator"),
    ],
)
def test_what_scikit_learn_has_not(net, message) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        to_sklearn(net())


def test_classes_that_do_not_fit() -> None:
    for classes in (["b", "a", "c"], ["a", "b"], ["a", "a", "b"]):
        with pytest.raises(ValueError, match=r"^classes: got .*, expected 3 in ascending order"):
            to_sklearn(net_of("relu"), classes)
    with pytest.raises(ValueError, match="^classes: got .* for a net with the loss huber"):
        to_sklearn(net_of("relu", loss="huber"), [1, 2, 3])


def test_what_is_not_fitted() -> None:
    with pytest.raises(TypeError, match="^estimator: got MLPClassifier without coefs_, expected a fitted"):
        from_sklearn(neural_network.MLPClassifier())
