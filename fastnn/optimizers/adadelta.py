"""Adadelta (Zeiler, ADADELTA: an adaptive learning rate method, 2012)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastnn.intrinsics import square_root_times
from fastnn.jit import scalar
from fastnn.ops.arguments import Gradient, NotNegative, fraction, not_negative
from fastnn.optimizers import magnitudes
from fastnn.optimizers.base import Hyper, Optimizer, learning_rate
from fastnn.optimizers.rule import UpdateRule, update_rule
from fastnn.reference.optimizers import decayed, mean_of


@scalar
def _constants(step, hyper):
    lr, rho, eps, weight_decay = hyper
    return weight_decay, rho, 1 - rho, eps, lr, 1.0


@scalar
def _rule(g, moments, c):
    v, moved = moments
    rho, rest, eps, lr, one = c
    v = rho * v + rest * (g * g)
    # Two roots, where that of the ratio would do: the ratio can be out of range.
    delta = square_root_times(moved + eps, one) / square_root_times(v + eps, one) * g
    moved = rho * moved + rest * (delta * delta)
    return (v, moved), lr * delta, None


def _reference(
    w: NDArray,
    g: NDArray,
    v: NDArray,
    moved: NDArray,
    *,
    lr: float = 1.0,
    rho: float = 0.9,
    eps: float = 1e-6,
    weight_decay: float = 0.0,
) -> None:
    w64, moved64 = w.astype(np.float64), moved.astype(np.float64)
    g64 = decayed(g, w64, weight_decay)
    v64 = mean_of(v, g64 * g64, rho)
    delta = np.sqrt(moved64 + eps) / np.sqrt(v64 + eps) * g64
    v[...], moved[...] = v64, mean_of(moved, delta * delta, rho)
    w[...] = w64 - lr * delta


def _magnitude(
    w: NDArray,
    g: NDArray,
    v: NDArray,
    moved: NDArray,
    *,
    lr: float = 1.0,
    rho: float = 0.9,
    eps: float = 1e-6,
    weight_decay: float = 0.0,
) -> tuple[NDArray, NDArray, NDArray]:
    largest, exact = magnitudes.of_gradient(w, g, weight_decay)
    second = rho * v + (1 - rho) * exact**2
    delta = np.sqrt((moved + eps) / (second + eps)) * largest * magnitudes.lost(largest, exact)
    # Squared, the errors of delta are twice as large.
    return np.abs(w) + lr * delta, rho * v + (1 - rho) * largest**2, rho * moved + 2 * (1 - rho) * delta**2


adadelta_update = update_rule(
    "adadelta_update",
    formula=(
        "Adadelta (Zeiler, 2012), as `torch.optim.Adadelta`.",
        "",
        "g' = g + weight_decay w; v ← rho v + (1-rho) g'²; delta = √(moved + eps) / √(v + eps) g';",
        "moved ← rho moved + (1-rho) delta²; w ← w - lr delta.",
    ),
    moments={"v": NotNegative(), "moved": NotNegative()},
    numbers={"lr": not_negative, "rho": fraction, "eps": not_negative, "weight_decay": not_negative},
    defaults={"lr": 1.0, "rho": 0.9, "eps": 1e-6, "weight_decay": 0.0},
    constants=_constants,
    rule=_rule,
    n_constants=5,
    divides=False,
    gradient=Gradient(),
    reference=_reference,
    magnitude=_magnitude,
    flops=17,
    # g' 1; v 4, with eps 5, its root half of that and 2; the other root 2.5; the quotient 0.5, its product with g' 1.5:
    # delta 9; its product with the rate 1, the difference 0.5.
    ulps=10.5,
    example={"lr": 0.5, "weight_decay": 0.01},
)


class Adadelta(Optimizer):
    """Adadelta (Zeiler, 2012), as `torch.optim.Adadelta`.

    g' = g + weight_decay w; v ← rho v + (1-rho) g'²; delta = √(moved + eps) / √(v + eps) g';
    moved ← rho moved + (1-rho) delta²; w ← w - lr delta.
    """

    lr = Hyper(1.0, learning_rate)
    rho = Hyper(0.9, fraction)
    eps = Hyper(1e-6, not_negative)
    weight_decay = Hyper(0.0, not_negative)

    @property
    def rule(self) -> UpdateRule:
        """The one there is."""
        return adadelta_update
