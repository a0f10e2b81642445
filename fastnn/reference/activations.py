"""Activations, and their backward passes as functions of the output y."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastnn.reference.precision import in_float64


@in_float64
def sigmoid(x: NDArray) -> NDArray:
    """1 / (1 + exp(-x))."""
    return 1 / (1 + np.exp(-x))


@in_float64
def sigmoid_backward(dy: NDArray, y: NDArray) -> NDArray:
    """dy y (1 - y)."""
    return dy * y * (1 - y)


@in_float64
def tanh(x: NDArray) -> NDArray:
    """The hyperbolic tangent."""
    return np.tanh(x)


@in_float64
def tanh_backward(dy: NDArray, y: NDArray) -> NDArray:
    """dy (1 - y²)."""
    return dy * (1 - y * y)


@in_float64
def relu(x: NDArray) -> NDArray:
    """max(x, 0)."""
    return np.maximum(x, 0)


@in_float64
def relu_backward(dy: NDArray, y: NDArray) -> NDArray:
    """dy where y > 0, else 0; a NaN in y lets dy pass, as in PyTorch."""
    return np.where(y <= 0, 0, dy)
