"""The estimators where scikit-learn's are used: in pipelines and searches, with data frames and sparse matrices, in
several processes and threads, copied and pickled."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn", "1.6")

import sklearn
from sklearn.datasets import load_digits, make_multilabel_classification
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastnn
from fastnn.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SMALL = {"hidden_layer_sizes": (12, 9), "random_state": 0, "max_iter": 20, "learning_rate_init": 0.01}


@pytest.fixture(scope="module")
def digits():
    x, y = load_digits(n_class=5, return_X_y=True)
    return x[:230] / 16, y[:230]


def test_data_frames(digits) -> None:
    pandas = pytest.importorskip("pandas")
    x, y = digits
    frame = pandas.DataFrame(x, columns=[f"pixel{k}" for k in range(64)])
    scaler = StandardScaler().set_output(transform="pandas")
    model = make_pipeline(scaler, MLPClassifier(**SMALL)).fit(frame, pandas.Series(y, name="digit"))
    assert model[-1].feature_names_in_.tolist() == frame.columns.tolist()
    assert model[-1].n_features_in_ == 64
    plain = make_pipeline(StandardScaler(), MLPClassifier(**SMALL)).fit(x, y)
    np.testing.assert_allclose(model.predict_proba(frame), plain.predict_proba(x), rtol=1e-8)
    with pytest.raises(ValueError, match="feature names should match"):
        model[-1].predict(scaler.transform(frame)[frame.columns[::-1]])


@pytest.mark.parametrize("kind", ["csr_matrix", "csc_array", "coo_array"])
@pytest.mark.parametrize("more", [{}, {"early_stopping": True}, {"solver": "lbfgs"}], ids=str)
def test_sparse_rows(kind: str, more: dict, digits, rng: np.random.Generator) -> None:
    import scipy.sparse

    x, y = digits
    weights = rng.integers(0, 3, 230).astype(float)
    sparse = getattr(scipy.sparse, kind)(x)
    dense_fit = MLPClassifier(**SMALL, **more).fit(x, y, sample_weight=weights)
    sparse_fit = MLPClassifier(**SMALL, **more).fit(sparse, y, sample_weight=weights)
    np.testing.assert_allclose(sparse_fit.predict_proba(sparse), dense_fit.predict_proba(x), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(sparse_fit.predict(x), sparse_fit.predict(sparse))
    assert sparse_fit.score(sparse, y) == dense_fit.score(x, y)


def test_sparse_labels() -> None:
    import scipy.sparse

    x, y = make_multilabel_classification(230, 8, n_classes=4, random_state=0)
    dense = MLPClassifier(**SMALL).fit(x, y).predict(x)
    sparse = MLPClassifier(**SMALL).fit(x, scipy.sparse.csr_matrix(y)).predict(x)
    np.testing.assert_array_equal(sparse.toarray(), dense)


def test_float32_weights_and_float64_rows(digits) -> None:
    """Predictions have the precision of the more precise of both, as in scikit-learn."""
    x, y = digits
    model = MLPRegressor(**SMALL).fit(x.astype(np.float32), y)
    assert model.predict(x.astype(np.float32)).dtype == np.float32
    assert model.predict(x * 1e38).dtype == np.float64
    assert np.isfinite(model.predict(x * 1e38)).all()


def test_metadata_routing(digits) -> None:
    x, y = digits
    weights = np.where(y == 0, 0.0, 1.0)
    with sklearn.config_context(enable_metadata_routing=True):
        model = make_pipeline(StandardScaler().set_fit_request(sample_weight=False),
                              MLPClassifier(**SMALL).set_fit_request(sample_weight=True))  # fmt: skip
        model.fit(x, y, sample_weight=weights)
    assert 0 not in model.predict(x)


SEARCH = """
from sklearn.datasets import load_digits
from sklearn.experimental import enable_halving_search_cv
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV
from fastnn.sklearn import MLPClassifier

