"""scikit-learn's own tests, of estimators in general and of its perceptrons, run against ours."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("sklearn", "1.6")

import sklearn.neural_network
from sklearn.utils.estimator_checks import check_estimator

from fastnn.sklearn import MLPClassifier, MLPRegressor

THEIR_TESTS = Path(sklearn.neural_network.__file__).parent / "tests" / "test_mlp.py"
THEIR_CONFTEST = Path(sklearn.__file__).parent / "conftest.py"

# What of them cannot pass, and why.
NOT_OURS = {"test_gradient": "it calls the private method _loss_grad_lbfgs; tests/sklearn/test_lbfgs.py has its like"}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("estimator", [MLPClassifier(), MLPRegressor()], ids=lambda own: type(own).__name__)
def test_check_estimator(estimator) -> None:
    """None is expected to fail. Those that are skipped need what is not installed, or a method that it has not."""
    results = check_estimator(estimator, on_skip=None)
    assert len(results) > 40
    skipped = {result["check_name"] for result in results if result["status"] == "skipped"}
    assert skipped <= {
        "check_array_api_input",
        "check_classifiers_multilabel_output_format_decision_function",
    }
    assert all(result["status"] in ("passed", "skipped") for result in results)


@pytest.mark.skipif(not THEIR_TESTS.exists(), reason="scikit-learn was installed without its tests")
def test_tests_of_their_perceptrons(tmp_path: Path) -> None:
    source, n = re.subn(
        r"^from sklearn\.neural_network import MLPClassifier, MLPRegressor$",
        "from fastnn.sklearn import MLPClassifier, MLPRegressor",
        THEIR_TESTS.read_text(),
        flags=re.MULTILINE,
    )
    assert n == 1
    (tmp_path / "test_mlp.py").write_text(source)
    (tmp_path / "conftest.py").write_text(THEIR_CONFTEST.read_text())
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    deselected = [part for name in NOT_OURS for part in ("--deselect", f"test_mlp.py::{name}")]
    arguments = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_mlp.py", *deselected]
    done = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed, done.stdout
    assert int(passed[1]) >= 50
    assert f"{len(NOT_OURS)} deselected" in done.stdout
