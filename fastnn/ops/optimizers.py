"""Optimizer updates in place, as `torch.optim` defines them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastnn.kernels import optimizers as kernels
from fastnn.ops.arguments import Gradient, NotNegative, flag, not_negative, positive, share, step_number
from fastnn.ops.declare import declare
from fastnn.reference import optimizers as reference


def _sgd_magnitude(w: NDArray, g: NDArray, *, lr: float, weight_decay: float = 0.0) -> NDArray:
    return np.abs(w) + lr * (np.abs(g) + weight_decay * np.abs(w))


def _momentum_magnitude(
    w: NDArray,
    g: NDArray,
    velocity: NDArray,
    *,
    lr: float,
    momentum: float = 0.9,
    nesterov: bool = False,
    weight_decay: float = 0.0,
) -> tuple[NDArray, NDArray]:
    moved = momentum * np.abs(velocity) + np.abs(g) + weight_decay * np.abs(w)
    return np.abs(w) + 2 * lr * moved, moved


def _adam_magnitude(
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


@declare(
    "(),()->()",
    kernel=kernels.sgd_update,
    reference=reference.sgd_update,
    numbers={"lr": positive, "weight_decay": not_negative},
    example={"lr": 0.1, "weight_decay": 0.01},
    flops=lambda size: 4 * size,
    ulps=3,
    magnitude=_sgd_magnitude,
    looped=True,
    strided=True,
    in_place=("w",),
)
def sgd_update(w: NDArray, g: NDArray, *, lr: float, weight_decay: float = 0.0) -> None:
    """w ← w - lr (g + weight_decay w), as `torch.optim.SGD` without momentum.

    w : parameters, written in place, C-contiguous; g : their gradient; of one shape and dtype. Returns nothing.
    Raises TypeError for other dtypes; ValueError for shapes that differ, a w that cannot be written or shares memory
    with g, and numbers out of range.
    """


@declare(
    "(),(),()->(),()",
    kernel=kernels.momentum_update,
    reference=reference.momentum_update,
    numbers={"lr": positive, "momentum": share, "nesterov": flag, "weight_decay": not_negative},
    example={"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
    flops=lambda size: 8 * size,
    ulps=4,
    magnitude=_momentum_magnitude,
    looped=True,
    strided=True,
    in_place=("w", "velocity"),
)
def momentum_update(
    w: NDArray,
    g: NDArray,
    velocity: NDArray,
    *,
    lr: float,
    momentum: float = 0.9,
    nesterov: bool = False,
    weight_decay: float = 0.0,
) -> None:
    """v ← momentum v + g'; w ← w - lr v, or w - lr (g' + momentum v) with Nesterov; as `torch.optim.SGD`.

    g' = g + weight_decay w. w, velocity : written in place, C-contiguous; velocity starts at zero; g : the gradient;
    of one shape and dtype. Returns nothing. Raises as `sgd_update`.
    """


@declare(
    "(),(),(),()->(),(),()",
    kernel=kernels.adam_update,
    reference=reference.adam_update,
    arrays={"g": Gradient(), "m": Gradient(), "v": NotNegative()},
    numbers={
        "step": step_number,
        "lr": positive,
        "beta1": share,
        "beta2": share,
        "eps": not_negative,
        "weight_decay": not_negative,
    },
    example={"step": 3, "lr": 0.1, "weight_decay": 0.01},
    flops=lambda size: 14 * size,
    ulps=8,
    magnitude=_adam_magnitude,
    looped=True,
    in_place=("w", "m", "v"),
)
def adam_update(
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
    """Adam (Kingma and Ba, 2015), as `torch.optim.Adam`, the L2 penalty in the gradient.

    g' = g + weight_decay w; m ← β₁m + (1-β₁)g'; v ← β₂v + (1-β₂)g'²; w ← w - lr m̂ / (√v̂ + eps) with
    m̂ = m / (1 - β₁^step), v̂ = v / (1 - β₂^step). w, m, v : written in place, C-contiguous; m and v start at zero;
    g : the gradient; of one shape and dtype. step : from 1. Returns nothing. Raises as `sgd_update`.
    """
