"""Nets for the tests of other libraries, and when outputs are the same."""

from __future__ import annotations

import numpy as np

import fastnn
from fastnn.activations import Activation

NUMBERS = {"leaky_relu": 0.2, "elu": 0.7, "celu": 0.7, "softplus": 1.5}
OURS = [name for name, item in Activation.by_name.items() if item.module.startswith("fastnn.")]


def net_of(name: str, dtype: str = "float32", loss: str = "softmax_cross_entropy", outputs: int = 3) -> fastnn.MLP:
    """With two hidden layers, one of them with the activation's default numbers."""
    activation = [name, (name, NUMBERS[name]) if name in NUMBERS else name]
    net = fastnn.MLP((5, 17, 17, outputs), activation, loss, dtype=dtype, dropout=0.2)
    rng = np.random.default_rng(3)
    # Not so large that exp(exp(x)) overflows.
    scale = 0.15 if name == "exponential" else 0.7
    net.set_weights([rng.normal(0, scale, w.shape) for w in net.get_weights()])
    return net


def rows(dtype: str, n: int = 9) -> np.ndarray:
    return np.random.default_rng(4).normal(0, 2, (n, 5)).astype(dtype)


def assert_close(found: np.ndarray, expected: np.ndarray) -> None:
    """Within rounding."""
    assert found.dtype == expected.dtype
    scale = np.finfo(expected.dtype).eps * max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(found, expected, rtol=0, atol=60 * scale)
