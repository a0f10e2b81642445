"""What keeps a net from learning its data by heart: dropout, and penalties of the weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn import scalar_checks


@dataclass(frozen=True)
class Regularization:
    """Dropout and penalties of a net.

    dropout : the fraction of each hidden layer's outputs that is dropped. input_dropout : of the net's inputs.
    l1, l2 : the penalty of the weights is l1 Σ|w| + l2 Σw². key : what the random words of dropout depend on.
    penalty_per_row : whether the penalty is divided by the number of rows of the batch, or the sum of their weights.
    """

    dropout: tuple[float, ...]
    input_dropout: float
    l1: float
    l2: float
    key: int
    penalty_per_row: bool = False

    @property
    def drops(self) -> bool:
        """Whether anything is dropped."""
        return self.input_dropout > 0 or any(self.dropout)

    @property
    def penalizes(self) -> bool:
        """Whether there is a penalty."""
        return self.l1 > 0 or self.l2 > 0


def regularization(
    n_hidden: int,
    seed: int | None,
    *,
    dropout: Any = 0.0,
    input_dropout: Any = 0.0,
    l1: Any = 0.0,
    l2: Any = 0.0,
    penalty_per_row: Any = False,
) -> Regularization:
    """The regularization of a net with so many hidden layers, from what its user gives.

    Raises TypeError or ValueError naming the argument.
    """
    # Not the words that the initial weights are drawn from.
    words = np.random.SeedSequence(seed, spawn_key=(1,)).generate_state(1, np.uint64)
    return Regularization(
        _rates(dropout, n_hidden),
        scalar_checks.number("input_dropout", input_dropout, 0, 1),
        scalar_checks.number("l1", l1, 0),
        scalar_checks.number("l2", l2, 0),
        int(words[0] >> np.uint64(1)),
        scalar_checks.flag("penalty_per_row", penalty_per_row),
    )


def _rates(dropout: Any, n_hidden: int) -> tuple[float, ...]:
    is_array = isinstance(dropout, np.ndarray) and dropout.ndim > 0
    if not is_array and (not isinstance(dropout, Sequence) or isinstance(dropout, str)):
        rate = scalar_checks.number("dropout", dropout, 0, 1)
        if rate > 0 and n_hidden == 0:
            raise ValueError(f"dropout: got {dropout!r} for a net without hidden layers, expected 0; see input_dropout")
        return (rate,) * n_hidden
    if len(dropout) != n_hidden:
        raise ValueError(f"dropout: got {len(dropout)} fractions, expected {n_hidden}, one per hidden layer")
    return tuple(scalar_checks.number(f"dropout[{k}]", rate, 0, 1) for k, rate in enumerate(dropout))
