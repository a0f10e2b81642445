"""Losses, from probabilities or with their gradients."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn.kernels import losses as kernels
from fastnn.ops.arguments import LabelsOrRows, Probabilities, not_negative
from fastnn.ops.declare import declare
from fastnn.reference import losses as reference
from fastnn.reference.softmax import log_softmax, softmax


def _rows(t: NDArray, classes: int) -> NDArray:
    return t if t.ndim == 2 else np.eye(classes)[t]


def _softmax_cross_entropy_magnitude(z: NDArray, t: NDArray) -> tuple[NDArray, NDArray]:
    targets, n = np.abs(_rows(t, z.shape[1])), len(z)
    log_p = np.abs(log_softmax(z))
    loss = np.where(targets == 0, 0, targets * (1 + log_p)).sum() / n
    return loss, (softmax(z) * (1 + np.minimum(log_p, 750)) * targets.sum(axis=-1, keepdims=True) + targets) / n


@declare(
    "(n,c),(n)->()",
    "(n,c),(n,c)->()",
    kernel=kernels.cross_entropy,
    reference=reference.cross_entropy,
    arrays={"p": Probabilities(), "t": LabelsOrRows()},
    numbers={"eps": not_negative},
    flops=lambda n, c: 3 * n,
    sum_length=lambda c: c,
    ulps=3,
    # log(p + eps) is off by a rounding of its argument, whatever the logarithm.
    magnitude=lambda p, t, eps=0.0: (
        np.where(_rows(t, p.shape[1]) == 0, 0, _rows(t, p.shape[1]) * (1 + np.abs(np.log(p + eps)))).sum() / len(p)
    ),
    strided=True,
)
def cross_entropy(p: ArrayLike, t: ArrayLike, *, eps: float = 0.0) -> np.floating:
    """-Σ t log(p + eps) / n: the mean cross-entropy of probabilities.

    p : probabilities, float32 or float64. t : integer labels (n,), or rows (n, c) of p's dtype, one-hot or soft; a
    target of 0 counts nothing, whatever its probability. eps : kept the logarithm finite in the teaching notes, which
    add 1e-7; 0 is exact. Returns a number of p's dtype, summed in float64. Raises TypeError for other dtypes,
    ValueError for shapes that do not fit, no rows, or labels outside 0..c-1.
    """


@declare(
    "(n,c),(n)->(),(n,c)",
    "(n,c),(n,c)->(),(n,c)",
    kernel=kernels.softmax_cross_entropy,
    reference=reference.softmax_cross_entropy,
    arrays={"t": LabelsOrRows()},
    flops=lambda n, c: 7 * n * c,
    sum_length=lambda c: c,
    ulps=5,
    magnitude=_softmax_cross_entropy_magnitude,
)
def softmax_cross_entropy(z: ArrayLike, t: ArrayLike, *, out: NDArray | None = None) -> tuple[np.floating, NDArray]:
    """The mean cross-entropy of softmax(z) and its gradient, as `torch.nn.functional.cross_entropy`.

    loss = -Σ t log softmax(z) / n; dz = (softmax(z) Σ t - t) / n. z : logits, float32 or float64. t : integer labels
    (n,), or rows (n, c) of z's dtype, one-hot or soft. Returns (loss, dz): a number, summed in float64, and a new
    array, both of z's dtype. Raises TypeError for other dtypes, ValueError for shapes that do not fit, no rows, or
    labels outside 0..c-1.
    """


@declare(
    "(n,o),(n,o)->(),(n,o)",
    "(n),(n)->(),(n)",
    kernel=kernels.mean_squared_error,
    reference=reference.mean_squared_error,
    flops=lambda size: 4 * size,
    sum_length=lambda size: (size, 0),
    ulps=3,
    magnitude=lambda y, t: (
        ((np.abs(y) + np.abs(t)) * np.abs(y - t)).mean(),
        2 * np.abs(y - t) / y.size,
    ),
)
def mean_squared_error(y: ArrayLike, t: ArrayLike, *, out: NDArray | None = None) -> tuple[np.floating, NDArray]:
    """The mean of (y - t)² over all elements and its gradient, as `torch.nn.functional.mse_loss`.

    dy = 2 (y - t) / size. y, t : float32 or float64, of one shape. Returns (loss, dy): a number, summed in float64,
    and a new array, both of y's dtype. Raises TypeError for other dtypes, ValueError for shapes that differ or no
    elements.
    """
