"""RAdam (Liu, Jiang, He, Chen, Liu, Gao and Han, On the variance of the adaptive learning rate and beyond, 2020)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastnn.intrinsics import square_root_times, where_greater
from fastnn.jit import scalar
from fastnn.ops.arguments import Gradient, NotNegative, flag, fraction, not_negative
from fastnn.optimizers import magnitudes
from fastnn.optimizers.adam import DEFAULTS, NUMBERS
from fastnn.optimizers.base import Hyper, Optimizer, learning_rate
from fastnn.optimizers.rule import UpdateRule, decoupled, update_rule
from fastnn.reference.optimizers import decayed, mean_of


@scalar
def _constants(step, hyper):
    lr, beta1, beta2, eps, weight_decay = hyper
    correction = 1 - beta2**step
    longest = 2 / (1 - beta2) - 1
    length = longest - 2 * step * beta2**step / correction
    rate, adapts = lr / (1 - beta1**step), 0.0
    if length > 5:
        adapts = 1.0
        rectified = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
        rate *= np.sqrt(correction * rectified)
    return weight_decay, beta1, 1 - beta1, beta2, 1 - beta2, rate, eps, adapts, 0.0, 1.0


@scalar
def _rule(g, moments, c):
    m, v = moments
    beta1, rest1, beta2, rest2, rate, eps, adapts, zero, one = c
    m = beta1 * m + rest1 * g
    v = beta2 * v + rest2 * (g * g)
    # Chosen, and not made 1 by factors: 0 times an infinite moment would be NaN.
    return (m, v), rate * m, where_greater(adapts, zero, square_root_times(v, one) + eps, one)


def _rate(step: int, lr: float, beta1: float, beta2: float) -> tuple[float, bool]:
    """The rate of the step, and whether what moves the weights is divided by √v + eps."""
    rate = lr / (1 - beta1**step)
    longest = 2 / (1 - beta2) - 1
    length = longest - 2 * step * beta2**step / (1 - beta2**step)
    if length <= 5:
        return rate, False
    rectified = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
    return rate * float(np.sqrt(rectified) * np.sqrt(1 - beta2**step)), True


def _reference(
    w: NDArray,
    g: NDArray,
    m: NDArray,
    v: NDArray,
    *,
    step: int,
    lr: float = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> None:
    w64 = w.astype(np.float64)
    g64 = decayed(g, w64, weight_decay)
    m64, v64 = mean_of(m, g64, beta1), mean_of(v, g64 * g64, beta2)
    m[...], v[...] = m64, v64
    rate, adapts = _rate(step, lr, beta1, beta2)
    w[...] = w64 - rate * (m64 / (np.sqrt(v64) + eps) if adapts else m64)


def _magnitude(
    w: NDArray,
    g: NDArray,
    m: NDArray,
    v: NDArray,
    *,
    step: int,
    lr: float = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> tuple[NDArray, NDArray, NDArray]:
    gradient, exact_gradient = magnitudes.of_gradient(w, g, weight_decay)
    first = beta1 * np.abs(m) + (1 - beta1) * gradient
    second, exact = (beta2 * v + (1 - beta2) * size**2 for size in (gradient, exact_gradient))
    rate, adapts = _rate(step, lr, beta1, beta2)
    moved = first / (np.sqrt(exact) + eps) * magnitudes.lost(second, exact) if adapts else first
    return np.abs(w) + rate * moved, first, second


radam_update = update_rule(
    "radam_update",
    formula=(
        "RAdam (Liu et al., 2020), as `torch.optim.RAdam`.",
        "",
        "g' = g + weight_decay w; m ← β₁m + (1-β₁)g'; v ← β₂v + (1-β₂)g'². With rho' = 2 / (1-β₂) - 1 and",
        "rho = rho' - 2 step β₂^step / (1 - β₂^step): w ← w - lr m̂ while rho ≤ 5, then",
        "w ← w - lr m̂ r √(1 - β₂^step) / (√v + eps); m̂ = m / (1 - β₁^step),",
        "r = √((rho-4) (rho-2) rho' / ((rho'-4) (rho'-2) rho)).",
    ),
    moments={"m": Gradient(), "v": NotNegative()},
    numbers=NUMBERS,
    defaults=DEFAULTS,
    constants=_constants,
    rule=_rule,
    n_constants=9,
    divides=True,
    reference=_reference,
    magnitude=_magnitude,
    flops=14,
    # g' 1; m 2.5, its product with the rate 1; v 4, its root half of that and 2, with eps 4.5; the quotient and the
    # difference 1. The rate is another matter: with beta2 near 1, rho is next to nothing beside what it is a difference
    # of, and in early steps the rate has lost up to 5 of float64's 16 digits, here as in PyTorch.
    ulps=9,
    example={"step": 10, "lr": 0.1, "beta2": 0.9, "weight_decay": 0.01},
)

radamw_update = decoupled(
    radam_update,
    "radamw_update",
    (
        "RAdam with decoupled weight decay, as `torch.optim.RAdam` with decoupled_weight_decay: `radam_update` of the",
        "gradient alone, and of w (1 - lr weight_decay).",
    ),
    0.0,
)


class RAdam(Optimizer):
    """RAdam (Liu et al., 2020), as `torch.optim.RAdam`: Adam that does not adapt while v knows too few gradients.

    g' = g + weight_decay w; m ← β₁m + (1-β₁)g'; v ← β₂v + (1-β₂)g'². With rho' = 2 / (1-β₂) - 1 and
    rho = rho' - 2 step β₂^step / (1 - β₂^step): w ← w - lr m̂ while rho ≤ 5, the first 5 steps with β₂ = 0.999,
    then w ← w - lr m̂ r √(1 - β₂^step) / (√v + eps); m̂ = m / (1 - β₁^step),
    r = √((rho-4) (rho-2) rho' / ((rho'-4) (rho'-2) rho)).
    With decoupled_weight_decay w ← w (1 - lr weight_decay) takes the place of g'.
    """

    lr = Hyper(1e-3, learning_rate)
    beta1 = Hyper(0.9, fraction)
    beta2 = Hyper(0.999, fraction)
    eps = Hyper(1e-8, not_negative)
    weight_decay = Hyper(0.0, not_negative)
    decoupled_weight_decay = Hyper(False, flag)

    @property
    def rule(self) -> UpdateRule:
        """With weight decay in the gradient or apart from it."""
        return radamw_update if self.decoupled_weight_decay else radam_update
