"""Losses of differences."""

from __future__ import annotations

import numpy as np

from fastnn.intrinsics import like
from fastnn.jit import scalar
from fastnn.losses.elementwise import elementwise_loss


@scalar
def _square(y, t):
    difference = np.float64(y - t)
    return difference * difference


@scalar
def _square_slope(y, t):
    return like(y, 2) * (y - t)


mean_squared_error = elementwise_loss(
    "mean_squared_error",
    formula="The mean of (y - t)², as `torch.nn.functional.mse_loss`,",
    gradient="2 (y - t)",
    value=_square,
    slope=_square_slope,
    reference=lambda y, t: (((y - t) ** 2).mean(), 2 * (y - t) / y.size),
    flops=4,
    ulps=3,
    magnitude=lambda y, t: (((np.abs(y) + np.abs(t)) * np.abs(y - t)).mean(), 2 * np.abs(y - t) / y.size),
)
