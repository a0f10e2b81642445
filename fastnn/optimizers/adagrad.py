"""Adagrad (Duchi, Hazan and Singer, Adaptive subgradient methods for online learning and stochastic optimization,
2011)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastnn.intrinsics import square_root_times
from fastnn.jit import scalar
from fastnn.ops.arguments import NotNegative, not_negative, step_number
from fastnn.optimizers import magnitudes
from fastnn.optimizers.base import Hyper, Optimizer, learning_rate
from fastnn.optimizers.rule import UpdateRule, update_rule
from fastnn.reference.optimizers import decayed


@scalar
def _constants(step, hyper):
    lr, lr_decay, eps, weight_decay = hyper
    return weight_decay, lr / (1 + (step - 1) * lr_decay), 1.0, eps


@scalar
def _rule(g, moments, c):
    rate, one, eps = c
    total = moments[0] + g * g
    return (total,), rate * g, square_root_times(total, one) + eps


def _reference(
    w: NDArray,
    g: NDArray,
    total: NDArray,
    *,
    step: int,
    lr: float = 1e-2,
    lr_decay: float = 0.0,
    eps: float = 1e-10,
    weight_decay: float = 0.0,
) -> None:
    w64 = w.astype(np.float64)
    g64 = decayed(g, w64, weight_decay)
    total64 = total.astype(np.float64) + g64 * g64
    total[...] = total64
    w[...] = w64 - lr / (1 + (step - 1) * lr_decay) * g64 / (np.sqrt(total64) + eps)


def _magnitude(
    w: NDArray,
    g: NDArray,
    total: NDArray,
    *,
    step: int,
    lr: float = 1e-2,
    lr_decay: float = 0.0,
    eps: float = 1e-10,
    weight_decay: float = 0.0,
) -> tuple[NDArray, NDArray]:
    largest, exact = magnitudes.of_gradient(w, g, weight_decay)
    moved = lr / (1 + (step - 1) * lr_decay) * largest / (np.sqrt(total + exact**2) + eps)
    return np.abs(w) + moved * magnitudes.lost(largest, exact), total + largest**2


adagrad_update = update_rule(
    "adagrad_update",
    formula=(
        "Adagrad (Duchi, Hazan and Singer, 2011), as `torch.optim.Adagrad`.",
        "",
        "g' = g + weight_decay w; total ← total + g'²; w ← w - lr / (1 + (step - 1) lr_decay) g' / (√total + eps).",
    ),
    moments={"total": NotNegative()},
    numbers={
        "step": step_number,
        "lr": not_negative,
        "lr_decay": not_negative,
        "eps": not_negative,
        "weight_decay": not_negative,
    },
    defaults={"lr": 1e-2, "lr_decay": 0.0, "eps": 1e-10, "weight_decay": 0.0},
    constants=_constants,
    rule=_rule,
    n_constants=3,
    divides=True,
    reference=_reference,
    magnitude=_magnitude,
    flops=8,
    # g' 1, and so its square 2.5 and the total 3; its root half of that and 2, with eps 4; the numerator 2; the
    # quotient and the difference 1.
    ulps=7,
    example={"step": 3, "lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.01},
)


class Adagrad(Optimizer):
    """Adagrad (Duchi, Hazan and Singer, 2011), as `torch.optim.Adagrad`, whose sums begin at zero.

    g' = g + weight_decay w; total ← total + g'²; w ← w - lr / (1 + (step - 1) lr_decay) g' / (√total + eps), with the
    steps counted from 1.
    """

    lr = Hyper(1e-2, learning_rate)
    lr_decay = Hyper(0.0, not_negative)
    eps = Hyper(1e-10, not_negative)
    weight_decay = Hyper(0.0, not_negative)

    @property
    def rule(self) -> UpdateRule:
        """The one there is."""
        return adagrad_update
