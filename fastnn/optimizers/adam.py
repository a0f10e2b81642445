"""Adam (Kingma and Ba, Adam: a method for stochastic optimization, 2015)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastnn.intrinsics import square_root_times
from fastnn.jit import scalar
from fastnn.ops.arguments import Gradient, NotNegative, fraction, not_negative, step_number
from fastnn.optimizers.base import Hyper, Optimizer
from fastnn.optimizers.rule import UpdateRule, update_rule
from fastnn.reference.optimizers import decayed


@scalar
def _constants(step, hyper):
    # m̂ / (√v̂ + eps) is m / (1 - β₁ᵗ) / (√v / √(1 - β₂ᵗ) + eps), whose factors all go below the line.
    lr, beta1, beta2, eps, weight_decay = hyper
    rate = lr / (1 - beta1**step)
    # A rate of 0 divides by infinity. A tiny rate must not: infinity times a moment of zero would be NaN.
    of_root = min(1 / np.sqrt(1 - beta2**step) / rate, 1e300) if lr > 0 else 0.0
    small = min(eps / rate, 1e300) if lr > 0 else np.inf
    return weight_decay, beta1, 1 - beta1, beta2, 1 - beta2, of_root, small


@scalar
def _rule(g, moments, c):
    m, v = moments
    beta1, rest1, beta2, rest2, of_root, eps = c
    m = beta1 * m + rest1 * g
    v = beta2 * v + rest2 * (g * g)
    return (m, v), m, square_root_times(v, of_root) + eps


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
    m64 = beta1 * m.astype(np.float64) + (1 - beta1) * g64
    v64 = beta2 * v.astype(np.float64) + (1 - beta2) * g64 * g64
    m[...], v[...] = m64, v64
    m_hat, v_hat = m64 / (1 - beta1**step), v64 / (1 - beta2**step)
    w[...] = w64 - lr * m_hat / (np.sqrt(v_hat) + eps)


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
    gradient = np.abs(g) + weight_decay * np.abs(w)
    first = beta1 * np.abs(m) + (1 - beta1) * gradient
    second = beta2 * v + (1 - beta2) * gradient**2
    exact = beta2 * v + (1 - beta2) * (g + weight_decay * w) ** 2
    moved = lr * first / (1 - beta1**step) / (np.sqrt(exact / (1 - beta2**step)) + eps)
    # Where the gradient and the decay cancel, v keeps few digits, and the step with it.
    cancelled = np.divide(second, exact, out=np.ones_like(exact), where=exact > 0)
    return np.abs(w) + moved * cancelled, first, second


adam_update = update_rule(
    "adam_update",
    formula=(
        "Adam (Kingma and Ba, 2015), as `torch.optim.Adam`, the L2 penalty in the gradient.",
        "",
        "g' = g + weight_decay w; m ← β₁m + (1-β₁)g'; v ← β₂v + (1-β₂)g'²; w ← w - lr m̂ / (√v̂ + eps) with",
        "m̂ = m / (1 - β₁^step), v̂ = v / (1 - β₂^step).",
    ),
    moments={"m": Gradient(), "v": NotNegative()},
    numbers={
        "step": step_number,
        "lr": not_negative,
        "beta1": fraction,
        "beta2": fraction,
        "eps": not_negative,
        "weight_decay": not_negative,
    },
    defaults={"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0},
    constants=_constants,
    rule=_rule,
    n_constants=6,
    divides=True,
    reference=_reference,
    magnitude=_magnitude,
    flops=14,
    ulps=8,
    example={"step": 3, "lr": 0.1, "weight_decay": 0.01},
)


class Adam(Optimizer):
    """Adam (Kingma and Ba, 2015), as `torch.optim.Adam`.

    g' = g + weight_decay w; m ← β₁m + (1-β₁)g'; v ← β₂v + (1-β₂)g'²; w ← w - lr m̂ / (√v̂ + eps) with the
    bias-corrected m̂ = m / (1 - β₁^step) and v̂ = v / (1 - β₂^step).
    """

    lr = Hyper(1e-3, not_negative)
    beta1 = Hyper(0.9, fraction)
    beta2 = Hyper(0.999, fraction)
    eps = Hyper(1e-8, not_negative)
    weight_decay = Hyper(0.0, not_negative)

    @property
    def rule(self) -> UpdateRule:
        """The one there is."""
        return adam_update
