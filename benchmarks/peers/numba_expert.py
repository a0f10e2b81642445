"""Numba as an expert writes it: BLAS by its address, fused loops, an exponential that vectorises, many steps a call.

Where a batch is one row, loops stand in place of BLAS. Twice: with the rows as they are, and with compressed ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array

from benchmarks.cases import Case
from benchmarks.peers import Unavailable
from benchmarks.peers.base import Batch, Peer, own, require_plain
from benchmarks.peers.expert.rows import Compressed
from benchmarks.peers.expert.training import Net, compiled

# Multiply-adds of a step's forward pass, from which on threads share it: they meet in some microseconds.
GRAIN = 1 << 20
UPDATE = 8  # of those for a parameter's update by Adam
APART = 128  # numbers: two cache lines of bytes, so that no line is written to by two threads
MOST_NONZERO = 0.9  # of the inputs: with more there is nothing to leave out


class NumbaExpert(Peer):
    """Any depth."""

    in_one_call = True
    compressed = False

    @classmethod
    def prepare(cls, case: Case, batches: list[Batch]) -> list[Any]:
        return [np.concatenate(arrays) for arrays in zip(*batches, strict=True)]

    def __init__(self, case: Case, weights: list[NDArray], inputs: list[Any]) -> None:
        require_plain(case)
        model = case.model
        activation = own({name: name for name in ("sigmoid", "tanh", "relu")}, "activation", model.activation)
        adam = own({"sgd": False, "adam": True}, "optimizer", model.optimizer)
        threads = case.threads if _work(case) >= GRAIN else 1
        self._train_steps = compiled(activation, adam, self.compressed, case.batch_size == 1, threads > 1)
        self._inputs, self._n, self._lr = inputs, case.batch_size, model.lr
        self._net, (self._parameters, *self._moments) = _net(case, weights, threads)
        self._initial = np.concatenate([w.ravel() for w in weights])
        self.restart()

    def restart(self) -> None:
        np.copyto(self._parameters, self._initial)
        for moment in self._moments:
            moment[:] = 0
        self._made = 0

    def step(self, k: int) -> float:
        return self.steps(k, 1)[0]

    def steps(self, first: int, count: int) -> NDArray[np.float64]:
        losses = np.empty(count)
        self._train_steps(self._net, *self._inputs, self._n, first, self._made, self._lr, losses)
        self._made += count
        return losses

    def first_losses(self, count: int) -> list[float]:
        return self.steps(0, count).tolist()

    def weights(self) -> list[NDArray]:
        layers = zip(self._net.w, self._net.b, strict=True)
        return [w.copy() for layer in layers for w in layer]


class NumbaCompressed(NumbaExpert):
    """The same with the rows in CSR form, and in CSC form for the gradient; to convert them is not timed. Each row's
    own zeros are left out."""

    compressed = True

    @classmethod
    def prepare(cls, case: Case, batches: list[Batch]) -> list[Any]:
        x, labels = super().prepare(case, batches)
        rows = csr_array(x)
        if rows.nnz > MOST_NONZERO * x.size:
            raise Unavailable("takes rows as CSR, and these have hardly a zero")
        columns = [csc_array(part) for part, _ in batches]
        places = np.cumsum([0, *(part.nnz for part in columns)])
        return [
            Compressed(
                rows.data,
                rows.indices,
                rows.indptr,
                np.concatenate([part.data for part in columns]),
                np.concatenate([part.indices for part in columns]),
                np.stack([part.indptr + place for part, place in zip(columns, places[:-1], strict=True)]),
            ),
            labels,
        ]


def _work(case: Case) -> int:
    """What threads could share of a step, in multiply-adds of its forward pass."""
    rows = case.batch_size if case.batch_size > 1 else 0  # the loops over one row are not shared
    return (rows + (UPDATE if case.model.optimizer == "adam" else 0)) * case.model.parameter_count


def _net(case: Case, weights: list[NDArray], parts: int) -> tuple[Net, tuple[NDArray, ...]]:
    """Its arrays, nothing in them, and those of parameters and moments flat."""
    n, dtype = case.batch_size, weights[0].dtype
    (parameters, p), (_, g), (moment1, m), (moment2, v) = (_views(weights) for _ in range(4))
    y = tuple(np.empty((n, o), dtype) for _, o in case.model.layers)
    widest = max(case.model.sizes)
    net = Net(
        w=p[::2],
        b=p[1::2],
        gradient_w=g[::2],
        m_w=m[::2],
        m_b=m[1::2],
        v_w=v[::2],
        v_b=v[1::2],
        y=y,
        delta=(*(np.empty_like(a) for a in y[:-1]), y[-1]),
        sums=np.empty((parts, len(y), widest + APART), dtype),
        losses=np.empty(parts),
        row=np.empty(case.model.sizes[0], dtype),
        places=tuple(np.empty(i, np.int64) for i, _ in case.model.layers),
        count=np.empty(len(y), np.int64),
        scratch=tuple(np.empty((parts, APART), kind) for kind in (np.uint8, np.int32, dtype)),
    )
    return net, (parameters, moment1, moment2)


def _views(like: list[NDArray]) -> tuple[NDArray, tuple[NDArray, ...]]:
    """One zeroed flat array and views of it in the given shapes."""
    flat = np.zeros(sum(w.size for w in like), like[0].dtype)
    ends = np.cumsum([w.size for w in like])
    return flat, tuple(flat[end - w.size : end].reshape(w.shape) for w, end in zip(like, ends, strict=True))
