"""The matrix products of a step and nothing else, by PyTorch's BLAS."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray

from benchmarks.cases import Case
from benchmarks.peers.products import Products


class TorchProducts(Products):
    """As `NumPyProducts`."""

    _multiply = staticmethod(torch.mm)

    def __init__(self, case: Case, weights: list[NDArray], inputs: list[Any]) -> None:
        torch.set_num_threads(case.threads)
        super().__init__(case, weights, inputs)

    @classmethod
    def _own(cls, array: NDArray) -> Any:
        return torch.from_numpy(array)
