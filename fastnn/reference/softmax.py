"""Softmax and its logarithm over the last axis."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastnn.reference.precision import in_float64


@in_float64
def softmax(z: NDArray) -> NDArray:
    """exp(z - m) / Σ exp(z - m), m the maximum of the row."""
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


@in_float64
def softmax_backward(dp: NDArray, p: NDArray) -> NDArray:
    """dz = p (dp - Σ dp p)."""
    return p * (dp - (dp * p).sum(axis=-1, keepdims=True))


@in_float64
def log_softmax(z: NDArray) -> NDArray:
    """z - m - log Σ exp(z - m), m the maximum of the row."""
    shifted = z - z.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


@in_float64
def log_softmax_backward(dlp: NDArray, lp: NDArray) -> NDArray:
    """dz = dlp - exp(lp) Σ dlp."""
    return dlp - np.exp(lp) * dlp.sum(axis=-1, keepdims=True)
