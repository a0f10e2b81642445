"""Losses of squared differences."""

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


@scalar
def _half_square(y, t):
    difference = np.float64(y - t)
    return 0.5 * (difference * difference)


@scalar
def _half_square_slope(y, t):
    return y - t


def _squares(y, t):
    return (y - t) ** 2, 2 * (y - t)


def _squares_magnitude(y, t):
    return (np.abs(y) + np.abs(t)) * np.abs(y - t), 2 * np.abs(y - t)


def _half_squares(y, t):
    return (y - t) ** 2 / 2, y - t


def _half_squares_magnitude(y, t):
    return (np.abs(y) + np.abs(t)) * np.abs(y - t) / 2, np.abs(y - t)


mean_squared_error = elementwise_loss(
    "mean_squared_error",
    formula="The mean of (y - t)², as `torch.nn.functional.mse_loss`,",
    gradient="2 (y - t)",
    value=_square,
    slope=_square_slope,
    reference=_squares,
    flops=4,
    ulps=3,
    magnitude=_squares_magnitude,
)

half_squared_error = elementwise_loss(
    "half_squared_error",
    formula="The mean of (y - t)² / 2, as `optax.l2_loss`,",
    gradient="(y - t)",
    value=_half_square,
    slope=_half_square_slope,
    reference=_half_squares,
    flops=4,
    ulps=3,
    magnitude=_half_squares_magnitude,
)

# Without a mean over rows the gradient, and so the best learning rate, would grow with the batch.
sum_squared_error = elementwise_loss(
    "sum_squared_error",
    formula="The mean of ½ Σ (y - t)², the sum over the outputs of a row,",
    gradient="(y - t)",
    value=_half_square,
    slope=_half_square_slope,
    reference=_half_squares,
    flops=4,
    ulps=3,
    magnitude=_half_squares_magnitude,
    mean_over="rows",
    about=(
        "For one row that is the sum of squared errors of Saito's Deep Learning from Scratch, with which "
        '`reduction="sum"` agrees\nfor any number of rows.'
    ),
)

root_mean_squared_error = elementwise_loss(
    "root_mean_squared_error",
    formula="The square root of the mean of (y - t)² over all elements, as `keras.metrics.RootMeanSquaredError`,",
    gradient="(y - t) / (size loss), or 0 where the loss is 0",
    value=_square,
    slope=_square_slope,
    reference=_squares,
    flops=5,
    ulps=4,
    magnitude=_squares,
    root=True,
)
