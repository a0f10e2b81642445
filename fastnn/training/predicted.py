"""What a net says of some rows, beside what is true of them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from fastnn.mlp import MLP


class Answers(NamedTuple):
    """Outputs z (n, outputs) of the last layer; the truth and the prediction, of one shape, (n,) or (n, outputs); and
    the weights (n,) of the rows, or None where all weigh 1."""

    z: NDArray
    truth: NDArray
    prediction: NDArray
    weights: NDArray | None


class Predicted:
    """The outputs z (n, outputs) of some rows, with their targets t as the net takes them, and weights or None.

    Rows whose label the net's loss ignores are left out.
    """

    def __init__(self, net: MLP, z: NDArray, t: NDArray, weights: NDArray | None) -> None:
        ignored = net._loss.ignore_label
        if ignored is not None and t.ndim == 1 and t.dtype.kind == "i":
            kept = t != ignored
            if not kept.all():
                z, t, weights = z[kept], t[kept], None if weights is None else weights[kept]
        self.net, self.z, self.t, self.weights = net, z, t, weights

    @property
    def output(self) -> str:
        """What the net predicts: see `fastnn.Loss`."""
        return self.net._loss.item.output

    @cached_property
    def answers(self) -> Answers:
        """The truth beside the prediction, as `MLP.predict` gives it; with one output both are (n,)."""
        prediction = self.net._predicted(self.z)
        if prediction.ndim == 2 and prediction.shape[1] == 1:
            prediction = prediction[:, 0]
        return Answers(self.z, self._truth(), prediction, self.weights)

    def _truth(self) -> NDArray:
        t = self.labels if self.output == "softmax" else self.t
        if t.ndim == 2 and t.shape[1] == 1:
            t = t[:, 0]
        if self.output == "sigmoid":
            return (t > 0.5).astype(np.int64)
        return t.astype(np.int64) if self.output == "sign" else t

    @property
    def labels(self) -> NDArray:
        """The labels (n,) of rows of one class each: of rows of targets the column of the largest."""
        return self.t if self.t.ndim == 1 else self.t.argmax(axis=1)
