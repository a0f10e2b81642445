"""RMSprop (Tieleman and Hinton, Lecture 6.5, 2012), with momentum, and centered (Graves, Generating sequences with
recurrent neural networks, 2013)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastnn.intrinsics import maximum, square_root_times
from fastnn.jit import scalar
from fastnn.ops.arguments import Array, Gradient, NotNegative, flag, fraction, not_negative
from fastnn.optimizers import magnitudes
from fastnn.optimizers.base import Hyper, Optimizer, learning_rate
from fastnn.optimizers.rule import UpdateRule, update_rule
from fastnn.reference.optimizers import decayed, mean_of

# Of the centered variance: below this share of what it is a difference of, rounding may take all of its digits.
_NEXT_TO_NOTHING = 1e-5


@scalar
def _constants(step, hyper):
    lr, alpha, eps, weight_decay = hyper
    return weight_decay, alpha, 1 - alpha, lr, 1.0, eps


@scalar
def _rule(g, moments, c):
    alpha, rest, lr, one, eps = c
    v = alpha * moments[0] + rest * (g * g)
    return (v,), lr * g, square_root_times(v, one) + eps


@scalar
def _momentum_constants(step, hyper):
    lr, alpha, eps, momentum, weight_decay = hyper
    return weight_decay, alpha, 1 - alpha, lr, 1.0, eps, momentum


@scalar
def _momentum(g, moments, c):
    v, velocity = moments
    alpha, rest, lr, one, eps, momentum = c
    v = alpha * v + rest * (g * g)
    velocity = momentum * velocity + g / (square_root_times(v, one) + eps)
    return (v, velocity), lr * velocity, None


@scalar
def _centered(g, moments, c):
    v, velocity, mean = moments
    alpha, rest, lr, one, eps, momentum = c
    v = alpha * v + rest * (g * g)
    mean = alpha * mean + rest * g
    variance = maximum(v - mean * mean, one - one)
    velocity = momentum * velocity + g / (square_root_times(variance, one) + eps)
    return (v, velocity, mean), lr * velocity, None


def _reference(
    w: NDArray,
    g: NDArray,
    v: NDArray,
    *,
    lr: float = 1e-2,
    alpha: float = 0.99,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> None:
    w64 = w.astype(np.float64)
    g64 = decayed(g, w64, weight_decay)
    v64 = mean_of(v, g64 * g64, alpha)
    v[...] = v64
    w[...] = w64 - lr * g64 / (np.sqrt(v64) + eps)


def _momentum_reference(
    w: NDArray,
    g: NDArray,
    v: NDArray,
    velocity: NDArray,
    *,
    lr: float = 1e-2,
    alpha: float = 0.99,
    eps: float = 1e-8,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
) -> None:
    w64 = w.astype(np.float64)
    g64 = decayed(g, w64, weight_decay)
    v64 = mean_of(v, g64 * g64, alpha)
    velocity64 = momentum * velocity.astype(np.float64) + g64 / (np.sqrt(v64) + eps)
    v[...], velocity[...] = v64, velocity64
    w[...] = w64 - lr * velocity64


def _centered_reference(
    w: NDArray,
    g: NDArray,
    v: NDArray,
    velocity: NDArray,
    mean: NDArray,
    *,
    lr: float = 1e-2,
    alpha: float = 0.99,
    eps: float = 1e-8,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
) -> None:
    w64 = w.astype(np.float64)
    g64 = decayed(g, w64, weight_decay)
    v64, mean64 = mean_of(v, g64 * g64, alpha), mean_of(mean, g64, alpha)
    variance = np.maximum(v64 - mean64 * mean64, 0)
    velocity64 = momentum * velocity.astype(np.float64) + g64 / (np.sqrt(variance) + eps)
    v[...], velocity[...], mean[...] = v64, velocity64, mean64
    w[...] = w64 - lr * velocity64


def _magnitude(
    w: NDArray,
    g: NDArray,
    v: NDArray,
    velocity: NDArray | None = None,
    mean: NDArray | None = None,
    *,
    lr: float = 1e-2,
    alpha: float = 0.99,
    eps: float = 1e-8,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
) -> tuple[NDArray, ...]:
    largest, exact = magnitudes.of_gradient(w, g, weight_decay)
    second, variance = (alpha * v + (1 - alpha) * size**2 for size in (largest, exact))
    kept, cancelled = [second], magnitudes.lost(largest, exact)
    if mean is not None:
        first, exact_first = (
            alpha * np.abs(mean) + (1 - alpha) * largest,
            np.abs(alpha * mean + (1 - alpha) * (g + weight_decay * w)),
        )
        terms = second + 2 * first**2
        difference = variance - exact_first**2
        cancelled = cancelled * np.maximum(1, magnitudes.lost(terms, np.abs(difference)))
        # The root may then be anything between 0 and the exact one, or a little more.
        variance = np.where(difference < _NEXT_TO_NOTHING * terms, 0, difference)
        kept.append(first)
    delta = largest / (np.sqrt(variance) + eps) * cancelled
    if velocity is not None:
        delta = delta + momentum * np.abs(velocity)
        kept.insert(1, delta)
    return np.abs(w) + lr * delta, *kept


_NUMBERS = {"lr": not_negative, "alpha": fraction, "eps": not_negative, "weight_decay": not_negative}
_MOMENTUM_NUMBERS = {
    "lr": not_negative,
    "alpha": fraction,
    "eps": not_negative,
    "momentum": fraction,
    "weight_decay": not_negative,
}
_DEFAULTS = {"lr": 1e-2, "alpha": 0.99, "eps": 1e-8, "weight_decay": 0.0}

rmsprop_update = update_rule(
    "rmsprop_update",
    formula=(
        "RMSprop (Tieleman and Hinton, 2012), as `torch.optim.RMSprop` without momentum.",
        "",
        "g' = g + weight_decay w; v ← alpha v + (1-alpha) g'²; w ← w - lr g' / (√v + eps).",
    ),
    moments={"v": NotNegative()},
    numbers=_NUMBERS,
    defaults=_DEFAULTS,
    constants=_constants,
    rule=_rule,
    n_constants=5,
    divides=True,
    reference=_reference,
    magnitude=_magnitude,
    flops=10,
    # g' 1; v 4, its root half of that and 2, with eps 4.5; the numerator 2; the quotient and the difference 1.
    ulps=7.5,
    example={"lr": 0.1, "alpha": 0.9, "weight_decay": 0.01},
)

rmsprop_momentum_update = update_rule(
    "rmsprop_momentum_update",
    formula=(
        "RMSprop with momentum, as `torch.optim.RMSprop`.",
        "",
        "g' = g + weight_decay w; v ← alpha v + (1-alpha) g'²; velocity ← momentum velocity + g' / (√v + eps);",
        "w ← w - lr velocity.",
    ),
    moments={"v": NotNegative(), "velocity": Array()},
    numbers=_MOMENTUM_NUMBERS,
    defaults={**_DEFAULTS, "momentum": 0.0},
    constants=_momentum_constants,
    rule=_momentum,
    n_constants=6,
    divides=False,
    gradient=Gradient(),
    reference=_momentum_reference,
    magnitude=_magnitude,
    flops=12,
    # As above; the velocity has one operation more.
    ulps=8,
    example={"lr": 0.1, "alpha": 0.9, "momentum": 0.9, "weight_decay": 0.01},
)

rmsprop_centered_update = update_rule(
    "rmsprop_centered_update",
    formula=(
        "Centered RMSprop (Graves, 2013), with momentum or without, as `torch.optim.RMSprop`.",
        "",
        "g' = g + weight_decay w; v ← alpha v + (1-alpha) g'²; mean ← alpha mean + (1-alpha) g';",
        "velocity ← momentum velocity + g' / (√(v - mean²) + eps); w ← w - lr velocity. Where rounding makes v - mean²",
        "negative it is taken as 0, of which PyTorch makes NaN.",
    ),
    moments={"v": NotNegative(), "velocity": Array(), "mean": Gradient()},
    numbers=_MOMENTUM_NUMBERS,
    defaults={**_DEFAULTS, "momentum": 0.0},
    constants=_momentum_constants,
    rule=_centered,
    n_constants=6,
    divides=False,
    gradient=Gradient(),
    reference=_centered_reference,
    magnitude=_magnitude,
    flops=17,
    # v 4; mean 2.5, of which the magnitude of the difference has the square twice; the difference 0.5: its root half of
    # that and 2, with eps 5. The rest as above.
    ulps=8.5,
    example={"lr": 0.1, "alpha": 0.9, "momentum": 0.9, "weight_decay": 0.01},
)


class RMSprop(Optimizer):
    """RMSprop (Tieleman and Hinton, 2012), as `torch.optim.RMSprop`.

    g' = g + weight_decay w; v ← alpha v + (1-alpha) g'²; w ← w - lr g' / (√v + eps). With momentum velocity ← momentum
    velocity + g' / (√v + eps) and w ← w - lr velocity. Centered, the variance v - mean² takes the place of v, with
    mean ← alpha mean + (1-alpha) g'; where rounding makes it negative it is taken as 0, of which PyTorch makes NaN.
    """

    lr = Hyper(1e-2, learning_rate)
    alpha = Hyper(0.99, fraction)
    eps = Hyper(1e-8, not_negative)
    weight_decay = Hyper(0.0, not_negative)
    momentum = Hyper(0.0, fraction)
    centered = Hyper(False, flag)

    @property
    def rule(self) -> UpdateRule:
        """Centered or not, with momentum or without."""
        if self.centered:
            return rmsprop_centered_update
        return rmsprop_momentum_update if self.momentum else rmsprop_update
