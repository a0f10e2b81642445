"""Adam (Kingma and Ba, Adam: a method for stochastic optimization, 2015), AMSGrad (Reddi, Kale and Kumar, On the
convergence of Adam and beyond, 2018) and AdamW (Loshchilov and Hutter, Decoupled weight decay regularization, 2019)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastnn.intrinsics import maximum, square_root_times
from fastnn.jit import scalar
from fastnn.ops.arguments import Gradient, NotNegative, flag, fraction, not_negative, step_number
from fastnn.optimizers import magnitudes
from fastnn.optimizers.base import Hyper, Optimizer, learning_rate
from fastnn.optimizers.rule import UpdateRule, decoupled, update_rule
from fastnn.reference.optimizers import decayed, mean_of


@scalar
def _constants(step, hyper):
    # m̂ / (√v̂ + eps) is m / (1 - β₁ᵗ) / (√v / √(1 - β₂ᵗ) + eps), whose factors all go below the line.
    lr, beta1, beta2, eps, weight_decay = hyper
    rate = lr / (1 - beta1**step)
    # A rate of 0 divides by infinity. A tiny rate must not: infinity times a moment of zero would be NaN.
    of_root = min(1 / np.sqrt(1 - beta2**step) / rate, 1e300) if lr > 0 else 1.0
    small = min(eps / rate, 1e300) if lr > 0 else np.inf
    return weight_decay, beta1, 1 - beta1, beta2, 1 - beta2, of_root, small


@scalar
def _rule(g, moments, c):
    m, v = moments
    beta1, rest1, beta2, rest2, of_root, eps = c
    m = beta1 * m + rest1 * g
    v = beta2 * v + rest2 * (g * g)
    return (m, v), m, square_root_times(v, of_root) + eps


@scalar
def _amsgrad(g, moments, c):
    m, v, largest = moments
    (m, v), _, _ = _rule(g, (m, v), c)
    largest = maximum(largest, v)
    return (m, v, largest), m, square_root_times(largest, c[4]) + c[5]


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
    # The largest of none is v itself.
    _amsgrad_reference(
        w, g, m, v, np.zeros(v.shape), step=step, lr=lr, beta1=beta1, beta2=beta2, eps=eps, weight_decay=weight_decay
    )


def _amsgrad_reference(
    w: NDArray,
    g: NDArray,
    m: NDArray,
    v: NDArray,
    largest: NDArray,
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
    largest64 = np.maximum(largest.astype(np.float64), v64)
    m[...], v[...], largest[...] = m64, v64, largest64
    m_hat, v_hat = m64 / (1 - beta1**step), largest64 / (1 - beta2**step)
    w[...] = w64 - lr * m_hat / (np.sqrt(v_hat) + eps)


def _magnitude(
    w: NDArray,
    g: NDArray,
    m: NDArray,
    v: NDArray,
    *largest: NDArray,
    step: int,
    lr: float = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> tuple[NDArray, ...]:
    gradient, exact_gradient = magnitudes.of_gradient(w, g, weight_decay)
    first = beta1 * np.abs(m) + (1 - beta1) * gradient
    second, exact = (beta2 * v + (1 - beta2) * size**2 for size in (gradient, exact_gradient))
    kept = [np.maximum(own, second) for own in largest]
    # Where the gradient and the decay cancel, v keeps few digits, and the step with it.
    cancelled = magnitudes.lost(second, exact)
    for own in largest:
        exact = np.maximum(own, exact)
    moved = lr * first / (1 - beta1**step) / (np.sqrt(exact / (1 - beta2**step)) + eps)
    return np.abs(w) + moved * cancelled, first, second, *kept


NUMBERS = {
    "step": step_number,
    "lr": not_negative,
    "beta1": fraction,
    "beta2": fraction,
    "eps": not_negative,
    "weight_decay": not_negative,
}
DEFAULTS = {"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0}
_EXAMPLE = {"step": 3, "lr": 0.1, "weight_decay": 0.01}

adam_update = update_rule(
    "adam_update",
    formula=(
        "Adam (Kingma and Ba, 2015), as `torch.optim.Adam`, the L2 penalty in the gradient.",
        "",
        "g' = g + weight_decay w; m ← β₁m + (1-β₁)g'; v ← β₂v + (1-β₂)g'²; w ← w - lr m̂ / (√v̂ + eps) with",
        "m̂ = m / (1 - β₁^step), v̂ = v / (1 - β₂^step).",
    ),
    moments={"m": Gradient(), "v": NotNegative()},
    numbers=NUMBERS,
    defaults=DEFAULTS,
    constants=_constants,
    rule=_rule,
    n_constants=6,
    divides=True,
    reference=_reference,
    magnitude=_magnitude,
    flops=14,
    ulps=8,
    example=_EXAMPLE,
)

adam_amsgrad_update = update_rule(
    "adam_amsgrad_update",
    formula=(
        "AMSGrad (Reddi, Kale and Kumar, 2018), as `torch.optim.Adam` with amsgrad: `adam_update` with the largest v",
        "of all steps.",
        "",
        "m and v as there; largest ← max(largest, v); w ← w - lr m̂ / (√(largest / (1 - β₂^step)) + eps).",
    ),
    moments={"m": Gradient(), "v": NotNegative(), "largest": NotNegative()},
    numbers=NUMBERS,
    defaults=DEFAULTS,
    constants=_constants,
    rule=_amsgrad,
    n_constants=6,
    divides=True,
    reference=_amsgrad_reference,
    magnitude=_magnitude,
    flops=15,
    ulps=8,
    example=_EXAMPLE,
)

adamw_update = decoupled(
    adam_update,
    "adamw_update",
    (
        "AdamW (Loshchilov and Hutter, 2019), as `torch.optim.AdamW`: Adam, its weight decay apart from the gradient.",
        "",
        "m ← β₁m + (1-β₁)g; v ← β₂v + (1-β₂)g²; w ← w (1 - lr weight_decay) - lr m̂ / (√v̂ + eps) with",
        "m̂ = m / (1 - β₁^step), v̂ = v / (1 - β₂^step).",
    ),
    1e-2,
)

adamw_amsgrad_update = decoupled(
    adam_amsgrad_update,
    "adamw_amsgrad_update",
    (
        "AdamW with AMSGrad, as `torch.optim.AdamW` with amsgrad: `adamw_update` with the largest v of all steps.",
        "",
        "m and v as there; largest ← max(largest, v);",
        "w ← w (1 - lr weight_decay) - lr m̂ / (√(largest / (1 - β₂^step)) + eps).",
    ),
    1e-2,
)


class Adam(Optimizer):
    """Adam (Kingma and Ba, 2015), as `torch.optim.Adam`.

    g' = g + weight_decay w; m ← β₁m + (1-β₁)g'; v ← β₂v + (1-β₂)g'²; w ← w - lr m̂ / (√v̂ + eps) with the
    bias-corrected m̂ = m / (1 - β₁^step) and v̂ = v / (1 - β₂^step). With amsgrad the largest v of all steps takes the
    place of v in v̂ (Reddi, Kale and Kumar, 2018).
    """

    lr = Hyper(1e-3, learning_rate)
    beta1 = Hyper(0.9, fraction)
    beta2 = Hyper(0.999, fraction)
    eps = Hyper(1e-8, not_negative)
    weight_decay = Hyper(0.0, not_negative)
    amsgrad = Hyper(False, flag)

    @property
    def rule(self) -> UpdateRule:
        """With the largest second moment or the last."""
        return adam_amsgrad_update if self.amsgrad else adam_update


class AdamW(Adam):
    """AdamW (Loshchilov and Hutter, 2019), as `torch.optim.AdamW`: Adam, with a weight decay apart from the gradient.

    m ← β₁m + (1-β₁)g; v ← β₂v + (1-β₂)g²; w ← w (1 - lr weight_decay) - lr m̂ / (√v̂ + eps) with the bias-corrected
    m̂ = m / (1 - β₁^step) and v̂ = v / (1 - β₂^step). With amsgrad the largest v of all steps takes the place of v in v̂.
    Biases decay too, as they do in PyTorch.
    """

    weight_decay = Hyper(1e-2, not_negative)

    @property
    def rule(self) -> UpdateRule:
        """With the largest second moment or the last."""
        return adamw_amsgrad_update if self.amsgrad else adamw_update
