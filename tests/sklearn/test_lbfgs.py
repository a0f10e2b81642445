"""The loss that L-BFGS is given, and its gradient: by differences, of every loss and penalty."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn", "1.6")

import scipy.sparse
from sklearn.datasets import load_digits

from fastnn.numerical import numerical_gradient
from fastnn.sklearn import MLPClassifier, MLPRegressor
from fastnn.sklearn.lbfgs import _Loss
from fastnn.sklearn.network import glorot_weights

LOSSES = ["squared_error", "poisson", "log_cosh", "root_mean_squared_error", "log_loss"]


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
def test_gradient(loss: str, weighted: bool, sparse: bool, rng: np.random.Generator) -> None:
    if loss == "root_mean_squared_error" and weighted:
        pytest.skip("it takes no weights of samples")
    x, t = rng.standard_normal((15, 4)), rng.poisson(2.0, (15, 3)).astype(float)
    kind = MLPClassifier if loss == "log_loss" else MLPRegressor
    model = kind(loss=loss, activation="tanh", alpha=0.3, l1=0.2)
    model.coefs_, model.intercepts_ = glorot_weights((4, 5, 3), "tanh", np.random.RandomState(0), np.float64)
    if loss == "log_loss":
        t = t.argmax(axis=1)
        model.n_outputs_ = 3
    weights = rng.uniform(0.5, 2, 15) if weighted else None
    rows = scipy.sparse.csr_array(x) if sparse else x
    found = _Loss(model, model._objective_of(t), rows, t, weights)
    packed = np.concatenate([array.ravel() for array in (*model.coefs_, *model.intercepts_)])
    gradient = found(packed)[1]
    expected = numerical_gradient(lambda w: found(w)[0], packed)
    np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-8 * max(1, np.abs(expected).max()))


def test_says_how_far_it_is(capsys: pytest.CaptureFixture) -> None:
    """SciPy says no more; scikit-learn is silent since."""
    x, y = load_digits(return_X_y=True)
    model = MLPClassifier(hidden_layer_sizes=5, solver="lbfgs", max_iter=4, verbose=True, random_state=0)
    with pytest.warns(match="lbfgs failed to converge"):
        model.fit(x[:100], y[:100])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[-1] == f"Iteration 4, loss = {model.loss_:.8f}"
