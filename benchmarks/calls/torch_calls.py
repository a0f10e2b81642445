"""The same calls in PyTorch, eager: `out=` where a function has it, the optimizers with `fused=True`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

Ready = Callable[[], Any]

torch.set_num_threads(1)


def affine_forward(x: Tensor, w: Tensor, b: Tensor) -> Ready:
    y = torch.empty((len(x), w.shape[1]), dtype=x.dtype)
    return lambda: torch.addmm(b, x, w, out=y)


def affine_backward(dy: Tensor, x: Tensor, w: Tensor) -> Ready:
    dx, dw, db = torch.empty_like(x), torch.empty_like(w), torch.empty(w.shape[1], dtype=x.dtype)

    def call() -> tuple[Tensor, ...]:
        torch.mm(dy, w.T, out=dx)
        torch.mm(x.T, dy, out=dw)
        torch.sum(dy, 0, out=db)
        return dx, dw, db

    return call


def sigmoid(x: Tensor) -> Ready:
    y = torch.empty_like(x)
    return lambda: torch.sigmoid(x, out=y)


def tanh(x: Tensor) -> Ready:
    y = torch.empty_like(x)
    return lambda: torch.tanh(x, out=y)


def relu(x: Tensor) -> Ready:
    y = torch.empty_like(x)
    return lambda: torch.clamp_min(x, 0, out=y)


def exp(x: Tensor) -> Ready:
    y = torch.empty_like(x)
    return lambda: torch.exp(x, out=y)


def softmax(z: Tensor) -> Ready:
    p = torch.empty_like(z)
    return lambda: torch.softmax(z, 1, out=p)


def log_softmax(z: Tensor) -> Ready:
    lp = torch.empty_like(z)
    return lambda: torch.log_softmax(z, 1, out=lp)


def softmax_cross_entropy(z: Tensor, t: Tensor) -> Ready:
    z.requires_grad_()

    def call() -> tuple[Tensor, Tensor]:
        loss = torch.nn.functional.cross_entropy(z, t)
        (dz,) = torch.autograd.grad(loss, z)
        return loss.detach(), dz

    return call


def _stepping(optimizer: torch.optim.Optimizer, w: Tensor, state: dict[str, Tensor]) -> Ready:
    optimizer.state[w].update(state)
    return optimizer.step


def _parameter(w: Tensor, g: Tensor) -> Tensor:
    w.requires_grad_()
    w.grad = g
    return w


def sgd_update(w: Tensor, g: Tensor, *, lr: float) -> Ready:
    return torch.optim.SGD([_parameter(w, g)], lr=lr, fused=True).step


def momentum_update(w: Tensor, g: Tensor, velocity: Tensor, *, lr: float, momentum: float = 0.9) -> Ready:
    optimizer = torch.optim.SGD([_parameter(w, g)], lr=lr, momentum=momentum, fused=True)
    return _stepping(optimizer, w, {"momentum_buffer": velocity})


def adam_update(w: Tensor, g: Tensor, m: Tensor, v: Tensor, *, lr: float, step: int) -> Ready:
    optimizer = torch.optim.Adam([_parameter(w, g)], lr=lr, fused=True)
    done = torch.tensor(float(step - 1))
    return _stepping(optimizer, w, {"step": done, "exp_avg": m, "exp_avg_sq": v})


READY = {
    function.__name__: function
    for function in (
        affine_forward,
        affine_backward,
        sigmoid,
        tanh,
        relu,
        exp,
        softmax,
        log_softmax,
        softmax_cross_entropy,
        sgd_update,
        momentum_update,
        adam_update,
    )
}


def ready(function: str, arrays: list[NDArray], numbers: dict[str, Any]) -> Ready:
    """A call without arguments, on the arrays' own memory; raises KeyError where there is none."""
    return READY[function](*map(torch.from_numpy, arrays), **numbers)
