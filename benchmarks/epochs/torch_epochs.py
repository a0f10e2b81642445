"""PyTorch: a loop over the batches of a shuffled index, without a DataLoader, which takes longer."""

from __future__ import annotations

import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.epochs.base import EpochPeer
from benchmarks.epochs.cases import EpochCase
from benchmarks.peers.torch_eager import TorchEager
from benchmarks.peers.torch_whole import TorchWhole


class _Fused(TorchEager):
    fused = True


class TorchEpochs(EpochPeer):
    """Any model. Rows are taken by index_select, which takes no longer than x[rows] does."""

    _stepper: type[TorchEager] = _Fused

    def __init__(self, case: EpochCase, weights: list[NDArray], x: NDArray, t: NDArray) -> None:
        self._x, self._t = torch.from_numpy(x), torch.from_numpy(case.model.targets(t, case.dtype))
        self._batch_size = case.batch_size
        self._net = self._stepper(case, weights, [])

    def epoch(self, order: NDArray | None) -> Tensor:
        x, t = self._x, self._t
        indices = torch.randperm(len(x)) if order is None else torch.from_numpy(order)
        total = torch.zeros(())
        for rows in indices.split(self._batch_size):
            loss = self._net.train(x.index_select(0, rows), t.index_select(0, rows))
            total += loss.detach() * len(rows)
        return total / len(x)

    def weights(self) -> list[NDArray]:
        return self._net.weights()


class _Guarded(TorchWhole):
    guarded = True  # the last batch is smaller


class TorchWholeEpochs(TorchEpochs):
    _stepper = _Guarded
