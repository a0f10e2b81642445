"""What is minimised: a loss of scikit-learn as one of fastnn's, or a loss of fastnn itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.losses import ChosenLoss, Loss


@dataclass(frozen=True)
class Objective:
    """A loss of the net's outputs.

    loss : what `fastnn.MLP` takes. scale : so many times the net's loss is what is minimised: scikit-learn sums over
    the outputs of a row, and most losses of fastnn are means over them. reported : so many times what is minimised is
    what scikit-learn calls the loss. minimum : the least loss (n,) of rows with targets t (n, outputs), where the loss
    of scikit-learn is what exceeds it; or None.
    """

    loss: ChosenLoss
    scale: float = 1.0
    reported: float = 1.0
    minimum: Callable[[NDArray], NDArray] | None = None

    @property
    def out_activation(self) -> str:
        """scikit-learn's name of what turns the last layer's output into the prediction."""
        return {"sigmoid": "logistic", "sign": "identity"}.get(self.loss.item.output, self.loss.item.output)


def cross_entropy(outputs: int, softmax: bool) -> Objective:
    """scikit-learn's "log_loss": of classes, or else of outputs that are yes or no."""
    if softmax:
        return Objective(ChosenLoss.find("loss", "softmax_cross_entropy"))
    return Objective(ChosenLoss.find("loss", "sigmoid_cross_entropy"), scale=outputs)


def squared_error(outputs: int) -> Objective:
    """scikit-learn's "squared_error": what it reports is the mean over outputs, whose sum its gradient is of."""
    return Objective(ChosenLoss.find("loss", "sum_squared_error"), reported=1.0 / outputs)


def poisson(t: NDArray) -> Objective:
    """scikit-learn's "poisson", half of the deviance of the targets t (n, outputs).

    Raises ValueError for a target below 0.
    """
    if t.min() < 0:
        raise ValueError(f"y: got {t.min():g}, expected counts of at least 0 with the loss 'poisson'")
    return Objective(ChosenLoss.find("loss", "poisson"), scale=t.shape[1], minimum=_least_poisson)


def _least_poisson(t: NDArray) -> NDArray:
    """Σ t - t log t, where 0 log 0 is 0."""
    return (t - t * np.log(np.where(t > 0, t, 1))).sum(axis=1)


def own_loss(value: Any, outputs: Sequence[str]) -> Objective:
    """A loss of fastnn as `fastnn.MLP` takes it.

    Raises ValueError or TypeError naming the loss for any other, and where `outputs` are not what it is of.
    """
    chosen = ChosenLoss.find("loss", value)
    if chosen.item.output not in outputs:
        names = sorted(name for name, item in Loss.by_name.items() if item.output in outputs)
        raise ValueError(
            f"loss: got {value!r}, expected one of {', '.join(map(repr, names))}, alone or with its options"
        )
    return Objective(chosen)
