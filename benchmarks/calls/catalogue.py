"""Which calls are measured: the products of the models' layers, functions over arrays in cache, losses, updates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from benchmarks.cases import MODELS

DTYPES = ("float32", "float64")
PRODUCT_ROWS = (1, 32, 512, 2048)
ELEMENTS = (4096, 65536)  # the first lie in the first-level cache, the second in the second
COLUMNS = (10, 128)
LOSS_ROWS = (1, 32, 512, 2048)
# Multiplications of the largest product: beyond, a training step of the same model shows the same.
MOST_WORK = 1e9

FAMILIES = {
    "forward": "Layer, forward: y = x w + b",
    "backward": "Layer, backward: dx = dy wᵀ, dw = xᵀ dy, db = Σ dy",
    "activations": "Element by element",
    "softmax": "Softmax and its logarithm",
    "loss": "Softmax with cross-entropy, and its gradient",
    "updates": "Optimizer updates",
}
UPDATES = {"sgd_update": {"lr": 1e-3}, "momentum_update": {"lr": 1e-3}, "adam_update": {"lr": 1e-3, "step": 3}}


@dataclass(frozen=True)
class Plan:
    """How much is measured per call; seconds."""

    rounds: int = 11
    burst_seconds: float = 0.003
    warm_seconds: float = 0.001


@dataclass(frozen=True)
class Call:
    """One function on arrays of one size."""

    family: str  # of FAMILIES
    function: str  # declared in fastnn.ops
    size: str  # for people
    sizes: dict[str, int] = field(hash=False)  # of the dimensions of its signature
    dtype: str = "float32"
    leading: tuple[int, ...] = ()  # leading dimensions
    numbers: dict[str, float] = field(default_factory=dict, hash=False)

    @property
    def name(self) -> str:
        """Stable identifier, for example "affine_forward/32x784x50/float32"."""
        return f"{self.function}/{self.size.replace(' ', '').replace(',', '')}/{self.dtype}"


def calls() -> list[Call]:
    """In the order of the report."""
    every = [*_products(), *_elementwise(), *_softmax(), *_losses(), *_updates()]
    return [call for call in every if _work(call) <= MOST_WORK]


def _work(call: Call) -> float:
    """Multiplications of a product; elements of anything else."""
    return float(np.prod([*call.leading, *call.sizes.values()]))


def _products() -> Iterator[Call]:
    layers = dict.fromkeys(layer for model in MODELS for layer in model.layers)
    for family, (i, o), n in product(("forward", "backward"), layers, PRODUCT_ROWS):
        yield Call(family, f"affine_{family}", f"{n:,} x {i} x {o}", {"n": n, "i": i, "o": o})


def _elementwise() -> Iterator[Call]:
    for function, dtype, size in product(("sigmoid", "tanh", "relu", "exp"), DTYPES, ELEMENTS):
        yield Call("activations", function, f"{size:,}", {}, dtype, leading=(size,))


def _softmax() -> Iterator[Call]:
    for function, dtype, columns, size in product(("softmax", "log_softmax"), DTYPES, COLUMNS, ELEMENTS):
        rows = size // columns
        yield Call("softmax", function, f"{rows:,} x {columns}", {"c": columns}, dtype, leading=(rows,))


def _losses() -> Iterator[Call]:
    for columns, n in product(sorted({model.sizes[-1] for model in MODELS}, reverse=True), LOSS_ROWS):
        yield Call("loss", "softmax_cross_entropy", f"{n:,} x {columns}", {"n": n, "c": columns})


def _updates() -> Iterator[Call]:
    for function, numbers in UPDATES.items():
        for size in sorted({model.parameter_count for model in MODELS}):
            yield Call("updates", function, f"{size:,}", {}, leading=(size,), numbers=numbers)
