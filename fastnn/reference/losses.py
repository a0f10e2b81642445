"""Losses, averaged over the rows (over all elements for the mean squared error)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastnn.reference.precision import in_float64


def _targets(t: NDArray, classes: int) -> NDArray:
    """Labels (n,) as one-hot rows (n, c); rows stay as they are."""
    return t if t.ndim == 2 else np.eye(classes)[t]


@in_float64
def cross_entropy(p: NDArray, t: NDArray, eps: float = 0.0) -> np.floating:
    """-Σ t log(p + eps) / n, where a target of 0 counts nothing, whatever its probability."""
    targets = _targets(t, p.shape[1])
    return -np.where(targets == 0, 0, targets * np.log(p + eps)).sum() / len(p)


@in_float64
def softmax_cross_entropy(z: NDArray, t: NDArray) -> tuple[np.floating, NDArray]:
    """The cross-entropy of softmax(z), and its gradient (softmax(z) Σ t - t) / n."""
    targets = _targets(t, z.shape[1])
    shifted = z - z.max(axis=-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    loss = -np.where(targets == 0, 0, targets * log_p).sum() / len(z)
    return loss, (np.exp(log_p) * targets.sum(axis=-1, keepdims=True) - targets) / len(z)


@in_float64
def mean_squared_error(y: NDArray, t: NDArray) -> tuple[np.floating, NDArray]:
    """The mean of (y - t)² over all elements, and its gradient 2 (y - t) / size."""
    return ((y - t) ** 2).mean(), 2 * (y - t) / y.size
