"""Metrics of predictions."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from fastnn.kernels import metrics as kernels
from fastnn.ops.arguments import Labels
from fastnn.ops.declare import declare
from fastnn.reference import metrics as reference


@declare(
    "(n,c),(n)->()",
    kernel=kernels.accuracy,
    reference=reference.accuracy,
    arrays={"t": Labels("c")},
    flops=lambda n, c: n * c,
    ulps=1,
    strided=True,
)
def accuracy(z: ArrayLike, t: ArrayLike) -> np.floating:
    """The fraction of rows whose largest column, the first of equals, is the label.

    z : logits or probabilities, float32 or float64. t : integer labels. Returns a number of z's dtype between 0 and 1.
    A NaN counts as the largest, as in NumPy. Raises TypeError for other dtypes, ValueError for shapes that do not
    fit, no rows, or labels outside 0..c-1.
    """
