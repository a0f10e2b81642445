"""Fits of the same data with the same random state: weights, losses, scores and epochs as scikit-learn's."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn", "1.6")

import sklearn
import sklearn.neural_network as theirs
from sklearn.datasets import load_diabetes, load_digits, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import scale

import fastnn.sklearn as ours

VERSION = tuple(int(part) for part in sklearn.__version__.split(".")[:2])
NAMES = ["coefs_", "intercepts_"]

# Adam's epsilon means something else before the correction of its bias: next to nothing means the same.
STEPS = {"epsilon": 1e-14, "hidden_layer_sizes": (12, 9), "batch_size": 64, "max_iter": 12, "random_state": 3}
SETTINGS = {
    "adam": {"alpha": 0.5},
    "sgd": {"solver": "sgd", "alpha": 0.5, "learning_rate_init": 0.05},
    "sgd without Nesterov": {"solver": "sgd", "nesterovs_momentum": False, "learning_rate_init": 0.05},
    "sgd without momentum": {"solver": "sgd", "momentum": 0, "learning_rate_init": 0.05},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "power_t": 0.2, "learning_rate_init": 0.05},
    "adaptive": {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.1, "n_iter_no_change": 1, "max_iter": 25},
    "not shuffled": {"shuffle": False},
    "early stopping": {"early_stopping": True, "n_iter_no_change": 2, "tol": 0.01, "learning_rate_init": 0.01},
    "stops": {"tol": 0.05, "n_iter_no_change": 2, "max_iter": 100, "learning_rate_init": 0.01},
    "logistic": {"activation": "logistic"},
    "tanh": {"activation": "tanh"},
    "identity": {"activation": "identity", "hidden_layer_sizes": 5},
    "lbfgs": {"solver": "lbfgs", "alpha": 0.5},
    "no hidden layer": {"hidden_layer_sizes": ()},
}


def _data(kind: str):
    if kind in ("classes", "two classes"):
        x, y = load_digits(n_class=2 if kind == "two classes" else 5, return_X_y=True)
        # Before 1.9 scikit-learn cannot score text in validation.
        return x[:230] / 16, y[:230] if VERSION < (1, 9) else np.array([f"class {label}" for label in y[:230]])
    if kind == "labels":
        return make_multilabel_classification(230, 8, n_classes=4, random_state=0)
    x, y = load_diabetes(return_X_y=True)
    x, y = scale(x[:230]), scale(y[:230])
    return (x, y) if kind == "values" else (x, np.stack([y, y**2], axis=1))


def _both(kind: str, sample_weight=None, dtype=np.float64, **settings):
    x, y = _data(kind)
    name = "MLPRegressor" if "values" in kind else "MLPClassifier"
    fitted = []
    for module in (theirs, ours):
        model = getattr(module, name)(**{**STEPS, **settings})
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            fitted.append(model.fit(x.astype(dtype), y, **weights))
    return x.astype(dtype), y, *fitted


def _assert_equal(x, y, their, our, rtol: float | None = None) -> None:
    # Adam makes steps of the roundings of gradients that are nearly 0.
    rtol = rtol or (5e-5 if our.solver == "adam" else 1e-7)
    assert (our.n_iter_, our.t_, our.n_layers_, our.n_outputs_) == (
        their.n_iter_,
        their.t_,
        their.n_layers_,
        their.n_outputs_,
    )
    assert our.out_activation_ == their.out_activation_
    for name in NAMES:
        for found, expected in zip(getattr(our, name), getattr(their, name), strict=True):
            assert found.dtype == expected.dtype
            np.testing.assert_allclose(found, expected, rtol=0, atol=rtol * max(1, np.abs(expected).max()))
    assert our.loss_ == pytest.approx(their.loss_, rel=rtol)
    if y.dtype.kind == "f":
        np.testing.assert_allclose(our.predict(x[:50]), their.predict(x[:50]), rtol=0, atol=10 * rtol * np.abs(y).max())
    else:
        np.testing.assert_array_equal(our.predict(x[:50]), their.predict(x[:50]))
    for name in ("loss_curve_", "validation_scores_", "best_loss_", "best_validation_score_"):
        expected = getattr(their, name, None)
        if expected is None:
            assert getattr(our, name, None) is None
        else:
            np.testing.assert_allclose(getattr(our, name), expected, rtol=rtol, atol=rtol)
    if hasattr(their, "predict_proba"):
        np.testing.assert_allclose(our.predict_proba(x[:50]), their.predict_proba(x[:50]), rtol=0, atol=rtol)


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("kind", ["classes", "values"])
def test_fit(kind: str, name: str) -> None:
    _assert_equal(*_both(kind, **SETTINGS[name]))


@pytest.mark.parametrize("name", ["adam", "sgd", "early stopping", "lbfgs"])
@pytest.mark.parametrize("kind", ["two classes", "labels"])
def test_fit_of_yes_and_no(kind: str, name: str) -> None:
    _assert_equal(*_both(kind, **SETTINGS[name]))


@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_fit_of_several_values(name: str) -> None:
    """What is reported is the mean over the outputs there; here all that is minimised is divided by their number."""
    x, y, their, our = _both("two values", **{**SETTINGS[name], "alpha": 0})
    _assert_equal(x, y, their, our)


@pytest.mark.parametrize("name", ["adam", "sgd", "lbfgs", "logistic"])
def test_fit_in_float32(name: str) -> None:
    x, y, their, our = _both("classes", dtype=np.float32, **SETTINGS[name])
    # SciPy hands scikit-learn's L-BFGS weights in float32 where those at the start are.
    _assert_equal(x, y, their, our, rtol=1e-4 if name == "lbfgs" else 2e-3)


@pytest.mark.skipif(VERSION < (1, 7), reason="scikit-learn has weights of samples since 1.7")
@pytest.mark.parametrize("name", ["adam", "sgd", "early stopping", "lbfgs"])
@pytest.mark.parametrize("kind", ["classes", "two classes", "labels", "values"])
def test_fit_with_weights(kind: str, name: str, rng: np.random.Generator) -> None:
    _assert_equal(*_both(kind, rng.uniform(0.5, 3, 230), **SETTINGS[name]))


@pytest.mark.skipif(VERSION < (1, 7), reason="scikit-learn has the Poisson loss since 1.7")
@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_poisson(solver: str, weighted: bool, outputs: int, rng: np.random.Generator) -> None:
    x = rng.standard_normal((230, 5))
    y = rng.poisson(np.exp(x[:, :outputs]))[:, 0 if outputs == 1 else slice(None)]
    weights = {"sample_weight": rng.uniform(0.5, 3, 230)} if weighted else {}
    made_of = {**STEPS, "loss": "poisson", "solver": solver, "alpha": 0.5, "learning_rate_init": 0.01}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        their, our = (module.MLPRegressor(**made_of).fit(x, y, **weights) for module in (theirs, ours))
    _assert_equal(x, y.astype(float), their, our)


@pytest.mark.parametrize("name", ["adam", "sgd", "invscaling"])
def test_partial_fit(name: str) -> None:
    x, y = _data("classes")
    models = [module.MLPClassifier(**{**STEPS, **SETTINGS[name]}) for module in (theirs, ours)]
    for first in (0, 100, 0, 50):
        for model in models:
            model.partial_fit(x[first : first + 130], y[first : first + 130], classes=np.unique(y))
    _assert_equal(x, y, *models)


@pytest.mark.parametrize("name", ["sgd", "lbfgs"])
def test_warm_start(name: str) -> None:
    x, y = _data("classes")
    models = [module.MLPClassifier(**{**STEPS, **SETTINGS[name], "warm_start": True}) for module in (theirs, ours)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for _ in range(2):
            for model in models:
                model.fit(x, y)
    _assert_equal(x, y, *models)


def test_warm_start_keeps_the_best_weights() -> None:
    """scikit-learn goes on training the arrays that it keeps as the best ones, and loses them."""
    x, y = _data("classes")
    model = ours.MLPClassifier(early_stopping=True, warm_start=True, random_state=0, learning_rate_init=0.01).fit(x, y)
    score, weights = model.best_validation_score_, [coef.copy() for coef in model.coefs_]
    model.set_params(learning_rate_init=10.0, max_iter=1)
    model.fit(x, y)
    assert model.validation_scores_[-1] < score == model.best_validation_score_
    for found, expected in zip(model.coefs_, weights, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_weights_that_a_user_sets_are_used() -> None:
    x, y, their, our = _both("classes")
    for model in (their, our):
        model.coefs_[0][3] = 0.5
        model.intercepts_[-1] = np.array(model.intercepts_[-1]) + np.arange(5.0)
    np.testing.assert_allclose(our.predict_proba(x), their.predict_proba(x), rtol=1e-5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for model in (their, our):
            model.partial_fit(x, y)
    np.testing.assert_allclose(our.predict_proba(x), their.predict_proba(x), rtol=1e-5)


@pytest.mark.skipif(VERSION < (1, 9), reason="the messages are those of scikit-learn 1.9")
def test_messages(capsys: pytest.CaptureFixture) -> None:
    """Printed, and of warnings; the number of epochs and losses in them too."""
    digits, said = re.compile(r"(loss = \d+\.\d{4})\d+"), []
    x, y = _data("classes")
    for module in (theirs, ours):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for name in ("adam", "adaptive", "early stopping", "stops"):
                settings = {**STEPS, **SETTINGS[name], "verbose": True, "epsilon": 1e-14}
                module.MLPClassifier(**settings).fit(x, y)
            module.MLPClassifier(batch_size=1000, max_iter=1, solver="sgd").fit(x, y)
            module.MLPClassifier(solver="lbfgs", max_iter=2, random_state=0).fit(x, y)
        printed = digits.sub(r"\1", capsys.readouterr().out)
        said.append((printed, [(warning.category, str(warning.message)) for warning in caught]))
    assert said[0] == said[1]
    assert "Iteration 1, loss = " in said[0][0]
    assert "Validation score: " in said[0][0]
    assert "Setting learning rate to" in said[0][0]
    assert len(said[0][1]) == 4
