"""What holds of all of them: other libraries are imported when they are asked for, and a missing one is named."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import fastnn
from fastnn import interop
from fastnn.interop.layers import net_of

CALLS = {
    "torch": lambda net: interop.to_torch(net),
    "keras": lambda net: interop.to_keras(net),
    "onnx": lambda net: interop.to_onnx(net),
    "sklearn.neural_network": lambda net: interop.to_sklearn(net),
}
PACKAGES = {"sklearn.neural_network": "scikit-learn"}


@pytest.mark.parametrize("name", CALLS)
def test_what_is_missing_is_named(name, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=f"install it with: pip install {PACKAGES.get(name, name)}$"):
        CALLS[name](fastnn.MLP((3, 2)))


@pytest.mark.parametrize("name", CALLS)
def test_what_is_no_net(name) -> None:
    with pytest.raises(TypeError, match=r"^net: got 3, expected a fastnn\.MLP$"):
        CALLS[name](3)


def test_estimators_without_scikit_learn() -> None:
    program = "import sys; sys.modules['sklearn'] = None; import fastnn.sklearn"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=100)
    assert done.stderr.endswith("fastnn.sklearn needs sklearn; get it with: pip install scikit-learn\n")


@pytest.mark.parametrize("name", CALLS)
def test_an_activation_of_ones_own(name) -> None:
    pytest.importorskip(name)
    net = fastnn.MLP((3, 4, 2), fastnn.Activation("own", value=lambda x: x, backward=lambda dy, x, y: dy))
    with pytest.raises(ValueError, match="^activation: got 'own', which .* does not have, expected one of"):
        CALLS[name](net)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([], r"weights: got 0 arrays, expected \[w1, b1, w2, b2"),
        ([np.ones((3, 2)), np.ones(3)], r"weights\[1\]: got shape \(3,\), expected \(2,\)"),
        ([np.ones(3), np.ones(3)], r"weights\[0\]: got shape \(3,\), expected 2 dimensions"),
        ([np.ones((3, 2)), np.ones(2), np.ones((3, 2)), np.ones(2)], r"weights\[2\]: got 3 inputs, expected 2"),
        ([np.ones((3, 2)) * 1j, np.ones(2)], r"weights\[0\]: got"),
        ([np.ones((0, 2)), np.ones(2)], r"weights\[0\]: got shape \(0, 2\)"),
    ],
)
def test_weights_that_make_no_net(weights, message) -> None:
    with pytest.raises((ValueError, TypeError), match=f"^{message}"):
        net_of(weights, "relu", "mean_squared_error", {})


def test_weights_of_two_precisions_make_a_net_of_the_higher() -> None:
    net = net_of([np.ones((3, 2), np.float32), np.full(2, 1 / 3)], None, "mean_squared_error", {"seed": 4})
    assert net.dtype == np.float64
    assert net.get_weights()[1][0] == 1 / 3
