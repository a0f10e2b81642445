"""Initial weights: the standard deviation of their normal distribution, and the draws."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


def standard_deviation(init: str | float, inputs: int, outputs: int) -> float:
    """The standard deviation of a layer's initial weights.

    - a number: that number (the teaching notes use 0.01);
    - "xavier": sqrt(2 / (inputs + outputs)) (Glorot and Bengio, 2010);
    - "he": sqrt(2 / inputs) (He et al., 2015).

    Raises ValueError for another name, or a number that is negative or not finite.
    """
    if init == "xavier":
        return float(np.sqrt(2 / (inputs + outputs)))
    if init == "he":
        return float(np.sqrt(2 / inputs))
    if isinstance(init, (int, float, np.integer, np.floating)) and not isinstance(init, bool) and 0 <= init < np.inf:
        return float(init)
    raise ValueError(f'init: got {init!r}, expected "xavier", "he" or a standard deviation of at least 0')


def initial_weights(sizes: Sequence[int], init: str | float | list[str], seed: int | None, dtype: str) -> list[NDArray]:
    """[w1, b1, w2, b2, ...]: w (inputs, outputs) drawn from a normal distribution, b (outputs,) zero.

    init : of all layers, or a list with one for each.

    Weights are drawn in float64 in this order, so that both precisions start from the same numbers.
    """
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0):
        raise ValueError(f"seed: got {seed!r}, expected an integer of at least 0, or None")
    rng = np.random.default_rng(seed)
    weights: list[NDArray] = []
    for k, (inputs, outputs) in enumerate(pairwise(sizes)):
        scale = standard_deviation(init[k] if isinstance(init, list) else init, inputs, outputs)
        weights += [(rng.standard_normal((inputs, outputs)) * scale).astype(dtype), np.zeros(outputs, dtype)]
    return weights
