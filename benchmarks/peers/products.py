"""The matrix products of a step and nothing else: a floor under the time of whoever calls a BLAS, and no peer.

They read the batches, and hidden values and gradients that are drawn at random once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.cases import Case
from benchmarks.peers.base import Batch, Peer

Product = tuple[Any, Any, Any]  # factors, and what their product is written to


class Products(Peer):
    """Any model. It trains nothing: there is neither a loss nor a weight to verify."""

    _multiply: Callable[[Any, Any, Any], Any]

    def __init__(self, case: Case, weights: list[NDArray], inputs: list[Any]) -> None:
        rng, n, layers = np.random.default_rng(0), case.batch_size, case.model.layers
        w = [self._own(a) for a in weights[::2]]
        y, delta = ([self._own(rng.standard_normal((n, o)).astype(case.dtype)) for _, o in layers] for _ in range(2))
        gradients = [self._own(np.empty((i, o), case.dtype)) for i, o in layers]
        outputs, below = [a + 0 for a in y], [a + 0 for a in delta]
        upper = range(1, len(layers))
        self._upper: list[Product] = [
            *((y[k - 1], w[k], outputs[k]) for k in upper),
            *((delta[k], w[k].T, below[k - 1]) for k in upper),
            *((y[k - 1].T, delta[k], gradients[k]) for k in upper),
        ]
        self.batches: list[list[Product]] = [
            [(x, w[0], outputs[0]), *self._upper, (x.T, delta[0], gradients[0])] for x in inputs
        ]

    @classmethod
    def _own(cls, array: NDArray) -> Any:
        """In the library's form."""
        return array

    @classmethod
    def prepare(cls, case: Case, batches: list[Batch]) -> list[Any]:
        return [cls._own(x) for x, _ in batches]

    def restart(self) -> None:
        return

    def step(self, k: int) -> None:
        multiply = self._multiply
        for a, b, c in self.batches[k % len(self.batches)]:
            multiply(a, b, out=c)

    def first_losses(self, count: int) -> list[float]:
        self.steps(0, count)
        return []

    def weights(self) -> list[NDArray]:
        return []


class NumPyProducts(Products):
    """By NumPy's BLAS."""

    _multiply = staticmethod(np.matmul)
