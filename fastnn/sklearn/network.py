"""Nets of given weights: for training, and for predictions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastnn.mlp import MLP
from fastnn.sklearn.objective import Objective


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
        self.net = MLP(sizes, activation, objective.loss.argument, init="zeros", dtype=dtype)
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


def in_rows(predicted: NDArray) -> NDArray:
    """One number (n,) for each row where they are (n, 1)."""
    return predicted[:, 0] if predicted.ndim == 2 and predicted.shape[1] == 1 else predicted
