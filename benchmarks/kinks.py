"""Where the slope of an activation jumps, rounding may decide on which side of the jump an element is.

ReLU's slope is 0 below zero and 1 above. A pre-activation that is zero but for its rounding error is taken for either
by implementations that are all right. Of a large layer there is such an element every few batches. Its row is then left
out of the gradients of a unit, or not; where few rows reach the unit, that turns the sign of a weight's gradient, and
Adam's first step goes the other way, by twice the learning rate. No tolerance of a norm has room for that and still
sees faults. So the reference says which elements are in doubt, and can be trained with others' decisions.

How far a pre-activation may be off follows from `benchmarks.verify`: each of its terms a * w is nudged by the share
that stands for rounding, at random, which moves the sum by that share of the terms' 2-norm; and the errors of the layer
before come with it in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.reference.mlp import MLP
from fastnn.reference.precision import in_float64

# The least change of a slope that is no curve; a share of it where it is steep. Across what rounding moves, a smooth
# slope changes by 1e-4.
JUMP = 0.01


@dataclass(frozen=True)
class Element:
    """A pre-activation of one step, all counted from 0."""

    step: int
    hidden: int  # layer
    row: int
    unit: int


class KinkedMLP(MLP):
    """The reference net in float64, which takes the slopes of some elements from the other side of a kink.

    share : by which rounding may change a term. turned : the elements. `doubtful` : after each `train_step`, all
    elements that rounding may put on the other side, with their distances from the kink as a share of what rounding may
    move them by.
    """

    def __init__(self, *arguments: Any, share: float, turned: frozenset[Element], **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._share, self._turned = share, turned
        self._spreads: list[NDArray] = []
        self.doubtful: dict[Element, float] = {}

    @np.errstate(all="ignore")
    def _layers(self, x: NDArray, drops: bool = False) -> list[tuple[NDArray, NDArray]]:
        layers = super()._layers(x, drops)
        self._spreads, variance = [], np.zeros_like(layers[0][1])
        for k, (_, a) in enumerate(layers[:-2]):
            w, b = self._weights[2 * k : 2 * k + 2]
            variance = (self._share**2 * np.square(a) + variance) @ np.square(w) + self._share**2 * np.square(b)
            self._spreads.append(np.sqrt(variance))
            variance = variance * np.square(self._slope(k, layers[k + 1][0]))
        return layers

    @np.errstate(all="ignore")  # of nets that diverge
    def _activation_backward(self, hidden: int, dy: NDArray, x: NDArray, y: NDArray) -> NDArray:
        below, above = (self._slope(hidden, x + side * self._spreads[hidden]) for side in (-1, 1))
        slope = self._slope(hidden, x)
        for row, unit in np.argwhere(_jumps(below, above)).tolist():
            element = Element(self._steps, hidden, row, unit)
            self.doubtful[element] = self._distance(hidden, x[row, unit], self._spreads[hidden][row, unit])
            if element in self._turned:
                sides = below[row, unit], above[row, unit]
                slope[row, unit] = max(sides, key=lambda side, own=slope[row, unit]: abs(side - own))
        return dy * slope

    def _distance(self, hidden: int, z: float, spread: float) -> float:
        """From the kink, found by halving, as a share of `spread`."""
        low, high = 0.0, 1.0
        for _ in range(20):
            middle = (low + high) / 2
            ends = self._slope(hidden, np.array([z - middle * spread, z + middle * spread]))
            low, high = (low, middle) if _jumps(*ends) else (middle, high)
        return high

    def _slope(self, hidden: int, z: NDArray) -> NDArray:
        """The activation's derivative."""
        chosen = self._activations[hidden]
        y = in_float64(chosen.item.reference)(z, **chosen.numbers)
        return super()._activation_backward(hidden, np.ones_like(z), z, y)


def _jumps(below: NDArray, above: NDArray) -> NDArray:
    """Whether there is a kink between two slopes."""
    return abs(above - below) > JUMP * np.maximum(1, abs(above))
