"""The activations of hidden layers, one block each."""

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
def _relu(x):
    return like(x, 0) if x <= like(x, 0) else x


@scalar
def _relu_backward(dy, x, y):
    return like(y, 0) if y <= like(y, 0) else dy


relu = activation(
    "relu",
    formula="max(x, 0), as `torch.relu`; NaN stays NaN.",
    slope="1 where y > 0, else 0; a NaN in y lets dy pass, as in PyTorch",
    value=_relu,
    backward=_relu_backward,
    slope_of="output",
    reference=lambda x: np.maximum(x, 0),
    reference_backward=lambda dy, y: np.where(y <= 0, 0, dy),
    init="he_normal",
    flops=(1, 1),
    ulps=(0, 0),
)
