"""Activations, element by element, and their backward passes as functions of the output."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn.kernels import activations as kernels
from fastnn.ops.declare import declare
from fastnn.reference import activations as reference


@declare(
    "()->()",
    kernel=kernels.sigmoid,
    reference=reference.sigmoid,
    flops=lambda size: 3 * size,
    ulps=3,
    looped=True,
    strided=True,
)
def sigmoid(x: ArrayLike, *, out: NDArray | None = None) -> NDArray:
    """1 / (1 + exp(-x)), as `torch.sigmoid`.

    x : float32 or float64 of any shape. Returns a new array of its shape and dtype. Raises TypeError for other dtypes.
    """


@declare(
    "(),()->()",
    kernel=kernels.sigmoid_backward,
    reference=reference.sigmoid_backward,
    flops=lambda size: 3 * size,
    ulps=2,
    magnitude=lambda dy, y: np.abs(dy * y) * (1 + np.abs(y)),
    looped=True,
    strided=True,
)
def sigmoid_backward(dy: ArrayLike, y: ArrayLike, *, out: NDArray | None = None) -> NDArray:
    """dx = dy y (1 - y), where y = sigmoid(x).

    dy, y : of one shape and dtype. Returns a new array like them. Raises TypeError for other dtypes, ValueError for
    shapes that differ.
    """


@declare(
    "()->()",
    kernel=kernels.tanh,
    reference=reference.tanh,
    flops=lambda size: size,
    ulps=3,
    looped=True,
    strided=True,
)
def tanh(x: ArrayLike, *, out: NDArray | None = None) -> NDArray:
    """The hyperbolic tangent, as `torch.tanh`.

    x : float32 or float64 of any shape. Returns a new array of its shape and dtype. Raises TypeError for other dtypes.
    """


@declare(
    "(),()->()",
    kernel=kernels.tanh_backward,
    reference=reference.tanh_backward,
    flops=lambda size: 4 * size,
    ulps=2,
    magnitude=lambda dy, y: np.abs(dy) * (1 + np.abs(y)) ** 2,
    looped=True,
    strided=True,
)
def tanh_backward(dy: ArrayLike, y: ArrayLike, *, out: NDArray | None = None) -> NDArray:
    """dx = dy (1 - y²), where y = tanh(x).

    dy, y : of one shape and dtype. Returns a new array like them. Raises TypeError for other dtypes, ValueError for
    shapes that differ.
    """


@declare(
    "()->()",
    kernel=kernels.relu,
    reference=reference.relu,
    flops=lambda size: size,
    ulps=0,
    looped=True,
    strided=True,
)
def relu(x: ArrayLike, *, out: NDArray | None = None) -> NDArray:
    """max(x, 0), as `torch.relu`; NaN stays NaN.

    x : float32 or float64 of any shape. Returns a new array of its shape and dtype. Raises TypeError for other dtypes.
    """


@declare(
    "(),()->()",
    kernel=kernels.relu_backward,
    reference=reference.relu_backward,
    flops=lambda size: size,
    ulps=0,
    looped=True,
    strided=True,
)
def relu_backward(dy: ArrayLike, y: ArrayLike, *, out: NDArray | None = None) -> NDArray:
    """dx = dy where y > 0, else 0, where y = relu(x); a NaN in y lets dy pass, as in PyTorch.

    dy, y : of one shape and dtype. Returns a new array like them. Raises TypeError for other dtypes, ValueError for
    shapes that differ.
    """
