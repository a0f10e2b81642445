"""Optimizers: hyper-parameters that can be changed between steps, and the state kept for each net they train."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from fastnn.alloc import aligned_zeros, row_apart
from fastnn.kernels import optimizers as kernels
from fastnn.ops.arguments import flag, not_negative, positive, share


class _HyperParameter:
    """An attribute kept as a number in `Optimizer.hyper`, where the training step reads it, and checked when set."""

    def __init__(self, index: int, check: Callable[[str, Any], Any]) -> None:
        self._index, self._check = index, check

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, optimizer: Optimizer | None, owner: type | None = None) -> Any:
        return self if optimizer is None else optimizer.hyper[self._index].item()

    def __set__(self, optimizer: Optimizer, value: Any) -> None:
        optimizer.hyper[self._index] = self._check(self._name, value)


@dataclass
class State:
    """What an optimizer keeps for one net: `moments` (k, parameters or more), and `steps` (1,), how many were made.

    The training step itself counts.
    """

    moments: NDArray
    steps: NDArray


class Optimizer:
    """Base of the optimizers. One optimizer can train several nets; each has its own state."""

    moments = 2
    code: int  # How the training step names it.

    def __init__(self) -> None:
        self.hyper = np.zeros(8)
        self._states: WeakKeyDictionary[Any, State] = WeakKeyDictionary()

    def state(self, net: Any, parameters: NDArray) -> State:
        """The state kept for `net`, zero before its first step."""
        found = self._states.get(net)
        if found is None:
            shape = self.moments, row_apart(parameters.size, parameters.dtype)
            moments = aligned_zeros(shape, parameters.dtype, part=1)
            # Of two threads at once the later gets what the earlier made.
            found = self._states.setdefault(net, State(moments, np.zeros(1, np.int64)))
        return found


class SGD(Optimizer):
    """Stochastic gradient descent, as `torch.optim.SGD`.

    g' = g + weight_decay w; v ← momentum v + g'; w ← w - lr v, or w - lr (g' + momentum v) with Nesterov.
    Without momentum w ← w - lr g'. Raises ValueError for Nesterov without momentum, as PyTorch does.
    """

    lr = _HyperParameter(0, positive)
    momentum = _HyperParameter(1, share)
    nesterov = _HyperParameter(2, flag)
    weight_decay = _HyperParameter(3, not_negative)

    code = kernels.SGD

    def __init__(
        self, lr: float = 1e-3, momentum: float = 0.0, nesterov: bool = False, weight_decay: float = 0.0
    ) -> None:
        super().__init__()
        self.lr, self.momentum, self.nesterov, self.weight_decay = lr, momentum, nesterov, weight_decay
        if nesterov and momentum == 0:
            raise ValueError(f"nesterov: got True with momentum {momentum}, expected a momentum above 0")

    def __repr__(self) -> str:
        return (
            f"SGD(lr={self.lr}, momentum={self.momentum}, nesterov={bool(self.nesterov)}, "
            f"weight_decay={self.weight_decay})"
        )


class Adam(Optimizer):
    """Adam (Kingma and Ba, 2015), as `torch.optim.Adam`.

    g' = g + weight_decay w; m ← β₁m + (1-β₁)g'; v ← β₂v + (1-β₂)g'²; w ← w - lr m̂ / (√v̂ + eps) with the
    bias-corrected m̂ = m / (1 - β₁^step) and v̂ = v / (1 - β₂^step).
    """

    lr = _HyperParameter(0, positive)
    beta1 = _HyperParameter(1, share)
    beta2 = _HyperParameter(2, share)
    eps = _HyperParameter(3, not_negative)
    weight_decay = _HyperParameter(4, not_negative)

    code = kernels.ADAM

    def __init__(
        self,
        lr: float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__()
        self.lr, self.beta1, self.beta2, self.eps, self.weight_decay = lr, beta1, beta2, eps, weight_decay

    def __repr__(self) -> str:
        return (
            f"Adam(lr={self.lr}, beta1={self.beta1}, beta2={self.beta2}, eps={self.eps}, "
            f"weight_decay={self.weight_decay})"
        )
