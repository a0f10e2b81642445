"""The affine map of a fully connected layer."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn.linalg import affine as kernels
from fastnn.ops.declare import declare
from fastnn.reference import affine as reference


@declare(
    "(n,i),(i,o),(o)->(n,o)",
    kernel=kernels.affine_forward,
    parallel_kernel=kernels.parallel_affine_forward,
    reference=reference.affine_forward,
    flops=lambda n, i, o: 2 * n * i * o + n * o,
    sum_length=lambda i: i + 1,
    ulps=2,
    magnitude=lambda x, w, b: np.abs(x) @ np.abs(w) + np.abs(b),
    may_be_empty=("n",),
)
def affine_forward(x: ArrayLike, w: ArrayLike, b: ArrayLike, *, out: NDArray | None = None) -> NDArray:
    """y = x w + b: the output of a fully connected layer.

    x : rows; w : weights; b : bias; all float32 or all float64. Returns y, a new array of the same dtype; as
    `torch.nn.functional.linear` with its weight transposed. Raises TypeError for other or mixed dtypes, ValueError for
    shapes that do not fit.
    """


@declare(
    "(n,o),(n,i),(i,o)->(n,i),(i,o),(o)",
    kernel=kernels.affine_backward,
    parallel_kernel=kernels.parallel_affine_backward,
    reference=reference.affine_backward,
    flops=lambda n, i, o: 4 * n * i * o + n * o,
    sum_length=lambda n, o: max(n, o),
    ulps=2,
    magnitude=lambda dy, x, w: (np.abs(dy) @ np.abs(w).T, np.abs(x).T @ np.abs(dy), np.abs(dy).sum(axis=0)),
    may_be_empty=("n",),
)
def affine_backward(
    dy: ArrayLike, x: ArrayLike, w: ArrayLike, *, out: tuple[NDArray, NDArray, NDArray] | None = None
) -> tuple[NDArray, NDArray, NDArray]:
    """The gradients of `affine_forward`: dx = dy wᵀ, dw = xᵀ dy, db = Σ dy over the rows.

    dy : gradient of y; x, w : what the forward pass was given. Returns (dx, dw, db), new arrays of the same dtype.
    Raises TypeError for other or mixed dtypes, ValueError for shapes that do not fit.
    """
