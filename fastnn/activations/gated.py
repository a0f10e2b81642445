"""Activations that are x times a gate between 0 and 1."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from fastnn.activations.item import activation
from fastnn.intrinsics import like
from fastnn.jit import scalar
from fastnn.kernels import vecmath
from fastnn.reference.logistic import sigmoid

# Beyond these bounds the gates are 0 or 1 in both precisions, and the slopes too. Where x is cut off there, its
# infinities give the limits: infinity times zero would be NaN.
_GAUSSIAN_BOUND, _LOGISTIC_BOUND = 50.0, 800.0

_erfc = np.vectorize(math.erfc, otypes=[np.float64])


@scalar
def _at_least(x, low):
    return like(x, low) if x < like(x, low) else x


@scalar
def _within(x, bound):
    x = _at_least(x, -bound)
    return like(x, bound) if x > like(x, bound) else x


@scalar
def _sigmoid_and_rest(x):
    """The sigmoid of x and that of -x, each with all its digits, from one exponential."""
    e = vecmath.exp(-abs(x))
    larger = like(x, 1) / (like(x, 1) + e)
    smaller = e * larger
    return (smaller, larger) if x < like(x, 0) else (larger, smaller)


@scalar
def _gelu(x):
    x = _at_least(x, -_GAUSSIAN_BOUND)
    return x * (like(x, 0.5) + like(x, 0.5) * vecmath.erf(x * like(x, math.sqrt(0.5))))


@scalar
def _gelu_backward(dy, x, y):
    x = _within(x, _GAUSSIAN_BOUND)
    gate = like(x, 0.5) + like(x, 0.5) * vecmath.erf(x * like(x, math.sqrt(0.5)))
    density = like(x, 1 / math.sqrt(2 * math.pi)) * vecmath.exp(like(x, -0.5) * (x * x))
    return dy * (gate + x * density)


def _normal_distribution(x: NDArray) -> NDArray:
    return _erfc(-x * math.sqrt(0.5)) / 2


def _normal_density(x: NDArray) -> NDArray:
    return np.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def _gelu_slope(x: NDArray) -> NDArray:
    x = np.clip(x, -_GAUSSIAN_BOUND, _GAUSSIAN_BOUND)
    return _normal_distribution(x) + x * _normal_density(x)


gelu = activation(
    "gelu",
    formula="x Φ(x), Φ(x) = (1 + erf(x / √2)) / 2 (Hendrycks and Gimpel, 2016), as `torch.nn.functional.gelu`; 0 at "
    "-infinity.",
    slope="Φ(x) + x exp(-x²/2) / √(2π)",
    value=_gelu,
    backward=_gelu_backward,
    slope_of="input",
    reference=lambda x: np.maximum(x, -_GAUSSIAN_BOUND) * _normal_distribution(x),
    reference_backward=lambda dy, x: dy * _gelu_slope(x),
    init="he_normal",
    flops=(5, 11),
    ulps=(3, 5),
    # 1 + erf has absolute errors where it cancels.
    value_magnitude=lambda x: np.abs(x),
    magnitude=lambda dy, x: (
        np.abs(dy) * (1 + np.abs(np.clip(x, -_GAUSSIAN_BOUND, _GAUSSIAN_BOUND)) * _normal_density(x))
    ),
)

# (1 + tanh(u)) / 2 is the sigmoid of 2u. That is x (_LINEAR + _CUBIC x²).
_LINEAR, _CUBIC = 2 * math.sqrt(2 / math.pi), 2 * math.sqrt(2 / math.pi) * 0.044715


@scalar
def _gelu_tanh(x):
    x = _at_least(x, -_GAUSSIAN_BOUND)
    return x * vecmath.sigmoid(x * (like(x, _LINEAR) + like(x, _CUBIC) * (x * x)))


@scalar
def _gelu_tanh_backward(dy, x, y):
    x = _within(x, _GAUSSIAN_BOUND)
    square = x * x
    gate, rest = _sigmoid_and_rest(x * (like(x, _LINEAR) + like(x, _CUBIC) * square))
    return dy * (gate * (like(x, 1) + x * rest * (like(x, _LINEAR) + like(x, 3 * _CUBIC) * square)))


def _gelu_tanh_parts(x: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """x within bounds, the argument of the sigmoid, and its slope."""
    x = np.clip(x, -_GAUSSIAN_BOUND, _GAUSSIAN_BOUND)
    return x, x * (_LINEAR + _CUBIC * x * x), _LINEAR + 3 * _CUBIC * x * x


def _gelu_tanh_slope(x: NDArray) -> NDArray:
    x, v, dv = _gelu_tanh_parts(x)
    return sigmoid(v) * (1 + x * sigmoid(-v) * dv)


def _gelu_tanh_magnitude(dy: NDArray, x: NDArray) -> NDArray:
    x, v, dv = _gelu_tanh_parts(x)
    return np.abs(dy) * sigmoid(v) * (1 + np.abs(x) * sigmoid(-v) * dv) * (1 + np.abs(v))


def _gelu_tanh_value_magnitude(x: NDArray) -> NDArray:
    _, v, _ = _gelu_tanh_parts(x)
    return np.abs(x) * sigmoid(v) * (1 + np.abs(v) * sigmoid(-v))


gelu_tanh = activation(
    "gelu_tanh",
    formula='x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2, as `torch.nn.functional.gelu(approximate="tanh")`; 0 at '
    "-infinity.",
    slope="(1 + t) / 2 + x (1 - t²) / 2 · √(2/π) (1 + 3 · 0.044715 x²) with t the tanh of the formula",
    value=_gelu_tanh,
    backward=_gelu_tanh_backward,
    slope_of="input",
    reference=lambda x: np.maximum(x, -_GAUSSIAN_BOUND) * sigmoid(_gelu_tanh_parts(x)[1]),
    reference_backward=lambda dy, x: dy * _gelu_tanh_slope(x),
    init="he_normal",
    flops=(9, 15),
    ulps=(4, 8),
    # Roundings of the argument v of an exponential are relative errors of |v| units.
    value_magnitude=_gelu_tanh_value_magnitude,
    magnitude=_gelu_tanh_magnitude,
)


@scalar
def _silu(x):
    x = _at_least(x, -_LOGISTIC_BOUND)
    return x * vecmath.sigmoid(x)


@scalar
def _silu_backward(dy, x, y):
    x = _within(x, _LOGISTIC_BOUND)
    gate, rest = _sigmoid_and_rest(x)
    return dy * (gate * (like(x, 1) + x * rest))


def _silu_slope(x: NDArray) -> NDArray:
    x = np.clip(x, -_LOGISTIC_BOUND, _LOGISTIC_BOUND)
    return sigmoid(x) * (1 + x * sigmoid(-x))


def _silu_magnitude(dy: NDArray, x: NDArray) -> NDArray:
    x = np.clip(x, -_LOGISTIC_BOUND, _LOGISTIC_BOUND)
    return np.abs(dy) * sigmoid(x) * (1 + np.abs(x) * sigmoid(-x))


silu = activation(
    "silu",
    formula="x s(x), s(x) = 1 / (1 + exp(-x)), as `torch.nn.functional.silu`, also called swish; 0 at -infinity.",
    slope="s(x) (1 + x s(-x))",
    value=_silu,
    backward=_silu_backward,
    slope_of="input",
    reference=lambda x: np.maximum(x, -_LOGISTIC_BOUND) * sigmoid(x),
    reference_backward=lambda dy, x: dy * _silu_slope(x),
    init="he_normal",
    flops=(4, 8),
    ulps=(3, 8),
    magnitude=_silu_magnitude,
    aliases=("swish",),
)


@scalar
def _hard_swish(x):
    z = x + like(x, 3)
    z = like(x, 6) if z > like(x, 6) else z
    return like(x, 0) if x <= like(x, -3) else x * (z * like(x, 1 / 6))


@scalar
def _hard_swish_backward(dy, x, y):
    inner = dy * (x * like(x, 1 / 3) + like(x, 0.5))
    return like(x, 0) if x <= like(x, -3) else inner if x < like(x, 3) else dy


hard_swish = activation(
    "hard_swish",
    formula="x min(max(x + 3, 0), 6) / 6, as `torch.nn.functional.hardswish`; 0 at -infinity.",
    slope="0 where x <= -3, x / 3 + 1/2 where -3 < x < 3, else 1; a NaN lets dy pass",
    value=_hard_swish,
    backward=_hard_swish_backward,
    slope_of="input",
    reference=lambda x: np.where(x <= -3, 0, x * (np.clip(x + 3, 0, 6) / 6)),
    reference_backward=lambda dy, x: np.where(x <= -3, 0, np.where(x < 3, dy * (x / 3 + 0.5), dy)),
    init="he_normal",
    flops=(5, 5),
    ulps=(3, 3),
    magnitude=lambda dy, x: np.abs(dy) * np.minimum(np.abs(x) / 3 + 0.5, 1.5),
)

# From here on mish is the identity in both precisions, and the square of its exponential a finite float32.
_MISH_BOUND = 20.0


@scalar
def _mish(x):
    x = _at_least(x, -_LOGISTIC_BOUND)
    e = vecmath.exp(like(x, _MISH_BOUND) if x > like(x, _MISH_BOUND) else x)
    n = e * (e + like(x, 2))
    return x * (n / (n + like(x, 2)))


@scalar
def _mish_backward(dy, x, y):
    x = _at_least(like(x, _MISH_BOUND) if x > like(x, _MISH_BOUND) else x, -_LOGISTIC_BOUND)
    e = vecmath.exp(x)
    n = e * (e + like(x, 2))
    inverse = like(x, 1) / (n + like(x, 2))
    return dy * (inverse * (n + like(x, 4) * x * (e * (like(x, 1) + e) * inverse)))


def _mish_terms(x: NDArray) -> tuple[NDArray, NDArray]:
    """The two terms of the slope: the gate, and x times its slope."""
    x = np.clip(x, -_LOGISTIC_BOUND, _LOGISTIC_BOUND)
    softplus = np.logaddexp(0, x)
    return np.tanh(softplus), x * sigmoid(x) / np.cosh(np.minimum(softplus, 300)) ** 2


mish = activation(
    "mish",
    formula="x tanh(log(1 + eˣ)) (Misra, 2019), as `torch.nn.functional.mish`; 0 at -infinity.",
    slope="t + x (1 - t²) / (1 + exp(-x)) with t the tanh of the formula",
    value=_mish,
    backward=_mish_backward,
    slope_of="input",
    reference=lambda x: np.maximum(x, -_LOGISTIC_BOUND) * np.tanh(np.logaddexp(0, x)),
    reference_backward=lambda dy, x: dy * sum(_mish_terms(x)),
    init="he_normal",
    flops=(7, 11),
    ulps=(6, 11),
    magnitude=lambda dy, x: np.abs(dy) * sum(map(np.abs, _mish_terms(x))),
)
