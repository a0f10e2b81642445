"""The affine map of a fully connected layer."""

from __future__ import annotations

from numpy.typing import NDArray

from fastnn.reference.precision import in_float64


@in_float64
def affine_forward(x: NDArray, w: NDArray, b: NDArray) -> NDArray:
    """y = x w + b."""
    return x @ w + b


@in_float64
def affine_backward(dy: NDArray, x: NDArray, w: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """dx = dy wᵀ, dw = xᵀ dy, db = the sum of dy over its rows."""
    return dy @ w.T, x.T @ dy, dy.sum(axis=0)
