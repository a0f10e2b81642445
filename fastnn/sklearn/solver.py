"""The optimizer of a fit, and how its learning rate follows scikit-learn's schedules."""

from __future__ import annotations

import copy
from typing import Any

from fastnn.mlp import MLP
from fastnn.optimizers import Optimizer
from fastnn.sklearn.parameters import STOCHASTIC

# At this rate or below "adaptive" does not divide it again, but stops.
_LEAST_RATE = 1e-6


def optimizer_of(model: Any, scale: float) -> Optimizer:
    """A new optimizer with an estimator's parameters.

    scale : of the objective. scikit-learn's solvers see the gradient of all of it, and these that of the net's loss:
    SGD moves so many times as far, and Adam knows no difference but in its epsilon.
    """
    if isinstance(model.solver, Optimizer):
        # Each fit starts anew, and leaves the parameter as it is.
        return type(model.solver)(**{name: copy.deepcopy(value) for name, value in model.solver.values.items()})
    rate = float(model.learning_rate_init)
    if model.solver == "sgd":
        momentum = float(model.momentum)
        return STOCHASTIC["sgd"](
            lr=rate * scale, momentum=momentum, nesterov=bool(model.nesterovs_momentum and momentum > 0)
        )
    if model.solver == "adam":
        return STOCHASTIC["adam"](
            lr=rate, beta1=float(model.beta_1), beta2=float(model.beta_2), eps=float(model.epsilon) / scale
        )
    return STOCHASTIC[model.solver](lr=rate)


class Solver:
    """An optimizer, and what becomes of its learning rate between the epochs.

    learning_rate : as it is now, in scikit-learn's terms.
    """

    def __init__(self, model: Any, net: MLP, scale: float) -> None:
        self.net, self.optimizer = net, optimizer_of(model, scale)
        self._scale = scale if model.solver == "sgd" else 1.0
        self._schedule = model.learning_rate if model.solver == "sgd" else "constant"
        self._initial, self._power = float(model.learning_rate_init), float(model.power_t)

    @property
    def learning_rate(self) -> Any:
        """What the next step is taken with; a schedule where the user's own optimizer has one."""
        lr = self.optimizer.values["lr"]
        return lr if callable(lr) else lr / self._scale

    def epoch_ends(self, rows: int) -> None:
        """After an epoch; rows : how many were trained on so far."""
        if self._schedule == "invscaling":
            self._set(self._initial / (rows + 1) ** self._power)

    def stops(self, message: str, verbose: Any) -> bool:
        """Whether training stops where it makes no progress; or else it goes on with a smaller learning rate."""
        if self._schedule == "adaptive" and self.learning_rate > _LEAST_RATE:
            self._set(self.learning_rate / 5.0)
            what = f" Setting learning rate to {self.learning_rate:f}"
        else:
            what = " Learning rate too small. Stopping." if self._schedule == "adaptive" else " Stopping."
        if verbose:
            print(message + what)
        return what.endswith("Stopping.")

    def _set(self, rate: float) -> None:
        """scikit-learn's momentum is of what was subtracted, learning rate included, and fastnn's of gradients."""
        before = self.learning_rate
        self.optimizer.lr = rate * self._scale
        for moment in self.optimizer.state(self.net).moments:
            moment *= before / rate
