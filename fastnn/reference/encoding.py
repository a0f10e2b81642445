"""Labels as rows of zeros and a one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def one_hot(t: NDArray, *, classes: int, dtype: str = "float32") -> NDArray:
    """Row r is 1 in column t[r] and 0 elsewhere."""
    return np.eye(classes, dtype=dtype)[t]
