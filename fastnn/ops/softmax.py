"""Softmax and its logarithm over the last axis, and their backward passes as functions of the output."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn.kernels import softmax as kernels
from fastnn.ops.arguments import LogProbabilities, Probabilities
from fastnn.ops.declare import declare
from fastnn.reference import softmax as reference


def _distance_from_maximum(z: NDArray) -> NDArray:
    """max(z) - z, which the rounding error of z - max(z) is relative to. Beyond 750 the exponential is 0 in either
    precision."""
    return np.minimum(z.max(axis=-1, keepdims=True) - z, 750)


@declare(
    "(c)->(c)",
    kernel=kernels.softmax,
    reference=reference.softmax,
    flops=lambda n_rows, c: 5 * n_rows * c,
    sum_length=lambda c: c,
    ulps=4,
    magnitude=lambda z: reference.softmax(z) * (1 + _distance_from_maximum(z)),
    flattens_leading=True,
)
def softmax(z: ArrayLike, *, out: NDArray | None = None) -> NDArray:
    """p = exp(z - m) / Σ exp(z - m) over the last axis, m the maximum; as `torch.softmax(z, -1)`.

    z : logits, float32 or float64. Returns p, a new array of its shape and dtype; a row that holds NaN or +infinity
    is NaN. Raises TypeError for other dtypes, ValueError for rows of no columns.
    """


@declare(
    "(c),(c)->(c)",
    kernel=kernels.softmax_backward,
    reference=reference.softmax_backward,
    arrays={"p": Probabilities()},
    flops=lambda n_rows, c: 4 * n_rows * c,
    sum_length=lambda c: c,
    ulps=3,
    magnitude=lambda dp, p: np.abs(p) * (np.abs(dp) + np.abs(dp * p).sum(axis=-1, keepdims=True)),
    flattens_leading=True,
    strided=True,
)
def softmax_backward(dp: ArrayLike, p: ArrayLike, *, out: NDArray | None = None) -> NDArray:
    """dz = p (dp - Σ dp p), where p = softmax(z).

    dp, p : of one shape and dtype. Returns dz, a new array like them. Raises TypeError for other dtypes, ValueError
    for shapes that differ.
    """


@declare(
    "(c)->(c)",
    kernel=kernels.log_softmax,
    reference=reference.log_softmax,
    flops=lambda n_rows, c: 5 * n_rows * c,
    sum_length=lambda c: c,
    ulps=4,
    magnitude=lambda z: 1 + np.abs(reference.log_softmax(z)),
    flattens_leading=True,
)
def log_softmax(z: ArrayLike, *, out: NDArray | None = None) -> NDArray:
    """z - m - log Σ exp(z - m) over the last axis, m the maximum; as `torch.log_softmax(z, -1)`.

    z : logits, float32 or float64. Returns a new array of its shape and dtype; a row that holds NaN or +infinity is
    NaN. Raises TypeError for other dtypes, ValueError for rows of no columns.
    """


@declare(
    "(c),(c)->(c)",
    kernel=kernels.log_softmax_backward,
    reference=reference.log_softmax_backward,
    arrays={"lp": LogProbabilities()},
    flops=lambda n_rows, c: 4 * n_rows * c,
    sum_length=lambda c: c,
    ulps=4,
    magnitude=lambda dlp, lp: np.abs(dlp) + np.exp(lp) * (1 + np.abs(lp)) * np.abs(dlp).sum(axis=-1, keepdims=True),
    flattens_leading=True,
)
def log_softmax_backward(dlp: ArrayLike, lp: ArrayLike, *, out: NDArray | None = None) -> NDArray:
    """dz = dlp - exp(lp) Σ dlp, where lp = log_softmax(z).

    dlp, lp : of one shape and dtype. Returns dz, a new array like them. Raises TypeError for other dtypes, ValueError
    for shapes that differ.
    """
