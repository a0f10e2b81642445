"""Nets of given weights: for training, and for predictions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastnn.mlp import MLP
from fastnn.sklearn.objective import Objective

# How many elements of sparse rows are made dense at a time.
_DENSE_AT_ONCE = 1 << 20


def glorot_weights(
    sizes: Sequence[int], activation: Any, random_state: np.random.RandomState, dtype: DTypeLike
) -> tuple[list[NDArray], list[NDArray]]:
    """scikit-learn's initial weights and intercepts, drawn as it does: uniform within √(6 / (inputs + outputs)) of 0,
    with 2 in place of 6 for the logistic function."""
    factor = 2.0 if activation in ("logistic", "sigmoid") else 6.0
    coefs, intercepts = [], []
    for inputs, outputs in pairwise(sizes):
        bound = np.sqrt(factor / (inputs + outputs))
        coefs.append(random_state.uniform(-bound, bound, (inputs, outputs)).astype(dtype))
        intercepts.append(random_state.uniform(-bound, bound, outputs).astype(dtype))
    return coefs, intercepts


def net_weights(coefs: Sequence[NDArray], intercepts: Sequence[NDArray]) -> list[NDArray]:
    """Weights and intercepts in the order in which a net takes them."""
    return [array for layer in zip(coefs, intercepts, strict=True) for array in layer]


class Predictor:
    """A net for predictions with the weights that an estimator has. It is never trained: several threads may ask it."""

    def __init__(
        self,
        coefs: Sequence[NDArray],
        intercepts: Sequence[NDArray],
        activation: Any,
        objective: Objective,
        dtype: np.dtype,
    ) -> None:
        self._weights = [np.array(array) for array in net_weights(coefs, intercepts)]
        sizes = (coefs[0].shape[0], *(coef.shape[1] for coef in coefs))
        self._made_of = activation, objective.loss
        self.net = MLP(sizes, activation, objective.loss, init="zeros", dtype=dtype)
        self.net.set_weights(self._weights)

    def fits(
        self,
        coefs: Sequence[NDArray],
        intercepts: Sequence[NDArray],
        activation: Any,
        objective: Objective,
        dtype: np.dtype,
    ) -> bool:
        """Whether it is what these make: a user may set weights, or change some in place."""
        return (
            self.net.dtype == dtype
            and self._made_of == (activation, objective.loss)
            and len(self._weights) == 2 * len(coefs)
            and all(map(np.array_equal, self._weights, net_weights(coefs, intercepts)))
        )


def parts(x: Any) -> list[slice]:
    """Rows x in parts: all of an array, or so many of sparse rows as may be made dense at a time."""
    size = x.shape[0] if isinstance(x, np.ndarray) else max(1, _DENSE_AT_ONCE // x.shape[1])
    return [slice(first, first + size) for first in range(0, x.shape[0], size)]


def dense(x: Any, dtype: DTypeLike) -> NDArray:
    """Rows x as an array of that dtype."""
    return (x if isinstance(x, np.ndarray) else x.toarray()).astype(dtype, copy=False)


def targets(t: NDArray, dtype: DTypeLike) -> NDArray:
    """Labels as they are, and rows of targets in that dtype."""
    return t if t.ndim == 1 else t.astype(dtype, copy=False)


def predictions(net: MLP, x: Any, function: Callable[[MLP, NDArray], NDArray]) -> NDArray:
    """function(net, rows) of all rows x, in the net's dtype."""
    return np.concatenate([function(net, dense(x[part], net.dtype)) for part in parts(x)])


def in_rows(predicted: NDArray) -> NDArray:
    """One number (n,) for each row where they are (n, 1)."""
    return predicted[:, 0] if predicted.ndim == 2 and predicted.shape[1] == 1 else predicted
