"""PyTorch's whole step as one compiled graph: loss and gradient by `torch.func`, the update in place.

The graph is called from C++ (`cpp_wrapper`), without the guards that would look at every argument on every call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch._inductor.cpp_builder import get_cpp_compiler

from benchmarks.cases import Case
from benchmarks.peers import Unavailable
from benchmarks.peers.base import own
from benchmarks.peers.torch_eager import TorchEager


def _sgd(w: list[Tensor], g: list[Tensor], m: list[Tensor], v: list[Tensor], count: Tensor, lr: float) -> None:
    for weights, gradient in zip(w, g, strict=True):
        weights.sub_(gradient, alpha=lr)


def _adam(w: list[Tensor], g: list[Tensor], m: list[Tensor], v: list[Tensor], count: Tensor, lr: float) -> None:
    count.add_(1)
    rate, scale = lr / (1 - 0.9**count), torch.rsqrt(1 - 0.999**count)
    for weights, gradient, mean, square in zip(w, g, m, v, strict=True):
        mean.lerp_(gradient, 0.1)
        square.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
        weights.sub_(rate * mean / (square.sqrt() * scale + 1e-8))


_UPDATES: dict[str, Callable[..., None]] = {"sgd": _sgd, "adam": _adam}


class TorchWhole(TorchEager):
    """Compiled anew for every case, for its shapes alone: what it gains from knowing them is its to show."""

    guarded = False  # whether it may be called with batches of several sizes

    def __init__(self, case: Case, weights: list[NDArray], inputs: list[Any]) -> None:
        self._moments: list[Tensor] = []
        super().__init__(case, weights, inputs)
        try:
            get_cpp_compiler()
        except Exception as error:
            raise Unavailable("torch.compile needs a C++ compiler and finds none (install g++ or set CXX)") from error
        update = own(_UPDATES, "optimizer", case.model.optimizer)
        model, criterion, lr, clip_norm = self._model, self._criterion, case.model.lr, self._clip_norm
        parameters = {name: parameter.detach() for name, parameter in model.named_parameters()}
        m, v = ([torch.zeros_like(w) for w in parameters.values()] for _ in range(2))
        count = torch.zeros((), dtype=m[0].dtype)
        self._moments = [*m, *v, count]

        def train(x: Tensor, t: Tensor) -> Tensor:
            def loss_of(parameters: dict[str, Tensor]) -> Tensor:
                return criterion(torch.func.functional_call(model, parameters, (x,)), t)

            gradients, loss = torch.func.grad_and_value(loss_of)(parameters)
            g = [gradients[name] for name in parameters]
            if clip_norm:
                norm = torch.sqrt(sum((gradient.square().sum() for gradient in g), start=torch.zeros(())))
                g = [gradient * torch.clamp(clip_norm / (norm + 1e-6), max=1.0) for gradient in g]
            update(list(parameters.values()), g, m, v, count, lr)
            return loss

        # Beyond a few recompilations of the same code PyTorch gives up, and without guards it would take what it has
        # compiled for another case.
        torch.compiler.reset()
        options: dict[str, Any] = {"cpp_wrapper": True}
        if not self.guarded:
            options["guard_filter_fn"] = torch.compiler.skip_all_guards_unsafe
        self.train = torch.compile(train, fullgraph=True, dynamic=False, options=options)  # type: ignore[method-assign]

    def restart(self) -> None:
        super().restart()
        for moment in self._moments:
            moment.zero_()
