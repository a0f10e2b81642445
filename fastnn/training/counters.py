"""How metrics are counted, chunk by chunk of a data set's rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastnn.training.predicted import Answers, Predicted

if TYPE_CHECKING:
    from fastnn.mlp import MLP


class Counter(ABC):
    """Counts one metric over the rows of a data set."""

    def check(self, argument: str, net: MLP) -> None:  # noqa: B027 (nothing to refuse, unless a metric says so)
        """Raises ValueError, naming the argument, for a net that cannot be measured by it."""

    @abstractmethod
    def add(self, rows: Predicted) -> None:
        """Take some more rows into account."""

    @abstractmethod
    def result(self) -> float:
        """The metric over all of them; NaN where there is none."""


class _Mean(Counter):
    """The mean over rows, weighted by their weights."""

    def __init__(self) -> None:
        self._sum = self._weight = 0.0

    def add(self, rows: Predicted) -> None:
        values = self.values(rows)
        if values.ndim == 2:
            values = values.mean(axis=1)
        if rows.weights is None:
            self._sum, self._weight = self._sum + float(values.sum(dtype=float)), self._weight + len(values)
        else:
            self._sum += float((rows.weights * values).sum())
            self._weight += float(rows.weights.sum())

    @abstractmethod
    def values(self, rows: Predicted) -> NDArray:
        """Of each row, or of each row's outputs."""

    def result(self) -> float:
        return self._sum / self._weight if self._weight else float("nan")


def _refuse(argument: str, net: MLP, expected: str) -> None:
    raise ValueError(f"{argument}: a net with the loss {net._loss.item.name} has none, expected {expected}")


class Accuracy(_Mean):
    """The fraction of right predictions: of rows, or with several outputs that are each 0 or 1 of outputs.

    Of a loss of values, the fraction of rows whose largest output is where the one of a one-hot row is.
    """

    def check(self, argument: str, net: MLP) -> None:
        output = net._loss.item.output
        if output == "exp" or (output == "identity" and net.sizes[-1] == 1):
            _refuse(argument, net, "one of classes; measure it by 'r2' or 'mean_absolute_error'")

    def values(self, rows: Predicted) -> NDArray:
        if rows.output == "identity":
            t = rows.t
            if not (np.isin(t, (0, 1)).all() and (t.sum(axis=1) == 1).all()):
                raise ValueError("metrics: got 'accuracy' where rows of t are not one-hot, expected a metric of values")
            return rows.z.argmax(axis=1) == rows.labels
        return rows.answers.prediction == rows.answers.truth


class Error(Accuracy):
    """The fraction of wrong predictions."""

    def values(self, rows: Predicted) -> NDArray:
        return ~super().values(rows)


class TopK(_Mean):
    """The fraction of rows whose label is among the k largest outputs; of equal ones the first count as larger."""

    def __init__(self, k: int = 5) -> None:
        super().__init__()
        self._k = k

    def check(self, argument: str, net: MLP) -> None:
        if net._loss.item.output != "softmax":
            _refuse(argument, net, "a net with a softmax")
        if self._k > net.sizes[-1]:
            raise ValueError(f"{argument}: got k = {self._k}, expected at most the {net.sizes[-1]} outputs of the net")

    def values(self, rows: Predicted) -> NDArray:
        z, labels = rows.z, rows.labels
        own = z[np.arange(len(z)), labels][:, np.newaxis]
        # Not z > own: a NaN shall never be right.
        ahead = ~(z <= own)
        ahead |= (z == own) & (np.arange(z.shape[1]) < labels[:, np.newaxis])
        return ahead.sum(axis=1) < self._k


class _OfValues(_Mean):
    def check(self, argument: str, net: MLP) -> None:
        if net._loss.item.output not in ("identity", "exp"):
            _refuse(argument, net, "a net that predicts values; measure this one by 'accuracy'")

    def values(self, rows: Predicted) -> NDArray:
        return self.of_errors(rows.answers.prediction - rows.answers.truth.astype(float))

    @abstractmethod
    def of_errors(self, errors: NDArray) -> NDArray:
        """The values of errors in float64."""


class MeanAbsoluteError(_OfValues):
    """The mean of |prediction - t|, over outputs too."""

    def of_errors(self, errors: NDArray) -> NDArray:
        return np.abs(errors)


class MeanSquaredError(_OfValues):
    """The mean of (prediction - t)², over outputs too."""

    def of_errors(self, errors: NDArray) -> NDArray:
        return errors * errors


class RootMeanSquaredError(MeanSquaredError):
    """Its root."""

    def result(self) -> float:
        return float(np.sqrt(super().result()))


class R2(Counter):
    """1 - Σ(prediction - t)² / Σ(t - mean t)², the mean over outputs, as `sklearn.metrics.r2_score`.

    For an output whose targets are all equal 1 where it is met exactly, else 0. NaN of fewer than two rows.
    """

    def __init__(self) -> None:
        self._first: NDArray | None = None
        self._n = 0
        self._sums = np.zeros(3)

    def check(self, argument: str, net: MLP) -> None:
        if net._loss.item.output not in ("identity", "exp"):
            _refuse(argument, net, "a net that predicts values; measure this one by 'accuracy'")

    def add(self, rows: Predicted) -> None:
        n = len(rows.z)
        if n == 0:
            return
        t, prediction = (a.reshape(n, -1).astype(float) for a in (rows.answers.truth, rows.answers.prediction))
        if self._first is None:
            self._first, self._sums = t[:1].copy(), np.zeros((4, t.shape[1]))
        w = np.ones((n, 1)) if rows.weights is None else rows.weights[:, np.newaxis]
        # Around the first row: the squares of large numbers would lose the digits that differ.
        moved = t - self._first
        self._n += n
        self._sums += [
            (w + 0 * t).sum(axis=0), (w * moved).sum(axis=0), (w * moved**2).sum(axis=0),
            (w * (prediction - t) ** 2).sum(axis=0),
        ]  # fmt: skip

    def result(self) -> float:
        if self._n < 2 or not self._sums[0].all():
            return float("nan")
        weight, total, squares, left = self._sums
        spread = squares - total**2 / weight
        with np.errstate(divide="ignore", invalid="ignore"):
            scores = np.where(spread > 0, 1 - left / spread, np.where(left == 0, 1.0, 0.0))
        return float(scores.mean())


class OfAll(Counter):
    """A function of all rows at once: their outputs are kept, which takes as much memory as the net's predictions.

    measure : of the net and the answers to all rows, to a number.
    """

    def __init__(self, name: str, measure: Callable[[MLP, Answers], Any]) -> None:
        self._name, self._measure = name, measure
        self._net: MLP | None = None
        self._kept: list[Answers] = []

    def add(self, rows: Predicted) -> None:
        self._net = rows.net
        self._kept.append(rows.answers)

    def result(self) -> float:
        if self._net is None:
            return float("nan")
        z, truth, prediction, weights = zip(*self._kept, strict=True)
        joined = None if weights[0] is None else np.concatenate(weights)
        answers = Answers(np.concatenate(z), np.concatenate(truth), np.concatenate(prediction), joined)
        number = self._measure(self._net, answers)
        try:
            return float(number)
        except (TypeError, ValueError):
            raise TypeError(f"metrics: got {number!r} from {self._name!r}, expected a number") from None
