"""Losses that large differences do not dominate: the absolute one, Huber's, the logarithm of the hyperbolic cosine."""

from __future__ import annotations

import numpy as np

from fastnn.intrinsics import like
from fastnn.jit import scalar
from fastnn.kernels import vecmath
from fastnn.losses.elementwise import elementwise_loss
from fastnn.ops.arguments import positive


@scalar
def _absolute(y, t):
    return abs(np.float64(y - t))


@scalar
def _absolute_slope(y, t):
    return like(y, 1) if y > t else like(y, -1) if y < t else y - t


mean_absolute_error = elementwise_loss(
    "mean_absolute_error",
    formula="The mean of |y - t|, as `torch.nn.functional.l1_loss`,",
    gradient="the sign of y - t",
    value=_absolute,
    slope=_absolute_slope,
    reference=lambda y, t: (np.abs(y - t), np.sign(y - t)),
    flops=3,
    ulps=3,
    magnitude=lambda y, t: (np.abs(y - t), np.ones_like(y)),
)


@scalar
def _huber(y, t, delta):
    a = abs(np.float64(y - t))
    return 0.5 * (a * a) if a <= delta else delta * (a - 0.5 * delta)


@scalar
def _huber_slope(y, t, delta):
    difference, bound = y - t, like(y, delta)
    return bound if difference > bound else -bound if difference < -bound else difference


def _huber_reference(y, t, delta):
    a = np.abs(y - t)
    return np.where(a <= delta, a * a / 2, delta * (a - delta / 2)), np.clip(y - t, -delta, delta)


huber = elementwise_loss(
    "huber",
    formula="With d = y - t the mean of d² / 2 where |d| <= delta, else delta (|d| - delta / 2), as\n"
    "`torch.nn.functional.huber_loss`,",
    gradient="d, at most delta and at least -delta,",
    value=_huber,
    slope=_huber_slope,
    reference=_huber_reference,
    numbers={"delta": positive},
    defaults={"delta": 1.0},
    example={"delta": 0.75},
    flops=6,
    ulps=3,
    # a - delta / 2 is at least half of a.
    magnitude=lambda y, t, delta: (_huber_reference(y, t, delta)[0] * 2, np.minimum(np.abs(y - t), delta)),
)

_LN2 = float(np.log(2))


@scalar
def _log_cosh(y, t):
    """With e = exp(-|d|) it is |d| - log 2 + log(1 + e²), or for small |d|, where that cancels, log(1 + (cosh d - 1))
    with cosh d - 1 = (e - 1)² / 2e."""
    a = abs(y - t)
    less = vecmath.expm1(-a)
    e = like(y, 1) + less
    small = a < like(y, 1)
    logarithm = vecmath.log1p(less * less / (e + e) if small else e * e)
    return np.float64(logarithm) + (0.0 if small else np.float64(a) - _LN2)


@scalar
def _log_cosh_slope(y, t):
    return vecmath.tanh(y - t)


def _log_cosh_reference(y, t):
    a = np.abs(y - t)
    small = np.log1p(2 * np.sinh(np.minimum(a, 1) / 2) ** 2)
    return np.where(a < 1, small, a - _LN2 + np.log1p(np.exp(-2 * a))), np.tanh(y - t)


log_cosh = elementwise_loss(
    "log_cosh",
    formula="The mean of log(cosh(y - t)), as `keras.losses.LogCosh`, for any difference without overflow,",
    gradient="tanh(y - t)",
    value=_log_cosh,
    slope=_log_cosh_slope,
    reference=_log_cosh_reference,
    flops=12,
    # The argument of the logarithm is off by 8: 2 of expm1, twice, 3.4 of the sum e below 1, and 2 operations.
    ulps=12,
    magnitude=lambda y, t: tuple(np.abs(part) for part in _log_cosh_reference(y, t)),
)
