"""What every peer implements: one model, trained step by step on batches that it holds in its own form."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.cases import Case
from benchmarks.peers import Unavailable

Batch = tuple[NDArray, NDArray]  # x (n, i) in the case's dtype, labels (n,) int64


@dataclass(frozen=True)
class Formulation:
    """Where a peer by its own definition computes something else than the reference does.

    The reference trajectory is computed in the peer's formulation, so that its tolerance need not be widened.
    """

    loss_epsilon: float = 0.0  # added to the probability inside the loss's logarithm (the gradient is without it)
    adam_epsilon: float = 1e-8  # Adam divides by sqrt(v) + adam_epsilon ...
    epsilon_after_correction: bool = True  # ... with v bias-corrected, or (False) before its correction


class Peer(ABC):
    """A training step as users of one library write it.

    `prepare`, the constructor, `ready` and `restart` are not timed: they convert the rows and the weights and allocate
    what a user would allocate once; a constructed peer is ready to step. `steps` is timed: forward, loss, backward and
    update, batch after batch.
    """

    formulation = Formulation()
    in_one_call = False  # whether its library makes all of `steps` in one call

    @classmethod
    def prepare(cls, case: Case, batches: list[Batch]) -> list[Any]:
        """The batches in the library's own form."""
        return batches

    @abstractmethod
    def __init__(self, case: Case, weights: list[NDArray], inputs: list[Any]) -> None:
        """A model with its optimizer, from a copy of `weights` ([w1 (i, o), b1 (o,), ...]) and `prepare`'s result."""

    @abstractmethod
    def restart(self) -> None:
        """Back to the initial weights and an optimizer that has made no step; not timed."""

    @abstractmethod
    def step(self, k: int) -> Any:
        """Train on batch k, counted round and round; returns the loss before the update, perhaps not yet computed."""

    def steps(self, first: int, count: int) -> Any:
        """Train on `count` batches from batch `first` on; returns what `synchronise` takes."""
        for k in range(first, first + count):
            value = self.step(k)
        return value

    def ready(self, count: int) -> None:
        """Compile what a call of `count` steps needs, if that depends on their number."""
        return

    def synchronise(self, value: Any) -> None:
        """Wait until the steps that returned `value`, the last update included, have been computed."""
        return

    def loss(self, value: Any) -> float:
        """The mean loss (nats) that a step returned."""
        return float(value)

    def first_losses(self, count: int) -> list[float]:
        """Make the first `count` steps of the training as `steps` does; the mean loss (nats) of each, before its
        update."""
        return [self.loss(self.step(k)) for k in range(count)]

    @abstractmethod
    def weights(self) -> list[NDArray]:
        """[w1 (i, o), b1 (o,), w2, b2, ...] as they are now."""


T = TypeVar("T")


def own(table: Mapping[str, T], kind: str, name: str) -> T:
    """What a peer has under that name; Unavailable where it has nothing."""
    if name not in table:
        raise Unavailable(f"has no {kind} {name}")
    return table[name]


def require_plain(case: Case) -> None:
    """For peers whose code is written out for the softmax cross-entropy and nothing more."""
    model = case.model
    if model.loss != "softmax_cross_entropy" or model.label_smoothing or model.dropout or model.clip_norm:
        raise Unavailable("written for the plain softmax cross-entropy, without dropout and clipping")


def one_hot(labels: NDArray, classes: int, dtype: str) -> NDArray:
    """Labels (n,) as rows (n, classes) of zeros with a one."""
    rows = np.zeros((len(labels), classes), dtype)
    rows[np.arange(len(labels)), labels] = 1
    return rows


def require_two_layers(case: Case) -> None:
    """For peers whose code is written out for the network of the notes."""
    if len(case.model.layers) != 2:
        raise Unavailable("written for one hidden layer")
