"""Optimizer updates in place, as `torch.optim` defines them, and optimizers that keep their own state.

Without weight decay the gradient is taken as it is, so that an infinite weight does not spoil it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def _decayed(g: NDArray, w64: NDArray, weight_decay: float) -> NDArray:
    g64 = g.astype(np.float64)
    return g64 + weight_decay * w64 if weight_decay else g64


def sgd_update(w: NDArray, g: NDArray, *, lr: float, weight_decay: float = 0.0) -> None:
    """w ← w - lr (g + weight_decay w)."""
    w64 = w.astype(np.float64)
    w[...] = w64 - lr * _decayed(g, w64, weight_decay)


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
    """g' = g + weight_decay w; v ← momentum v + g'; w ← w - lr v, or w - lr (g' + momentum v) with Nesterov."""
    w64, v64 = w.astype(np.float64), velocity.astype(np.float64)
    g64 = _decayed(g, w64, weight_decay)
    v64 = momentum * v64 + g64
    velocity[...] = v64
    w[...] = w64 - lr * (g64 + momentum * v64 if nesterov else v64)


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
    """g' = g + weight_decay w; m ← β₁m + (1-β₁)g'; v ← β₂v + (1-β₂)g'²; w ← w - lr m̂ / (√v̂ + eps),
    m̂ = m / (1 - β₁^step), v̂ = v / (1 - β₂^step)."""
    w64, m64, v64 = w.astype(np.float64), m.astype(np.float64), v.astype(np.float64)
    g64 = _decayed(g, w64, weight_decay)
    m64 = beta1 * m64 + (1 - beta1) * g64
    v64 = beta2 * v64 + (1 - beta2) * g64 * g64
    m[...], v[...] = m64, v64
    m_hat, v_hat = m64 / (1 - beta1**step), v64 / (1 - beta2**step)
    w[...] = w64 - lr * m_hat / (np.sqrt(v_hat) + eps)


class SGD:
    """Stochastic gradient descent over a list of arrays, which `step` updates in place."""

    def __init__(self, lr: float, momentum: float = 0.0, nesterov: bool = False, weight_decay: float = 0.0) -> None:
        self.lr, self.momentum, self.nesterov, self.weight_decay = lr, momentum, nesterov, weight_decay
        self._velocities: list[NDArray] | None = None

    def step(self, weights: list[NDArray], gradients: list[NDArray]) -> None:
        """Update each array of `weights`."""
        if self._velocities is None:
            self._velocities = [np.zeros_like(w) for w in weights]
        for w, g, velocity in zip(weights, gradients, self._velocities, strict=True):
            momentum_update(
                w,
                g,
                velocity,
                lr=self.lr,
                momentum=self.momentum,
                nesterov=self.nesterov,
                weight_decay=self.weight_decay,
            )


class Adam:
    """Adam (Kingma and Ba, 2015) over a list of arrays, which `step` updates in place."""

    def __init__(
        self,
        lr: float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        self.lr, self.beta1, self.beta2, self.eps, self.weight_decay = lr, beta1, beta2, eps, weight_decay
        self._moments: list[tuple[NDArray, NDArray]] | None = None
        self._step = 0

    def step(self, weights: list[NDArray], gradients: list[NDArray]) -> None:
        """Update each array of `weights`."""
        if self._moments is None:
            self._moments = [(np.zeros_like(w), np.zeros_like(w)) for w in weights]
        self._step += 1
        for w, g, (m, v) in zip(weights, gradients, self._moments, strict=True):
            adam_update(
                w,
                g,
                m,
                v,
                step=self._step,
                lr=self.lr,
                beta1=self.beta1,
                beta2=self.beta2,
                eps=self.eps,
                weight_decay=self.weight_decay,
            )
