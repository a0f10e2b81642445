"""Adamax (Kingma and Ba, Adam: a method for stochastic optimization, 2015, section 7.1)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastnn.intrinsics import absolute, maximum
from fastnn.jit import scalar
from fastnn.ops.arguments import Gradient, NotNegative, fraction, not_negative
from fastnn.optimizers import magnitudes
from fastnn.optimizers.adam import DEFAULTS, NUMBERS
from fastnn.optimizers.base import Hyper, Optimizer, learning_rate
from fastnn.optimizers.rule import UpdateRule, update_rule
from fastnn.reference.optimizers import decayed, mean_of


@scalar
def _constants(step, hyper):
    lr, beta1, beta2, eps, weight_decay = hyper
    return weight_decay, beta1, 1 - beta1, beta2, eps, lr / (1 - beta1**step)


@scalar
def _rule(g, moments, c):
    m, u = moments
    beta1, rest1, beta2, eps, rate = c
    m = beta1 * m + rest1 * g
    u = maximum(beta2 * u, absolute(g) + eps)
    return (m, u), rate * m, u


def _reference(
    w: NDArray,
    g: NDArray,
    m: NDArray,
    u: NDArray,
    *,
    step: int,
    lr: float = 2e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> None:
    w64 = w.astype(np.float64)
    g64 = decayed(g, w64, weight_decay)
    m64, u64 = mean_of(m, g64, beta1), np.maximum(beta2 * u.astype(np.float64), np.abs(g64) + eps)
    m[...], u[...] = m64, u64
    w[...] = w64 - lr / (1 - beta1**step) * m64 / u64


def _magnitude(
    w: NDArray,
    g: NDArray,
    m: NDArray,
    u: NDArray,
    *,
    step: int,
    lr: float = 2e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> tuple[NDArray, NDArray, NDArray]:
    gradient, exact_gradient = magnitudes.of_gradient(w, g, weight_decay)
    first = beta1 * np.abs(m) + (1 - beta1) * gradient
    largest, exact = (np.maximum(beta2 * u, size + eps) for size in (gradient, exact_gradient))
    moved = lr / (1 - beta1**step) * first / exact * magnitudes.lost(largest, exact)
    return np.abs(w) + moved, first, largest


adamax_update = update_rule(
    "adamax_update",
    formula=(
        "Adamax (Kingma and Ba, 2015), as `torch.optim.Adamax`.",
        "",
        "g' = g + weight_decay w; m ← β₁m + (1-β₁)g'; u ← max(β₂u, |g'| + eps); w ← w - lr / (1 - β₁^step) m / u.",
    ),
    moments={"m": Gradient(), "u": NotNegative()},
    numbers=NUMBERS,
    defaults={**DEFAULTS, "lr": 2e-3},
    constants=_constants,
    rule=_rule,
    n_constants=5,
    divides=True,
    reference=_reference,
    magnitude=_magnitude,
    flops=12,
    # g' 1; m 2.5, its product with the rate 1; u 2; the quotient and the difference 1.
    ulps=6.5,
    example={"step": 3, "lr": 0.1, "weight_decay": 0.01},
)


class Adamax(Optimizer):
    """Adamax (Kingma and Ba, 2015), as `torch.optim.Adamax`: Adam with the largest gradient in the place of a root.

    g' = g + weight_decay w; m ← β₁m + (1-β₁)g'; u ← max(β₂u, |g'| + eps); w ← w - lr / (1 - β₁^step) m / u, with the
    steps counted from 1.
    """

    lr = Hyper(2e-3, learning_rate)
    beta1 = Hyper(0.9, fraction)
    beta2 = Hyper(0.999, fraction)
    eps = Hyper(1e-8, not_negative)
    weight_decay = Hyper(0.0, not_negative)

    @property
    def rule(self) -> UpdateRule:
        """The one there is."""
        return adamax_update
