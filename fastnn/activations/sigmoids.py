"""Activations that saturate on both sides, and the exponential function that they are made of."""

from __future__ import annotations

import numpy as np

from fastnn.activations.item import activation
from fastnn.intrinsics import like
from fastnn.jit import scalar
from fastnn.kernels import vecmath


@scalar
def _sigmoid(x):
    return vecmath.sigmoid(x)


@scalar
def _sigmoid_backward(dy, x, y):
    return dy * (y * (like(y, 1) - y))


sigmoid = activation(
    "sigmoid",
    formula="1 / (1 + exp(-x)), as `torch.sigmoid`.",
    slope="y (1 - y)",
    value=_sigmoid,
    backward=_sigmoid_backward,
    slope_of="output",
    reference=lambda x: 1 / (1 + np.exp(-x)),
    reference_backward=lambda dy, y: dy * y * (1 - y),
    init="xavier_normal",
    flops=(3, 3),
    ulps=(3, 2),
    magnitude=lambda dy, y: np.abs(dy * y) * (1 + np.abs(y)),
)


@scalar
def _hard_sigmoid(x):
    z = x + like(x, 3)
    z = like(x, 0) if z < like(x, 0) else z
    return (like(x, 6) if z > like(x, 6) else z) * like(x, 1 / 6)


@scalar
def _hard_sigmoid_backward(dy, x, y):
    return dy * like(y, 1 / 6) if y > like(y, 0) and y < like(y, 1) else like(y, 0)


hard_sigmoid = activation(
    "hard_sigmoid",
    formula="min(max(x + 3, 0), 6) / 6, as `torch.nn.functional.hardsigmoid`.",
    slope="1/6 where 0 < y < 1, else 0, as for NaN",
    value=_hard_sigmoid,
    backward=_hard_sigmoid_backward,
    slope_of="output",
    reference=lambda x: np.clip(x + 3, 0, 6) / 6,
    reference_backward=lambda dy, y: np.where((y > 0) & (y < 1), dy / 6, 0),
    init="xavier_normal",
    flops=(4, 3),
    ulps=(2, 2),
)


@scalar
def _tanh(x):
    return vecmath.tanh(x)


@scalar
def _tanh_backward(dy, x, y):
    return dy * ((like(y, 1) - y) * (like(y, 1) + y))


tanh = activation(
    "tanh",
    formula="the hyperbolic tangent of x, as `torch.tanh`.",
    slope="1 - y²",
    value=_tanh,
    backward=_tanh_backward,
    slope_of="output",
    reference=lambda x: np.tanh(x),
    reference_backward=lambda dy, y: dy * (1 - y * y),
    init="xavier_normal",
    flops=(1, 4),
    ulps=(3, 2),
    magnitude=lambda dy, y: np.abs(dy) * (1 + np.abs(y)) ** 2,
)


@scalar
def _softsign(x):
    # Infinity over infinity would be NaN. From here on the quotient rounds to ±1.
    x = like(x, -1e30) if x < like(x, -1e30) else x
    x = like(x, 1e30) if x > like(x, 1e30) else x
    return x / (like(x, 1) + abs(x))


@scalar
def _softsign_backward(dy, x, y):
    root = like(y, 1) - abs(y)
    return dy * (root * root)


softsign = activation(
    "softsign",
    formula="x / (1 + |x|), as `torch.nn.functional.softsign`; ±1 at ±infinity.",
    slope="(1 - |y|)², which is 1 / (1 + |x|)²",
    value=_softsign,
    backward=_softsign_backward,
    slope_of="output",
    reference=lambda x: np.clip(x, -1e300, 1e300) / (1 + np.abs(np.clip(x, -1e300, 1e300))),
    reference_backward=lambda dy, y: dy * (1 - np.abs(y)) ** 2,
    init="xavier_normal",
    flops=(3, 4),
    ulps=(2, 3),
)


@scalar
def _exponential(x):
    return vecmath.exp(x)


@scalar
def _exponential_backward(dy, x, y):
    return dy * y


exponential = activation(
    "exponential",
    formula="eˣ, as Keras' `exponential`.",
    slope="y",
    value=_exponential,
    backward=_exponential_backward,
    slope_of="output",
    reference=lambda x: np.exp(x),
    reference_backward=lambda dy, y: dy * y,
    init="xavier_normal",
    flops=(1, 1),
    ulps=(2, 1),
)
