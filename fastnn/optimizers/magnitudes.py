"""What the rounding errors of update rules are relative to: parts that several rules share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def of_gradient(w: NDArray, g: NDArray, weight_decay: float) -> tuple[NDArray, NDArray]:
    """For g' = g + weight_decay w: the sum of the sizes of both terms, and |g'|."""
    if not weight_decay:  # times an infinite weight it would be NaN
        return np.abs(g), np.abs(g)
    return np.abs(g) + weight_decay * np.abs(w), np.abs(g + weight_decay * w)


def lost(largest: NDArray, exact: NDArray) -> NDArray:
    """By how much an error relative to `largest` is more relative to `exact`, which is no larger: where terms cancel,
    few digits are left of their sum, and of all that is divided by it."""
    return np.divide(largest, exact, out=np.ones_like(largest), where=(exact > 0) & np.isfinite(largest))
