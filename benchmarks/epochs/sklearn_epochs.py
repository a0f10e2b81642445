"""scikit-learn's MLPClassifier: one partial_fit on all rows is one epoch."""

from __future__ import annotations

from dataclasses import replace

from numpy.typing import NDArray

from benchmarks.epochs.base import EpochPeer
from benchmarks.epochs.cases import EpochCase
from benchmarks.peers.sklearn_mlp import SklearnMLP


class SklearnEpochs(EpochPeer):
    """It has no dropout: models that drop are trained without."""

    formulation = SklearnMLP.formulation

    def __init__(self, case: EpochCase, weights: list[NDArray], x: NDArray, t: NDArray) -> None:
        self._peer = SklearnMLP(replace(case, model=replace(case.model, dropout=0.0)), weights, [])
        self._x, self._t = x, t

    def epoch(self, order: NDArray | None) -> float:
        if order is None:
            return self._peer.train(self._x, self._t, shuffle=True)
        return self._peer.train(self._x[order], self._t[order], shuffle=False)

    def weights(self) -> list[NDArray]:
        return self._peer.weights()
