"""The loss and metrics of a net over a data set, chunk by chunk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastnn.ops import DECLARED
from fastnn.training.metrics import Metric
from fastnn.training.predicted import Predicted
from fastnn.training.sources import Source

if TYPE_CHECKING:
    from fastnn.mlp import MLP

# Elements of the widest layer in one chunk of rows: 16 MB in float32.
_CHUNK = 1 << 22


def evaluate(net: MLP, source: Source, metrics: Sequence[Metric]) -> dict[str, float]:
    """The loss and these metrics over all rows of the source, by their names; see `MLP.evaluate`."""
    loss, counters = _LossOfRows(net), [(metric.name, metric.begin()) for metric in metrics]
    for rows in source.chunks(max(64, _CHUNK // max(net.sizes))):
        z = net.forward(rows.x)
        loss.add(z, rows.t, rows.sample_weight)
        if counters:
            predicted = Predicted(net, z, rows.t, rows.sample_weight)
            for _, counter in counters:
                counter.add(predicted)
    return {"loss": loss.result(), **{name: counter.result() for name, counter in counters}}


class _LossOfRows:
    """The net's loss over rows that come in chunks, as if they were one batch of a training step."""

    def __init__(self, net: MLP) -> None:
        self._net, self._choice = net, net._loss
        # A loss of a user's own may have no public function, but always a reference.
        self._loss: Any = DECLARED.get(self._choice.item.name, self._choice.item.reference)
        self._options = {name: value for name, value in self._choice.options.items() if name != "reduction"}
        self._total = self._divisor = 0.0

    def add(self, z: NDArray, t: NDArray, weights: NDArray | None) -> None:
        """Some more rows: their outputs, targets and weights."""
        counted = self._counted(t, weights)
        if counted == 0:
            return
        given = self._options if weights is None else {**self._options, "sample_weight": weights}
        if z.shape[1] == 1 and t.ndim == 1:
            z = z[:, 0]
        mean = float(self._loss(z, t, **given)[0])
        self._total += (mean * mean if self._choice.item.root else mean) * counted
        self._divisor += counted

    def _counted(self, t: NDArray, weights: NDArray | None) -> float:
        if weights is None and not self._choice.has_weights:
            return float(len(t))
        return float(self._choice.counted(t, weights).sum())

    def result(self) -> float:
        """The loss, with the penalty of the weights."""
        item = self._choice.item
        if self._choice.reduction == "sum":
            loss = self._total * item.terms_per_row(self._net.sizes[-1])
        else:
            loss = self._total / self._divisor if self._divisor else float("nan")
        return (float(np.sqrt(loss)) if item.root else loss) + self._penalty()

    def _penalty(self) -> float:
        own = self._net._regularization
        if not own.penalizes:
            return 0.0
        weights = [w.astype(float) for w in self._net.get_weights()[::2]]
        return sum(own.l1 * float(np.abs(w).sum()) + own.l2 * float((w * w).sum()) for w in weights)
