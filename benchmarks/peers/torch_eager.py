"""PyTorch as its tutorials write it: nn.Sequential, functional cross-entropy, torch.optim, eager mode."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmarks.cases import Case
from benchmarks.peers.base import Batch, Peer

_ACTIVATIONS = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "relu": nn.ReLU}
_OPTIMIZERS = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}


class TorchEager(Peer):
    """Any depth. Weights are stored (o, i), as nn.Linear has them."""

    @classmethod
    def prepare(cls, case: Case, batches: list[Batch]) -> list[Any]:
        return [(torch.from_numpy(x), torch.from_numpy(t)) for x, t in batches]

    def __init__(self, case: Case, weights: list[NDArray], inputs: list[Any]) -> None:
        torch.set_num_threads(case.threads)
        self._inputs = inputs
        layers: list[nn.Module] = []
        for i, o in pairwise(case.model.sizes):
            layers += [nn.Linear(i, o, dtype=getattr(torch, case.dtype)), _ACTIVATIONS[case.model.activation]()]
        self._model = nn.Sequential(*layers[:-1])
        self._initial = [torch.from_numpy(w.T) for w in weights]
        self._optimizer = _OPTIMIZERS[case.model.optimizer](self._model.parameters(), lr=case.model.lr)
        self.restart()

    def restart(self) -> None:
        with torch.no_grad():
            for parameter, w in zip(self._model.parameters(), self._initial, strict=True):
                parameter.copy_(w)
        # Zeroed, not replaced: a compiled update holds on to these tensors.
        for state in self._optimizer.state.values():
            for value in state.values():
                if value is not None:
                    value.zero_()

    def step(self, k: int) -> Tensor:
        x, t = self._inputs[k % len(self._inputs)]
        self._optimizer.zero_grad()
        loss = cross_entropy(self._model(x), t)
        loss.backward()
        self._optimizer.step()
        return loss

    def loss(self, value: Tensor) -> float:
        return value.item()

    def weights(self) -> list[NDArray]:
        return [parameter.detach().numpy().T.copy() for parameter in self._model.parameters()]
