"""Keras 3: nets become Sequentials and come back, and others are read or refused by name."""

from __future__ import annotations

import os
from importlib.util import find_spec

import numpy as np
import pytest

import fastnn
from fastnn.interop import from_keras, to_keras
from tests.interop.nets import OURS, assert_close, net_of, rows

# The default is TensorFlow, which is the largest of them.
os.environ.setdefault("KERAS_BACKEND", "torch" if find_spec("torch") else "jax")
keras = pytest.importorskip("keras")
layers = keras.layers

HAS_NUMBERS = ("celu", "softplus")


def outputs(model, x: np.ndarray) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(model(x)))


@pytest.mark.parametrize("name", [name for name in OURS if name != "gelu_tanh"])
def test_every_activation_there_and_back(name) -> None:
    net, x = net_of(name), rows("float32")
    if name in HAS_NUMBERS:
        net = fastnn.MLP((5, 17, 17, 3), name)
    model = to_keras(net)
    assert_close(outputs(model, x), net.forward(x))
    back = from_keras(model, loss="softmax_cross_entropy")
    assert repr(back) == repr(net)
    np.testing.assert_array_equal(back.get_weights()[2], net.get_weights()[2])


def test_float64() -> None:
    """Keeps its weights, though backends of Keras compute it to the digits of float32."""
    net, x = net_of("elu", "float64"), rows("float64")
    model = to_keras(net)
    assert_close(outputs(model, x).astype(np.float32), net.forward(x).astype(np.float32))
    back = from_keras(model, loss="softmax_cross_entropy")
    for w, v in zip(back.get_weights(), net.get_weights(), strict=True):
        assert w.dtype == np.float64
        np.testing.assert_array_equal(w, v)


@pytest.mark.parametrize("activation", ["gelu_tanh", ("celu", 0.5), ("softplus", 2.0)])
def test_what_keras_has_not(activation) -> None:
    with pytest.raises(ValueError, match="^activation: got .*, which Keras does not have, expected one of 'identity'"):
        to_keras(fastnn.MLP((5, 17, 3), activation))


@pytest.mark.parametrize(("loss", "n"), [("softmax_cross_entropy", 3), ("sigmoid_cross_entropy", 1)])
def test_probabilities_there_and_back(loss, n, tmp_path) -> None:
    net, x = net_of("relu", loss=loss, outputs=n), rows("float32")
    model = to_keras(net, probabilities=True)
    model.save(tmp_path / "model.keras")
    model = keras.models.load_model(tmp_path / "model.keras")
    assert_close(outputs(model, x), net.predict_proba(x))
    back = from_keras(model)
    assert (back.loss, back.dropout) == (loss, (0.2, 0.2))


def test_weights_alone() -> None:
    net = net_of("relu")
    weights = to_keras(net).get_weights()
    back = from_keras(weights, activation="relu", loss="softmax_cross_entropy", l1=0.5)
    assert back.l1 == 0.5
    np.testing.assert_array_equal(back.forward(rows("float32")), net.forward(rows("float32")))


def test_a_model_of_keras() -> None:
    model = keras.Sequential([
        keras.Input((2, 3)), layers.Flatten(), layers.Dropout(0.1), layers.Dense(7, use_bias=False), layers.ReLU(6),
        layers.Dense(6), layers.LeakyReLU(), layers.Dropout(0.3), layers.Dense(5), layers.Activation("gelu"),
        layers.Dense(4, activation="leaky_relu"), layers.Dense(3), layers.Softmax(),
    ])  # fmt: skip
    net = from_keras(model)
    assert net.sizes == (6, 7, 6, 5, 4, 3)
    slope = pytest.approx(0.3)
    assert net.activation == ("relu6", ("leaky_relu", slope), "gelu", ("leaky_relu", 0.2))
    assert (net.dropout, net.input_dropout, net.loss) == ((0.0, 0.3, 0.0, 0.0), 0.1, "softmax_cross_entropy")
    x = np.random.default_rng(0).random((9, 6), np.float32)
    assert_close(net.predict_proba(x), outputs(model, x.reshape(9, 2, 3)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: keras.Sequential([layers.Dense(3)]), "model layer '.*': got no weights yet"),
        (lambda: [layers.Dense(3), layers.BatchNormalization()], "model layer '.*': got BatchNormalization"),
        (
            lambda: [layers.Dense(3, activation="hard_tanh"), layers.Dense(3)],
            "model layer '.*': got the activation 'hard",
        ),
        (lambda: [layers.Dense(3, activation="relu")], "model layer '.*': got the activation 'relu' after the last"),
        (lambda: [layers.Dense(3), layers.ReLU(threshold=1.0)], "model layer '.*': got ReLU"),
        (lambda: 3, "model: got int, expected a keras.Sequential"),
        (lambda: [np.ones((3, 2), np.float32)], r"weights: got 1 arrays, expected \[w1, b1"),
    ],
)
def test_what_is_refused(make, message) -> None:
    model = make()
    if isinstance(model, list) and not isinstance(model[0], np.ndarray):
        model = keras.Sequential([keras.Input((5,)), *model])
    with pytest.raises((TypeError, ValueError), match=f"^{message}"):
        from_keras(model, loss="softmax_cross_entropy")
