"""Losses of margins: targets are -1 and +1, and an output on the right side, at least 1 from 0, costs nothing."""

from __future__ import annotations

import numpy as np

from fastnn.intrinsics import like
from fastnn.jit import scalar
from fastnn.losses.elementwise import elementwise_loss
from fastnn.ops.arguments import Signs


@scalar
def _missing(y, t):
    """What y is short of the margin, in float64: in float32 its sign could be lost."""
    return 1.0 - np.float64(t) * np.float64(y)


@scalar
def _hinge(y, t):
    missing = _missing(y, t)
    return 0.0 if missing <= 0 else missing


@scalar
def _hinge_slope(y, t):
    return like(y, 0) if _missing(y, t) <= 0 else -t


@scalar
def _squared_hinge(y, t):
    missing = _missing(y, t)
    return 0.0 if missing <= 0 else missing * missing


@scalar
def _squared_hinge_slope(y, t):
    missing = _missing(y, t)
    return like(y, 0) if missing <= 0 else like(y, -2.0 * t * missing)


def _hinge_reference(y, t):
    missing = 1 - t * y
    return np.where(missing <= 0, 0, missing), np.where(missing <= 0, 0, -t)


def _hinge_magnitude(y, t):
    return np.where(1 - t * y <= 0, 0, 1 + np.abs(t * y)), np.abs(t)


def _squared_hinge_reference(y, t):
    missing = 1 - t * y
    return np.where(missing <= 0, 0, missing**2), np.where(missing <= 0, 0, -2 * t * missing)


def _squared_hinge_magnitude(y, t):
    # With targets of -1 and +1 the margin is the rounding of 1 - t y, whose terms are no larger than 1 + it.
    missing = np.where(1 - t * y <= 0, 0, 1 + np.abs(t * y))
    return missing**2, 2 * np.abs(t) * missing


hinge = elementwise_loss(
    "hinge",
    formula="The mean of max(0, 1 - t y), targets t of -1 and +1, as `keras.losses.Hinge` and `optax.hinge_loss`,",
    gradient="-t where t y < 1, else 0,",
    value=_hinge,
    slope=_hinge_slope,
    reference=_hinge_reference,
    flops=3,
    ulps=3,
    magnitude=_hinge_magnitude,
    output="sign",
    targets=Signs(),
)

squared_hinge = elementwise_loss(
    "squared_hinge",
    formula="The mean of max(0, 1 - t y)², targets t of -1 and +1, as `keras.losses.SquaredHinge`,",
    gradient="-2 t max(0, 1 - t y)",
    value=_squared_hinge,
    slope=_squared_hinge_slope,
    reference=_squared_hinge_reference,
    flops=5,
    ulps=3,
    magnitude=_squared_hinge_magnitude,
    output="sign",
    targets=Signs(),
)