x, y = load_digits(n_class=5, return_X_y=True)
if __name__ == "__main__":
    for search in (GridSearchCV, HalvingGridSearchCV):
        model = MLPClassifier(max_iter=30, random_state=0, learning_rate_init=0.01)
        grid = {"hidden_layer_sizes": [(5,), (20,)], "activation": ["relu", "tanh"]}
        found = search(model, grid, n_jobs=2, cv=2, error_score="raise").fit(x / 16, y)
        print(search.__name__, found.best_score_ > 0.9)
"""


def _search(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "search.py").write_text(SEARCH)
    environment = {**os.environ, "FASTNN_CACHE_DIR": str(cache), "PYTHONWARNINGS": "ignore"}
    environment["PYTHONPATH"] = str(Path(fastnn.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "search.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["GridSearchCV True", "HalvingGridSearchCV True"]


@pytest.mark.exhaustive
def test_searches_in_two_processes_from_a_cold_cache(tmp_path: Path) -> None:
    _search(tmp_path / "cache", tmp_path)


def test_threads_of_processes(digits) -> None:
    """Each process of joblib uses as many threads as joblib tells it to: together no more than there are cores."""
    import joblib

    told = joblib.Parallel(n_jobs=2)(joblib.delayed(_threads)() for _ in range(2))
    for limit, used in told:
        assert used <= int(limit)
    scores = cross_validate(MLPClassifier(**SMALL), *digits, cv=2, n_jobs=2, error_score="raise")
    assert scores["test_score"].min() > 0.5


def _threads() -> tuple[str, int]:
    return os.environ["OMP_NUM_THREADS"], fastnn.get_num_threads()


def test_searches_in_threads(digits) -> None:
    import joblib

    with joblib.parallel_backend("threading", n_jobs=2):
        found = GridSearchCV(MLPClassifier(**SMALL), {"alpha": [0.0, 0.1]}, cv=2, error_score="raise").fit(*digits)
    alone = GridSearchCV(MLPClassifier(**SMALL), {"alpha": [0.0, 0.1]}, cv=2, error_score="raise").fit(*digits)
    np.testing.assert_array_equal(found.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"])


@pytest.mark.exhaustive
def test_searches_by_dask(digits) -> None:
    distributed = pytest.importorskip("distributed")
    import joblib

    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster),
        joblib.parallel_backend("dask"),
    ):
        found = GridSearchCV(MLPClassifier(**SMALL), {"alpha": [0.0, 0.1]}, cv=2, error_score="raise").fit(*digits)
    assert found.best_score_ > 0.5


def test_several_threads_ask_one_estimator(digits) -> None:
    x, y = digits
    model = MLPClassifier(**SMALL).fit(x, y)
    expected = model.predict_proba(x)
    model = copy.deepcopy(model)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: model.predict_proba(x), range(40)):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_copies(copied, solver: str, digits) -> None:
    """They predict the same, and what is trained by steps goes on in the same way."""
    x, y = digits
    model = MLPClassifier(**{**SMALL, "solver": solver}).fit(x, y)
    twin = copied(model)
    np.testing.assert_array_equal(twin.predict_proba(x), model.predict_proba(x))
    if solver == "adam":
        for own in (model, twin):
            own.partial_fit(x, y)
        np.testing.assert_array_equal(twin.coefs_[0], model.coefs_[0])


def test_a_pickle_holds_no_more_than_weights_and_moments() -> None:
    x, y = load_digits(return_X_y=True)
    model = MLPClassifier(hidden_layer_sizes=300, max_iter=1, random_state=0).fit(x, y)
    model.predict(x)
    weights = sum(array.nbytes for array in (*model.coefs_, *model.intercepts_))
    # The weights, those of the net that `partial_fit` goes on with, and two moments.
    assert len(pickle.dumps(model)) < 4.1 * weights + 10_000
    lbfgs = MLPClassifier(hidden_layer_sizes=300, max_iter=1, random_state=0, solver="lbfgs").fit(x, y)
    assert len(pickle.dumps(lbfgs)) < 1.01 * weights + 10_000
