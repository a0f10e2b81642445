"""The parts that references of update rules share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def decayed(g: NDArray, w64: NDArray, weight_decay: float) -> NDArray:
    """g + weight_decay w in float64. Without weight decay the gradient is taken as it is, so that an infinite weight
    does not spoil it."""
    g64 = g.astype(np.float64)
    return g64 + weight_decay * w64 if weight_decay else g64


def mean_of(moment: NDArray, new: NDArray, kept: float) -> NDArray:
    """A running mean in float64: kept moment + (1 - kept) new."""
    return kept * moment.astype(np.float64) + (1 - kept) * new
