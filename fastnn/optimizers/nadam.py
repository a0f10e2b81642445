"""NAdam (Dozat, Incorporating Nesterov momentum into Adam, 2016)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastnn.intrinsics import square_root_times
from fastnn.jit import scalar
from fastnn.ops.arguments import Gradient, NotNegative, flag, fraction, not_negative, step_number
from fastnn.optimizers import magnitudes
from fastnn.optimizers.base import Hyper, Optimizer, learning_rate
from fastnn.optimizers.rule import UpdateRule, decoupled, update_rule
from fastnn.reference.optimizers import decayed, mean_of


@scalar
def _constants(step, hyper):
    lr, beta1, beta2, eps, momentum_decay, weight_decay = hyper
    # The product of all μ so far is made anew in each step, so that the rule depends on the step alone. Below 1e-20 it
    # is 0 beside 1: after some 60 factors by default, and with β₁ = 0.9 after 440 at most, half a microsecond.
    product, decay, factor = 1.0, 1.0, 0.96**momentum_decay
    done = 0
    while done < step and product > 1e-20:
        decay *= factor
        product *= beta1 * (1 - 0.5 * decay)
        done += 1
    mu = beta1 * (1 - 0.5 * 0.96 ** (step * momentum_decay))
    following = beta1 * (1 - 0.5 * 0.96 ** ((step + 1) * momentum_decay))
    of_gradient, of_mean = lr * (1 - mu) / (1 - product), lr * following / (1 - product * following)
    of_root = 1 / np.sqrt(1 - beta2**step)
    return weight_decay, beta1, 1 - beta1, beta2, 1 - beta2, of_gradient, of_mean, of_root, eps


@scalar
def _rule(g, moments, c):
    m, v = moments
    beta1, rest1, beta2, rest2, of_gradient, of_mean, of_root, eps = c
    m = beta1 * m + rest1 * g
    v = beta2 * v + rest2 * (g * g)
    return (m, v), of_gradient * g + of_mean * m, square_root_times(v, of_root) + eps


def _factors(step: int, lr: float, beta1: float, momentum_decay: float) -> tuple[float, float]:
    """What the gradient and its mean are multiplied by."""
    mu = beta1 * (1 - 0.5 * 0.96 ** (np.arange(1, step + 2) * momentum_decay))
    product = float(np.prod(mu[:-1]))
    return lr * (1 - float(mu[-2])) / (1 - product), lr * float(mu[-1]) / (1 - product * float(mu[-1]))


def _reference(
    w: NDArray,
    g: NDArray,
    m: NDArray,
    v: NDArray,
    *,
    step: int,
    lr: float = 2e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    momentum_decay: float = 4e-3,
    weight_decay: float = 0.0,
) -> None:
    w64 = w.astype(np.float64)
    g64 = decayed(g, w64, weight_decay)
    m64, v64 = mean_of(m, g64, beta1), mean_of(v, g64 * g64, beta2)
    m[...], v[...] = m64, v64
    of_gradient, of_mean = _factors(step, lr, beta1, momentum_decay)
    w[...] = w64 - (of_gradient * g64 + of_mean * m64) / (np.sqrt(v64 / (1 - beta2**step)) + eps)


def _magnitude(
    w: NDArray,
    g: NDArray,
    m: NDArray,
    v: NDArray,
    *,
    step: int,
    lr: float = 2e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    momentum_decay: float = 4e-3,
    weight_decay: float = 0.0,
) -> tuple[NDArray, NDArray, NDArray]:
    gradient, exact_gradient = magnitudes.of_gradient(w, g, weight_decay)
    first = beta1 * np.abs(m) + (1 - beta1) * gradient
    second, exact = (beta2 * v + (1 - beta2) * size**2 for size in (gradient, exact_gradient))
    of_gradient, of_mean = _factors(step, lr, beta1, momentum_decay)
    moved = (of_gradient * gradient + of_mean * first) / (np.sqrt(exact / (1 - beta2**step)) + eps)
    return np.abs(w) + moved * magnitudes.lost(second, exact), first, second


nadam_update = update_rule(
    "nadam_update",
    formula=(
        "NAdam (Dozat, 2016), as `torch.optim.NAdam`.",
        "",
        "g' = g + weight_decay w; m ← β₁m + (1-β₁)g'; v ← β₂v + (1-β₂)g'²;",
        "w ← w - lr ((1-μ) g' / (1-Π) + μ' m / (1-Πμ')) / (√v̂ + eps) with v̂ = v / (1 - β₂^step),",
        "μ = β₁(1 - 0.96^(step momentum_decay) / 2), μ' that of the next step, and Π the product of all μ so far.",
    ),
    moments={"m": Gradient(), "v": NotNegative()},
    numbers={
        "step": step_number,
        "lr": not_negative,
        "beta1": fraction,
        "beta2": fraction,
        "eps": not_negative,
        "momentum_decay": not_negative,
        "weight_decay": not_negative,
    },
    defaults={
        "lr": 2e-3,
        "beta1": 0.9,
        "beta2": 0.999,
        "eps": 1e-8,
        "momentum_decay": 4e-3,
        "weight_decay": 0.0,
    },
    constants=_constants,
    rule=_rule,
    n_constants=8,
    divides=True,
    reference=_reference,
    magnitude=_magnitude,
    flops=16,
    # g' 1; m 2.5, its product with a constant 1, the sum 0.5; v 4, its root half of that and 2, its factor 0.5, with
    # eps 5; the quotient and the difference 1.
    ulps=10,
    example={"step": 3, "lr": 0.1, "momentum_decay": 0.1, "weight_decay": 0.01},
)

nadamw_update = decoupled(
    nadam_update,
    "nadamw_update",
    (
        "NAdam with decoupled weight decay, as `torch.optim.NAdam` with decoupled_weight_decay: `nadam_update` of the",
        "gradient alone, and of w (1 - lr weight_decay).",
    ),
    0.0,
)


class NAdam(Optimizer):
    """NAdam (Dozat, 2016), as `torch.optim.NAdam`: Adam with Nesterov momentum.

    g' = g + weight_decay w; m ← β₁m + (1-β₁)g'; v ← β₂v + (1-β₂)g'²;
    w ← w - lr ((1-μ) g' / (1-Π) + μ' m / (1-Πμ')) / (√v̂ + eps) with v̂ = v / (1 - β₂^step),
    μ = β₁(1 - 0.96^(step momentum_decay) / 2), μ' that of the next step, and Π the product of all μ so far. It is that
    of β₁ and momentum_decay as they are; PyTorch keeps the product of what they were. With decoupled_weight_decay
    w ← w (1 - lr weight_decay) takes the place of g'.
    """

    lr = Hyper(2e-3, learning_rate)
    beta1 = Hyper(0.9, fraction)
    beta2 = Hyper(0.999, fraction)
    eps = Hyper(1e-8, not_negative)
    weight_decay = Hyper(0.0, not_negative)
    momentum_decay = Hyper(4e-3, not_negative)
    decoupled_weight_decay = Hyper(False, flag)

    @property
    def rule(self) -> UpdateRule:
        """With weight decay in the gradient or apart from it."""
        return nadamw_update if self.decoupled_weight_decay else nadam_update
