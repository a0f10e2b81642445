"""The logistic function, of which several references are made."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def sigmoid(x: NDArray) -> NDArray:
    """1 / (1 + exp(-x)), without overflow where x is below -709; as precise as x."""
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)
