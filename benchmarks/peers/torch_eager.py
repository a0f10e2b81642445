"""PyTorch as its tutorials write it: nn.Sequential, functional losses, torch.optim, eager mode."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.cases import Case, Model
from benchmarks.peers.base import Batch, Peer, own
from benchmarks.recipes import OPTIMIZERS


class _Exponential(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.exp(x)


_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "identity": nn.Identity,
    "sigmoid": nn.Sigmoid,
    "hard_sigmoid": nn.Hardsigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "celu": nn.CELU,
    "gelu": nn.GELU,
    "gelu_tanh": partial(nn.GELU, "tanh"),
    "silu": nn.SiLU,
    "hard_swish": nn.Hardswish,
    "softplus": nn.Softplus,
    "softsign": nn.Softsign,
    "exponential": _Exponential,
    "mish": nn.Mish,
}


def _kl_divergence(z: Tensor, t: Tensor) -> Tensor:
    return functional.kl_div(functional.log_softmax(z, dim=1), t, reduction="batchmean")


def _hinge(z: Tensor, t: Tensor) -> Tensor:
    return torch.relu(1 - t * z).mean()


def _squared_hinge(z: Tensor, t: Tensor) -> Tensor:
    return torch.relu(1 - t * z).square().mean()


def _half_squared_error(y: Tensor, t: Tensor) -> Tensor:
    return 0.5 * functional.mse_loss(y, t)


def _root_mean_squared_error(y: Tensor, t: Tensor) -> Tensor:
    return functional.mse_loss(y, t).sqrt()


def _log_cosh(y: Tensor, t: Tensor) -> Tensor:
    d = y - t
    return (d + functional.softplus(-2 * d)).mean() - 0.6931471805599453


_LOSSES: dict[str, Callable[..., Tensor]] = {
    "softmax_cross_entropy": functional.cross_entropy,
    "sigmoid_cross_entropy": functional.binary_cross_entropy_with_logits,
    "kl_divergence": _kl_divergence,
    "hinge": _hinge,
    "squared_hinge": _squared_hinge,
    "poisson": functional.poisson_nll_loss,
    "mean_squared_error": functional.mse_loss,
    "half_squared_error": _half_squared_error,
    "mean_absolute_error": functional.l1_loss,
    "root_mean_squared_error": _root_mean_squared_error,
    "huber": functional.huber_loss,
    "log_cosh": _log_cosh,
}

_FUSED = ("Adagrad", "Adam", "AdamW", "SGD")

# Of the numbers of an optimizer's state, those that do not start at 0.
_STARTS = {"mu_product": 1.0}


def _loss(model: Model) -> Callable[..., Tensor]:
    function = own(_LOSSES, "loss", model.loss)
    return partial(function, label_smoothing=model.label_smoothing) if model.label_smoothing else function


class TorchEager(Peer):
    """Any depth. Weights are stored (o, i), as nn.Linear has them."""

    fused = False  # whether the optimizer updates all parameters in one call, where it can

    @classmethod
    def prepare(cls, case: Case, batches: list[Batch]) -> list[Any]:
        return [(torch.from_numpy(x), torch.from_numpy(case.model.targets(t, case.dtype))) for x, t in batches]

    def __init__(self, case: Case, weights: list[NDArray], inputs: list[Any]) -> None:
        torch.set_num_threads(case.threads)
        model, recipe = case.model, OPTIMIZERS[case.model.optimizer]
        self._inputs, self._criterion, self._clip_norm = inputs, _loss(model), model.clip_norm
        activation, layers = own(_ACTIVATIONS, "activation", model.activation), []
        for i, o in pairwise(model.sizes):
            layers += [nn.Linear(i, o, dtype=getattr(torch, case.dtype)), activation()]
            layers += [nn.Dropout(model.dropout)] if model.dropout else []
        # Neither activation nor dropout after the last.
        self._model = nn.Sequential(*layers[: -2 if model.dropout else -1])
        self._initial = [torch.from_numpy(w.T) for w in weights]
        optimizer = own(vars(torch.optim), "optimizer", recipe.name)
        fused = {"fused": True} if self.fused and recipe.name in _FUSED else {}
        self._optimizer = optimizer(self._model.parameters(), lr=model.lr, **recipe.numbers, **fused)
        self.restart()

    def restart(self) -> None:
        with torch.no_grad():
            for parameter, w in zip(self._model.parameters(), self._initial, strict=True):
                parameter.copy_(w)
        # Refilled, not replaced: a compiled update holds on to these tensors.
        for state in self._optimizer.state.values():
            for name, value in state.items():
                if value is not None:
                    value.fill_(_STARTS.get(name, 0.0))

    def step(self, k: int) -> Tensor:
        return self.train(*self._inputs[k % len(self._inputs)])

    def train(self, x: Tensor, t: Tensor) -> Tensor:
        """A step on these rows; returns the loss before it."""
        self._optimizer.zero_grad()
        loss = self._loss_of(x, t)
        loss.backward()
        if self._clip_norm:
            nn.utils.clip_grad_norm_(self._model.parameters(), self._clip_norm)
        self._update()
        return loss

    def _loss_of(self, x: Tensor, t: Tensor) -> Tensor:
        return self._criterion(self._model(x), t)

    def _update(self) -> None:
        self._optimizer.step()

    def loss(self, value: Tensor) -> float:
        return value.item()

    def weights(self) -> list[NDArray]:
        return [parameter.detach().numpy().T.copy() for parameter in self._model.parameters()]
