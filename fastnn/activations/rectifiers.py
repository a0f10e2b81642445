"""The identity, and activations that are it, or nearly, above zero and bounded, or less steep, below."""

from __future__ import annotations

import numpy as np

from fastnn.activations.item import activation
from fastnn.intrinsics import like
from fastnn.jit import scalar
from fastnn.kernels import vecmath
from fastnn.ops.arguments import NotNegative, not_negative, positive


@scalar
def _identity(x):
    return x


@scalar
def _identity_backward(dy, x, y):
    return dy


identity = activation(
    "identity",
    formula="x, as `torch.nn.Identity`.",
    slope="1",
    value=_identity,
    backward=_identity_backward,
    slope_of="output",
    reference=lambda x: x,
    reference_backward=lambda dy, y: dy,
    init="xavier_normal",
    flops=(0, 0),
    ulps=(0, 0),
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


@scalar
def _relu6(x):
    return like(x, 0) if x <= like(x, 0) else like(x, 6) if x >= like(x, 6) else x


@scalar
def _relu6_backward(dy, x, y):
    return dy if y > like(y, 0) and y < like(y, 6) else like(y, 0)


relu6 = activation(
    "relu6",
    formula="min(max(x, 0), 6), as `torch.nn.functional.relu6`; NaN stays NaN.",
    slope="1 where 0 < y < 6, else 0, as for NaN",
    value=_relu6,
    backward=_relu6_backward,
    slope_of="output",
    reference=lambda x: np.clip(x, 0, 6),
    reference_backward=lambda dy, y: np.where((y > 0) & (y < 6), dy, 0),
    init="he_normal",
    flops=(2, 2),
    ulps=(0, 0),
)


@scalar
def _leaky_relu(x, negative_slope):
    return x * negative_slope if x < like(x, 0) else x


@scalar
def _leaky_relu_backward(dy, x, y, negative_slope):
    return dy if y > like(y, 0) else dy * negative_slope


leaky_relu = activation(
    "leaky_relu",
    formula="x where x > 0, else negative_slope x, as `torch.nn.functional.leaky_relu`. negative_slope : at least 0.",
    slope="1 where y > 0, else negative_slope",
    value=_leaky_relu,
    backward=_leaky_relu_backward,
    slope_of="output",
    numbers={"negative_slope": not_negative},
    defaults={"negative_slope": 0.01},
    example={"negative_slope": 0.2},
    reference=lambda x, negative_slope: np.where(x < 0, x * negative_slope, x),
    reference_backward=lambda dy, y, negative_slope: np.where(y > 0, dy, dy * negative_slope),
    init="he_normal",
    flops=(2, 2),
    ulps=(2, 2),
)


@scalar
def _elu(x, alpha):
    return alpha * vecmath.expm1(x) if x < like(x, 0) else x


@scalar
def _elu_backward(dy, x, y, alpha):
    return dy * (y + alpha) if y <= like(y, 0) else dy


elu = activation(
    "elu",
    formula="x where x > 0, else alpha (eˣ - 1), as `torch.nn.functional.elu`. alpha : at least 0.",
    slope="1 where y > 0, else y + alpha; a NaN in y lets dy pass",
    value=_elu,
    backward=_elu_backward,
    slope_of="output",
    numbers={"alpha": not_negative},
    defaults={"alpha": 1.0},
    example={"alpha": 0.7},
    reference=lambda x, alpha: np.where(x < 0, alpha * np.expm1(x), x),
    reference_backward=lambda dy, y, alpha: np.where(y <= 0, dy * (y + alpha), dy),
    init="he_normal",
    flops=(3, 3),
    ulps=(4, 2),
    magnitude=lambda dy, y, alpha: np.abs(dy) * np.where(y <= 0, np.abs(y) + alpha, 1),
)

# Of the fixed point at mean 0 and variance 1 (Klambauer et al., 2017).
_SCALE, _ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717


@scalar
def _selu(x):
    return like(x, _SCALE * _ALPHA) * vecmath.expm1(x) if x < like(x, 0) else like(x, _SCALE) * x


@scalar
def _selu_backward(dy, x, y):
    return dy * (y + like(y, _SCALE * _ALPHA) if y <= like(y, 0) else like(y, _SCALE))


selu = activation(
    "selu",
    formula="1.0507… x where x > 0, else 1.0507… · 1.6732… (eˣ - 1) (Klambauer et al., Self-normalizing neural "
    "networks, 2017),\nas `torch.nn.functional.selu`.",
    slope="1.0507… where y > 0, else y + 1.0507… · 1.6732…; a NaN in y counts as above 0",
    value=_selu,
    backward=_selu_backward,
    slope_of="output",
    reference=lambda x: _SCALE * np.where(x < 0, _ALPHA * np.expm1(x), x),
    reference_backward=lambda dy, y: dy * np.where(y <= 0, y + _SCALE * _ALPHA, _SCALE),
    init="lecun_normal",
    flops=(3, 3),
    ulps=(4, 2),
    magnitude=lambda dy, y: np.abs(dy) * np.where(y <= 0, np.abs(y) + _SCALE * _ALPHA, _SCALE),
)


@scalar
def _celu(x, alpha):
    return alpha * vecmath.expm1(x / alpha) if x < like(x, 0) else x


@scalar
def _celu_backward(dy, x, y, alpha):
    return dy * (like(y, 1) + y / alpha) if y < like(y, 0) else dy


celu = activation(
    "celu",
    formula="x where x > 0, else alpha (exp(x / alpha) - 1), as `torch.nn.functional.celu`. alpha : above 0.",
    slope="1 where y > 0, else 1 + y / alpha; a NaN in y lets dy pass",
    value=_celu,
    backward=_celu_backward,
    slope_of="output",
    numbers={"alpha": positive},
    defaults={"alpha": 1.0},
    example={"alpha": 0.5},
    reference=lambda x, alpha: np.where(x < 0, alpha * np.expm1(x / alpha), x),
    reference_backward=lambda dy, y, alpha: np.where(y < 0, dy * (1 + y / alpha), dy),
    init="he_normal",
    flops=(4, 4),
    ulps=(5, 3),
    magnitude=lambda dy, y, alpha: np.abs(dy) * np.where(y < 0, 1 + np.abs(y) / alpha, 1),
)


@scalar
def _softplus(x, beta):
    rest = vecmath.log1p(vecmath.exp(-abs(beta * x))) / beta
    return rest + (x if x > like(x, 0) else like(x, 0))


@scalar
def _softplus_backward(dy, x, y, beta):
    return dy * -vecmath.expm1(-(beta * y))


softplus = activation(
    "softplus",
    formula="log(1 + exp(beta x)) / beta, as `torch.nn.functional.softplus`, but never replaced by x. beta : above 0.",
    slope="1 - exp(-beta y), which is the sigmoid of beta x",
    value=_softplus,
    backward=_softplus_backward,
    slope_of="output",
    numbers={"beta": positive},
    defaults={"beta": 1.0},
    example={"beta": 1.7},
    y_drawn=NotNegative(),
    reference=lambda x, beta: np.logaddexp(0, beta * x) / beta,
    reference_backward=lambda dy, y, beta: -dy * np.expm1(-beta * y),
    init="he_normal",
    flops=(7, 4),
    ulps=(5, 4),
    # A rounding of beta x changes the result by |beta x| times the slope, one of beta y likewise.
    value_magnitude=lambda x, beta: np.logaddexp(0, beta * x) / beta + np.abs(x) / (1 + np.exp(-beta * x)),
    magnitude=lambda dy, y, beta: np.abs(dy) * (-np.expm1(-beta * y) + beta * y * np.exp(-beta * y)),
)
