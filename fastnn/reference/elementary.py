"""The exponential function, the logarithm and the logistic function."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastnn.reference.precision import in_float64


@in_float64
def exp(x: NDArray) -> NDArray:
    """eˣ."""
    return np.exp(x)


@in_float64
def sigmoid(x: NDArray) -> NDArray:
    """1 / (1 + exp(-x)), without overflow where x is below -709."""
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


@in_float64
def log(x: NDArray) -> NDArray:
    """The natural logarithm."""
    return np.log(x)
