"""PyTorch with torch.compile: forward with loss and backward as one compiled graph each, the update as another."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch._inductor.cpp_builder import get_cpp_compiler

from benchmarks.cases import Case
from benchmarks.peers import Unavailable
from benchmarks.peers.torch_eager import TorchEager


class TorchCompiled(TorchEager):
    """Compiled anew for every case, for its shapes alone: what it gains from knowing them is its to show."""

    def __init__(self, case: Case, weights: list[NDArray], inputs: list[Any]) -> None:
        super().__init__(case, weights, inputs)
        try:
            get_cpp_compiler()
        except Exception as error:
            raise Unavailable("torch.compile needs a C++ compiler and finds none (install g++ or set CXX)") from error
        # Beyond a few recompilations of the same code, PyTorch gives up and runs it eagerly.
        torch.compiler.reset()
        model, criterion = self._model, self._criterion

        def loss_of(x: Tensor, t: Tensor) -> Tensor:
            return criterion(model(x), t)

        self._loss_of = torch.compile(loss_of, fullgraph=True, dynamic=False)
        self._update = torch.compile(self._optimizer.step, fullgraph=False, dynamic=False)
