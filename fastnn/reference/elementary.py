"""The exponential function and the logarithm."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastnn.reference.precision import in_float64


@in_float64
def exp(x: NDArray) -> NDArray:
    """eˣ."""
    return np.exp(x)


@in_float64
def log(x: NDArray) -> NDArray:
    """The natural logarithm."""
    return np.log(x)
