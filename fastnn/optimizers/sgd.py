"""Stochastic gradient descent, with and without momentum."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.jit import scalar
from fastnn.ops.arguments import Array, flag, fraction, not_negative, step_number
from fastnn.optimizers.base import Hyper, Optimizer, learning_rate
from fastnn.optimizers.rule import UpdateRule, update_rule
from fastnn.reference.optimizers import decayed


@scalar
def _plain_constants(step, hyper):
    lr, weight_decay = hyper
    return weight_decay, lr


@scalar
def _plain(g, moments, c):
    (lr,) = c
    return moments, lr * g, None


def _plain_reference(w: NDArray, g: NDArray, *, lr: float, weight_decay: float = 0.0) -> None:
    w64 = w.astype(np.float64)
    w[...] = w64 - lr * decayed(g, w64, weight_decay)


sgd_update = update_rule(
    "sgd_update",
    formula=("w ← w - lr (g + weight_decay w), as `torch.optim.SGD` without momentum.",),
    moments={},
    numbers={"lr": not_negative, "weight_decay": not_negative},
    defaults={"weight_decay": 0.0},
    constants=_plain_constants,
    rule=_plain,
    n_constants=1,
    divides=False,
    is_linear=True,
    reference=_plain_reference,
    magnitude=lambda w, g, *, lr, weight_decay=0.0: np.abs(w) + lr * (np.abs(g) + weight_decay * np.abs(w)),
    flops=4,
    ulps=3,
    example={"lr": 0.1, "weight_decay": 0.01},
)


@scalar
def _momentum_constants(step, hyper):
    lr, momentum, nesterov, weight_decay = hyper
    # What is subtracted is v, or g' + momentum v: a sum of both with these weights.
    of_gradient, of_velocity = (1.0, momentum) if nesterov != 0 else (0.0, 1.0)
    return weight_decay, momentum, lr * of_gradient, lr * of_velocity


@scalar
def _momentum(g, moments, c):
    momentum, of_gradient, of_velocity = c
    v = momentum * moments[0] + g
    return (v,), of_gradient * g + of_velocity * v, None


def _momentum_reference(
    w: NDArray,
    g: NDArray,
    velocity: NDArray,
    *,
    lr: float,
    momentum: float = 0.9,
    nesterov: bool = False,
    weight_decay: float = 0.0,
) -> None:
    w64 = w.astype(np.float64)
    g64 = decayed(g, w64, weight_decay)
    v64 = momentum * velocity.astype(np.float64) + g64
    velocity[...] = v64
    w[...] = w64 - lr * (g64 + momentum * v64 if nesterov else v64)


def _momentum_magnitude(
    w: NDArray, g: NDArray, velocity: NDArray, *, lr: float, momentum: float = 0.9, weight_decay: float = 0.0, **_: Any
) -> tuple[NDArray, NDArray]:
    size = momentum * np.abs(velocity) + np.abs(g) + weight_decay * np.abs(w)
    return np.abs(w) + 2 * lr * size, size


momentum_update = update_rule(
    "momentum_update",
    formula=(
        "v ← momentum v + g'; w ← w - lr v, or w - lr (g' + momentum v) with Nesterov; as `torch.optim.SGD`.",
        "",
        "g' = g + weight_decay w.",
    ),
    moments={"velocity": Array()},
    numbers={"lr": not_negative, "momentum": fraction, "nesterov": flag, "weight_decay": not_negative},
    defaults={"momentum": 0.9, "nesterov": False, "weight_decay": 0.0},
    constants=_momentum_constants,
    rule=_momentum,
    n_constants=3,
    divides=False,
    reference=_momentum_reference,
    magnitude=_momentum_magnitude,
    flops=8,
    ulps=4,
    example={"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
)


@scalar
def _dampened_constants(step, hyper):
    lr, momentum, dampening, weight_decay = hyper
    return weight_decay, momentum, 1.0 if step == 1 else 1 - dampening, lr


@scalar
def _dampened(g, moments, c):
    momentum, of_gradient, lr = c
    v = momentum * moments[0] + of_gradient * g
    return (v,), lr * v, None


def _dampened_reference(
    w: NDArray,
    g: NDArray,
    velocity: NDArray,
    *,
    step: int,
    lr: float,
    momentum: float = 0.9,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
) -> None:
    w64 = w.astype(np.float64)
    g64 = decayed(g, w64, weight_decay)
    v64 = momentum * velocity.astype(np.float64) + (g64 if step == 1 else (1 - dampening) * g64)
    velocity[...] = v64
    w[...] = w64 - lr * v64


dampened_momentum_update = update_rule(
    "dampened_momentum_update",
    formula=(
        "v ← momentum v + (1 - dampening) g', in the first step momentum v + g'; w ← w - lr v; as `torch.optim.SGD`.",
        "",
        "g' = g + weight_decay w.",
    ),
    moments={"velocity": Array()},
    numbers={
        "step": step_number,
        "lr": not_negative,
        "momentum": fraction,
        "dampening": fraction,
        "weight_decay": not_negative,
    },
    defaults={"momentum": 0.9, "dampening": 0.0, "weight_decay": 0.0},
    constants=_dampened_constants,
    rule=_dampened,
    n_constants=3,
    divides=False,
    reference=_dampened_reference,
    magnitude=_momentum_magnitude,
    flops=7,
    ulps=4,
    example={"step": 2, "lr": 0.1, "momentum": 0.9, "dampening": 0.5, "weight_decay": 0.01},
)


class SGD(Optimizer):
    """Stochastic gradient descent, as `torch.optim.SGD`.

    g' = g + weight_decay w; v ← momentum v + g'; w ← w - lr v, or w - lr (g' + momentum v) with Nesterov.
    Without momentum w ← w - lr g'. With dampening v ← momentum v + (1 - dampening) g' from the second step on.
    Raises ValueError for Nesterov without momentum or with dampening, as PyTorch does.
    """

    lr = Hyper(1e-3, learning_rate)
    momentum = Hyper(0.0, fraction)
    nesterov = Hyper(False, flag)
    weight_decay = Hyper(0.0, not_negative)
    dampening = Hyper(0.0, fraction)

    @property
    def rule(self) -> UpdateRule:
        """With momentum or without; dampened or not."""
        if not self.momentum:
            return sgd_update
        return dampened_momentum_update if self.dampening else momentum_update

    def _check(self, values: dict[str, Any]) -> None:
        if values["nesterov"] and values["momentum"] == 0:
            raise ValueError("nesterov: got True with a momentum of 0, expected a momentum above 0")
        if values["nesterov"] and values["dampening"]:
            raise ValueError(f"nesterov: got True with a dampening of {values['dampening']}, expected a dampening of 0")
