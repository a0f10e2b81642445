"""What every peer of this race implements: one model that is trained epoch by epoch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from benchmarks.cases import Case
from benchmarks.epochs.cases import EpochCase
from benchmarks.peers.base import Formulation, require_plain


class EpochPeer(ABC):
    """An epoch as users of one library write it.

    The constructor is not timed: it converts rows and weights. `epoch` is timed, and the `steps` that the worker asks
    for are epochs, each in a new order.
    """

    formulation = Formulation()

    @abstractmethod
    def __init__(self, case: EpochCase, weights: list[NDArray], x: NDArray, t: NDArray) -> None:
        """A model with its optimizer, from a copy of `weights` ([w1 (i, o), b1 (o,), ...]).

        x (rows, i) in the case's dtype and t (rows,) int64 are the peer's own to keep.
        """

    @abstractmethod
    def epoch(self, order: NDArray | None) -> Any:
        """Train on every row once, in that order, or drawing one as the library's users do; returns the mean loss."""

    def steps(self, first: int, count: int) -> Any:
        """So many epochs; returns what the last one did."""
        for _ in range(count):
            value = self.epoch(None)
        return value

    def synchronise(self, value: Any) -> None:
        """Wait until the epoch that returned `value` has been computed."""
        return

    def loss(self, value: Any) -> float:
        """The mean loss over the rows, each before the update of its batch (nats)."""
        return float(value)

    @abstractmethod
    def weights(self) -> list[NDArray]:
        """[w1 (i, o), b1 (o,), w2, b2, ...] as they are now."""


def require_plain_loss(case: Case) -> None:
    """For peers that train with the softmax cross-entropy and nothing more, but for dropout."""
    require_plain(replace(case, model=replace(case.model, dropout=0.0)))
