"""Where rows come from: what a net is trained and evaluated on, converted once to what its kernels take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastnn.ops import checks


class Rows(NamedTuple):
    """Rows x with their targets t and weights, or None where all weigh 1; as `MLP.train_step` takes them."""

    x: Any
    t: NDArray
    sample_weight: NDArray | None


class ArraySource:
    """Rows in memory, in the net's dtype. n : how many."""

    def __init__(self, net: Any, x: Any, t: Any, sample_weight: Any = None) -> None:
        self._x = net._rows(checks.converted("x", x, net.dtype))
        self.n = len(self._x)
        self._t = net._targets(t, self.n)
        self._weights = (
            None if sample_weight is None else checks.weights("sample_weight", sample_weight, self.n, "row of x")
        )

    def rows(self, which: slice | NDArray) -> Rows:
        """Some of the rows: those of a slice, or with these indices."""
        weights = None if self._weights is None else self._weights[which]
        return Rows(self._x[which], self._t[which], weights)

    def chunks(self, size: int) -> Iterator[Rows]:
        """All rows in order, so many at a time."""
        for first in range(0, self.n, size):
            yield self.rows(slice(first, first + size))


def source_of(net: Any, x: Any, t: Any, sample_weight: Any = None) -> ArraySource:
    """The source of rows x with targets t and weights, whatever they are.

    Raises ValueError or TypeError naming the argument.
    """
    return ArraySource(net, x, t, sample_weight)


def order_of(net: Any, n: int, seed: int | None) -> NDArray[np.int64]:
    """In which order the net's next epoch takes n rows: a permutation drawn from the seed, or where that is None from
    the net's own, and from the number of its epochs before."""
    key = net._regularization.key if seed is None else seed
    return np.random.default_rng([key, net.epochs]).permutation(n)
