"""Lion (Chen et al., Symbolic discovery of optimization algorithms, 2023)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastnn.intrinsics import sign
from fastnn.jit import scalar
from fastnn.ops.arguments import Gradient, fraction, not_negative
from fastnn.optimizers import magnitudes
from fastnn.optimizers.base import Hyper, Optimizer, learning_rate
from fastnn.optimizers.rule import UpdateRule, update_rule
from fastnn.reference.optimizers import mean_of


@scalar
def _constants(step, hyper):
    lr, beta1, beta2, weight_decay = hyper
    return lr * weight_decay, beta1, 1 - beta1, beta2, 1 - beta2, lr


@scalar
def _rule(g, moments, c):
    (m,) = moments
    beta1, rest1, beta2, rest2, lr = c
    direction = sign(beta1 * m + rest1 * g)
    return (beta2 * m + rest2 * g,), lr * direction, None


def _reference(
    w: NDArray,
    g: NDArray,
    m: NDArray,
    *,
    lr: float = 1e-4,
    beta1: float = 0.9,
    beta2: float = 0.99,
    weight_decay: float = 0.0,
) -> None:
    w64, g64 = w.astype(np.float64), g.astype(np.float64)
    direction = np.sign(mean_of(m, g64, beta1))
    m[...] = mean_of(m, g64, beta2)
    w[...] = (w64 * (1 - lr * weight_decay) if weight_decay else w64) - lr * direction


def _magnitude(
    w: NDArray,
    g: NDArray,
    m: NDArray,
    *,
    lr: float = 1e-4,
    beta1: float = 0.9,
    beta2: float = 0.99,
    weight_decay: float = 0.0,
) -> tuple[NDArray, NDArray]:
    terms, exact = beta1 * np.abs(m) + (1 - beta1) * np.abs(g), np.abs(beta1 * m + (1 - beta1) * g)
    # Where the terms cancel but for rounding, the sign may be the other one.
    moved = lr * magnitudes.lost(terms, exact)
    return (1 + lr * weight_decay) * np.abs(w) + moved, beta2 * np.abs(m) + (1 - beta2) * np.abs(g)


lion_update = update_rule(
    "lion_update",
    formula=(
        "Lion (Chen et al., 2023), as `optax.lion`.",
        "",
        "w ← w (1 - lr weight_decay) - lr sign(β₁m + (1-β₁)g); then m ← β₂m + (1-β₂)g.",
    ),
    moments={"m": Gradient()},
    numbers={"lr": not_negative, "beta1": fraction, "beta2": fraction, "weight_decay": not_negative},
    defaults={"lr": 1e-4, "beta1": 0.9, "beta2": 0.99, "weight_decay": 0.0},
    constants=_constants,
    rule=_rule,
    n_constants=5,
    divides=False,
    decoupled=True,
    gradient=Gradient(),
    reference=_reference,
    magnitude=_magnitude,
    flops=11,
    # Of the weights: 1 - lr weight_decay, the rate and the difference, 0.5 each; the sum under the sign 1.5, which
    # turns it by 2 where it cancels. Of m 1.5.
    ulps=4.5,
    example={"lr": 0.1, "weight_decay": 0.01},
)


class Lion(Optimizer):
    """Lion (Chen et al., 2023), as `optax.lion`, with the defaults of its authors' code.

    w ← w (1 - lr weight_decay) - lr sign(β₁m + (1-β₁)g); then m ← β₂m + (1-β₂)g. The sign of 0 is 0. Every weight moves
    by lr, so that a good rate is 3 to 10 times less than Adam's, and a good weight decay as much more.
    """

    lr = Hyper(1e-4, learning_rate)
    beta1 = Hyper(0.9, fraction)
    beta2 = Hyper(0.99, fraction)
    weight_decay = Hyper(0.0, not_negative)

    @property
    def rule(self) -> UpdateRule:
        """The one there is."""
        return lion_update
