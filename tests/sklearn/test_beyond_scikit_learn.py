"""What the estimators have beyond scikit-learn: activations, losses, solvers, dropout and an L1 penalty; and errors."""

from __future__ import annotations

import signal
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn", "1.6")

from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_digits, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import scale

import fastnn
from fastnn.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SMALL = {"hidden_layer_sizes": (12, 9), "random_state": 0, "max_iter": 20, "learning_rate_init": 0.01}


def digits(classes: int = 5):
    x, y = load_digits(n_class=classes, return_X_y=True)
    return x[:230] / 16, y[:230]


def diabetes():
    x, y = load_diabetes(return_X_y=True)
    return scale(x[:230]), scale(y[:230])


@pytest.mark.parametrize(
    "activation",
    ["gelu", "swish", ("leaky_relu", 0.2), ["elu", ("celu", {"alpha": 2.0})], ["logistic", "relu"]],
    ids=str,
)
def test_activations(activation) -> None:
    """As a net of the same weights predicts."""
    x, y = digits()
    model = clone(MLPClassifier(activation=activation, **SMALL)).fit(x, y)
    own = ["sigmoid", "relu"] if activation == ["logistic", "relu"] else activation
    net = fastnn.MLP((64, 12, 9, 5), own, dtype="float64")
    net.set_weights([a for layer in zip(model.coefs_, model.intercepts_, strict=True) for a in layer])
    np.testing.assert_array_equal(model.predict_proba(x), net.predict_proba(x))
    assert model.score(x, y) > 0.8


@pytest.mark.parametrize("solver", ["adamw", "rmsprop", "lion", fastnn.NAdam(0.01, clip_norm=1.0)], ids=str)
def test_solvers(solver) -> None:
    x, y = digits()
    before = None if isinstance(solver, str) else solver.values
    model = MLPClassifier(solver=solver, **{**SMALL, "learning_rate_init": 0.003})
    first = model.fit(x, y).coefs_[0]
    assert model.score(x, y) > 0.8
    # A fit starts anew, and a solver of the user's is as it was.
    np.testing.assert_array_equal(clone(model).fit(x, y).coefs_[0], first)
    assert before is None or (solver.values == before and model.get_params()["solver"] is solver)


def test_solver_with_a_schedule() -> None:
    x, y = digits()
    decays, stays = (
        MLPClassifier(solver=fastnn.Adam(lr), **SMALL).fit(x, y) for lr in (fastnn.schedules.Cosine(0.01, 40), 0.01)
    )
    assert not np.array_equal(decays.coefs_[0], stays.coefs_[0])
    # The same schedule in another fit begins anew.
    np.testing.assert_array_equal(clone(decays).fit(x, y).coefs_[0], decays.coefs_[0])


@pytest.mark.parametrize(
    ("loss", "classes"),
    [
        (("softmax_cross_entropy", {"label_smoothing": 0.1}), 5),
        (("softmax_cross_entropy", {"label_smoothing": 0.1}), 2),
        ("kl_divergence", 5),
        ("sigmoid_cross_entropy", 2),
        ("hinge", 5),
        ("squared_hinge", 2),
    ],
    ids=str,
)
def test_losses_of_classes(loss, classes: int) -> None:
    x, y = digits(classes)
    names = np.array(["no", "yes", "perhaps", "never", "always"])[y]
    for more in ({}, {"early_stopping": True}):
        model = MLPClassifier(loss=loss, **SMALL, **more).fit(x, names)
        assert model.score(x, names) > 0.8
        has_probabilities = loss not in ("hinge", "squared_hinge")
        assert hasattr(model, "predict_proba") == hasattr(model, "predict_log_proba") == has_probabilities
        if has_probabilities:
            p = model.predict_proba(x)
            assert p.shape == (230, classes)
            np.testing.assert_allclose(p.sum(axis=1), 1)
            np.testing.assert_array_equal(model.classes_[p.argmax(axis=1)], model.predict(x))


def test_the_default_loss_by_its_own_name_is_the_same() -> None:
    x, y = digits()
    plain, named = MLPClassifier(**SMALL).fit(x, y), MLPClassifier(loss="softmax_cross_entropy", **SMALL).fit(x, y)
    np.testing.assert_array_equal(plain.coefs_[0], named.coefs_[0])
    # The default weights of classes are 1 each; others move the net towards the class that weighs more.
    weights = [1.0, 1.0, 1.0, 1.0, 100.0]
    heavy = MLPClassifier(loss=("softmax_cross_entropy", {"class_weight": weights}), **SMALL).fit(x, y)
    assert (heavy.predict(x) == 4).sum() > (plain.predict(x) == 4).sum()


@pytest.mark.parametrize("loss", ["sigmoid_cross_entropy", "hinge"])
def test_losses_of_several_labels(loss: str) -> None:
    x, y = make_multilabel_classification(230, 8, n_classes=4, random_state=0)
    model = MLPClassifier(loss=loss, **{**SMALL, "max_iter": 60}).fit(scale(x), y)
    assert model.predict(scale(x)).shape == y.shape
    assert (model.predict(scale(x)) == y).mean() > 0.75


