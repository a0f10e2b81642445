"""How good a prediction is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastnn.reference.precision import in_float64


@in_float64
def accuracy(z: NDArray, t: NDArray) -> np.floating:
    """The fraction of rows whose first largest column is the label."""
    return (z.argmax(axis=1) == t).mean()
