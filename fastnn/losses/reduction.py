"""The sum and mean of weighted losses in NumPy, of which the references are made."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def weights_of(sample_weight: Any, n: int) -> NDArray:
    """The weights of n rows in float64; 1 without any."""
    return np.ones(n) if sample_weight is None else np.asarray(sample_weight, np.float64)


def reduced(
    losses: NDArray, slopes: NDArray, weights: NDArray, counted: NDArray, reduction: str, root: bool = False
) -> tuple[Any, NDArray]:
    """The loss and its gradient, from the losses (n, k) of n rows of k terms and the slopes (n, o) of each row's sum.

    weights : (n,); a row of weight 0 counts nothing, whatever its losses. counted : (n,), what the terms of a row count
    in the divisor of the mean. Where they count 0 together, the loss is NaN and the gradient 0. reduction : "none" for
    the losses themselves, with the gradient of their sum. root : whether the loss is the root of the mean.
    """
    column = weights[:, np.newaxis]
    weighted, moved = (np.where(column == 0, 0, column * terms) for terms in (losses, slopes))
    if reduction == "none":
        return weighted, moved
    divisor = counted.sum() * losses.shape[1] if reduction == "mean" else np.float64(1)
    loss, factor = weighted.sum() / divisor, 0 if divisor == 0 else 1 / divisor
    if root:
        loss = np.sqrt(loss)
        factor = 0 if loss == 0 or divisor == 0 else factor / (2 * loss)
    return loss, moved * factor