@pytest.mark.parametrize(
    "loss", ["mean_absolute_error", ("huber", 0.5), ("huber", {"delta": 0.5}), "log_cosh"], ids=str
)
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_losses_of_values(loss, solver: str) -> None:
    x, y = diabetes()
    model = clone(MLPRegressor(loss=loss, solver=solver, **SMALL)).fit(x, y)
    assert model.score(x, y) > 0.3
    # What is reported is the loss itself, here without a penalty.
    model.set_params(solver="lbfgs", alpha=0.0).fit(x, y)
    net = fastnn.MLP((10, 12, 9, 1), "relu", loss=loss, dtype="float64")
    net.set_weights([a for layer in zip(model.coefs_, model.intercepts_, strict=True) for a in layer])
    assert net.train_step(x, y, fastnn.SGD(0.0)) == pytest.approx(model.loss_, rel=1e-12)


def test_dropout(rng: np.random.Generator) -> None:
    x, y = digits()
    fitted = [
        MLPClassifier(**SMALL, **more).fit(x, y)
        for more in ({}, {"dropout": 0.5}, {"dropout": [0.5, 0.0]}, {"input_dropout": 0.3}, {"dropout": 0.5})
    ]
    first = [model.coefs_[0] for model in fitted]
    np.testing.assert_array_equal(first[1], first[4])
    assert all(not np.array_equal(first[0], other) for other in first[1:])
    assert all(model.score(x, y) > 0.8 for model in fitted)
    # Predictions drop nothing.
    np.testing.assert_array_equal(fitted[1].predict_proba(x), fitted[1].predict_proba(x))


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_l1_makes_weights_small(solver: str) -> None:
    x, y = digits()
    sizes = [
        sum(np.abs(coef).sum() for coef in MLPClassifier(**{**SMALL, "l1": l1, "solver": solver}).fit(x, y).coefs_)
        for l1 in (0.0, 0.5)
    ]
    assert sizes[1] < 0.9 * sizes[0]


def test_rows_of_weight_0_are_left_out(rng: np.random.Generator) -> None:
    x, y = digits()
    weights = rng.integers(0, 2, 230).astype(float)
    x[weights == 0] = 1e6
    with_weights = MLPClassifier(**SMALL).fit(x, y, sample_weight=weights)
    without = MLPClassifier(**SMALL).fit(x[weights > 0], y[weights > 0])
    np.testing.assert_allclose(with_weights.coefs_[0], without.coefs_[0], rtol=1e-9)


@pytest.mark.parametrize(
    ("made_of", "message"),
    [
        ({"activation": "rely"}, "The 'activation' parameter of MLPClassifier must be a str among"),
        ({"activation": ["relu"]}, "activation: "),
        ({"solver": "newton"}, "The 'solver' parameter of MLPClassifier must be a str among"),
        ({"momentum": 1}, "The 'momentum' parameter of MLPClassifier must be a float in the range \\[0.0, 1.0\\)"),
        ({"dropout": 1.5}, "The 'dropout' parameter of MLPClassifier"),
        ({"dropout": [0.5]}, "dropout: got 1 fractions, expected 2"),
        ({"dropout": 0.5, "solver": "lbfgs"}, "dropout: got 0.5, and an input_dropout of 0.0, expected 0 for both"),
        ({"l1": -1}, "The 'l1' parameter of MLPClassifier must be a float in the range"),
        ({"loss": "huber"}, "The 'loss' parameter of MLPClassifier must be a str among"),
        ({"loss": ("huber", 1.0)}, "loss: got \\('huber', 1.0\\), expected one of 'hinge'"),
        ({"loss": "sigmoid_cross_entropy"}, "loss: got 'sigmoid_cross_entropy' for a y with 5 classes"),
        ({"hidden_layer_sizes": (5, 0)}, "hidden_layer_sizes must be > 0, got \\[5, 0\\]."),
    ],
    ids=str,
)
def test_errors(made_of: dict, message: str) -> None:
    x, y = digits()
    with pytest.raises(ValueError, match=f"^{message}"):
        MLPClassifier(**{**SMALL, **made_of}).fit(x, y)


def test_errors_of_data() -> None:
    x, y = diabetes()
    with pytest.raises(ValueError, match="^y: got -.*, expected counts of at least 0 with the loss 'poisson'"):
        MLPRegressor(loss="poisson").fit(x, y)
    for weights, message in (
        (-np.ones(230), "got -1, expected weights of at least 0"),
        (np.zeros(230), "got only zeros"),
    ):
        with pytest.raises(ValueError, match=f"^sample_weight: {message}|weights|zero"):
            MLPRegressor().fit(x, y, sample_weight=weights)
    labels = make_multilabel_classification(230, 10, random_state=0)[1]
    with pytest.raises(ValueError, match="^loss: got 'softmax_cross_entropy' for a y with several labels a row"):
        MLPClassifier(loss="softmax_cross_entropy").fit(x, labels)


def test_interrupt_keeps_what_was_learned() -> None:
    """Ctrl-C during a fit ends it with a warning, as in scikit-learn."""
    x, y = digits()
    signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    model = MLPClassifier(hidden_layer_sizes=100, max_iter=1_000_000, tol=0, n_iter_no_change=1_000_000)
    signal.setitimer(signal.ITIMER_REAL, 1.0)
    with pytest.warns(UserWarning, match="Training interrupted by user."):
        model.fit(x, y)
    assert 0 < model.n_iter_ < 1_000_000
    assert model.score(x, y) > 0.5
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.set_params(max_iter=1).fit(x, y)
