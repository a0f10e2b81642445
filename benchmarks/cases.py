"""What is measured: the models, and the grid of cases that a race runs over.

A case fixes everything but the implementation, so that every implementation steps on the same rows,
from the same weights, with the same hyper-parameters.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.recipes import OPTIMIZERS, label

BATCH_SIZES = (1, 8, 32, 128, 512, 2048, 8192)
QUICK_BATCH_SIZES = (1, 32, 512)

# Enough different batches that a small one is not answered from cache alone, few enough to fit in memory.
POOL_ROWS = 16384
POOL_BATCHES = 16


# Losses that take rows of targets, and what a label's row has for its own class and for the others.
_TARGETS = {"hinge": (1.0, -1.0), "squared_hinge": (1.0, -1.0), "kl_divergence": (0.91, 0.01)}

# So small a fraction that no element is dropped, by code that drops.
DROPS_NOTHING = 1e-12


@dataclass(frozen=True)
class Model:
    """A multi-layer perceptron, how it is trained and on which of `fastnn.datasets`.

    `activation` and `loss` are fastnn's names, `optimizer` one of `benchmarks.recipes`. `dropout` is that of the hidden
    layers, `clip_norm` the bound of the gradient's norm; 0 for none.
    """

    sizes: tuple[int, ...]
    activation: str
    optimizer: str
    lr: float
    data: str = "mnist"
    loss: str = "softmax_cross_entropy"
    label_smoothing: float = 0.0
    dropout: float = 0.0
    clip_norm: float = 0.0

    @property
    def name(self) -> str:
        """Stable identifier, for example "784-50-10-sigmoid-sgd"."""
        return "-".join([*map(str, self.sizes), self.activation, self.optimizer, *self._more("_")])

    @property
    def label(self) -> str:
        """The same for people: "784-50-10 sigmoid SGD"."""
        first = f"{'-'.join(map(str, self.sizes))} {label(self.activation)} {OPTIMIZERS[self.optimizer].label}"
        return ", ".join([first, *self._more(" ")])

    def _more(self, space: str) -> list[str]:
        """What is not as usual."""
        numbers = {"smoothing": self.label_smoothing, "dropout": self.dropout, "clip": self.clip_norm}
        loss = [] if self.loss == "softmax_cross_entropy" else [label(self.loss).replace(" ", space)]
        return [*loss, *(f"{name}{space}{number:g}" for name, number in numbers.items() if number)]

    def on(self, data: str, width: int) -> Model:
        """The same model on another data set, whose rows have `width` features."""
        return replace(self, sizes=(width, *self.sizes[1:]), data=data)

    @property
    def layers(self) -> list[tuple[int, int]]:
        """(inputs, outputs) of each affine layer."""
        return list(zip(self.sizes[:-1], self.sizes[1:], strict=True))

    @property
    def parameter_count(self) -> int:
        return sum(i * o + o for i, o in self.layers)

    def initial_weights(self, dtype: str, seed: int = 0) -> list[NDArray]:
        """[w1, b1, w2, b2, ...], the same for every peer."""
        from fastnn.initializers import initial_weights  # here: a worker imports what its own peer needs, and no more

        return initial_weights(self.sizes, "he_normal" if self.activation == "relu" else "xavier_normal", seed, dtype)

    def targets(self, labels: NDArray, dtype: str) -> NDArray:
        """What its loss takes for these labels: the labels themselves, or rows (n, classes)."""
        if self.loss == "softmax_cross_entropy":
            return labels
        own, other = _TARGETS.get(self.loss, (1.0, 0.0))
        rows = np.full((len(labels), self.sizes[-1]), other, dtype)
        rows[np.arange(len(labels)), labels] = own
        return rows


MODELS = (
    Model((784, 50, 10), "sigmoid", "sgd", lr=0.1),
    Model((784, 128, 10), "relu", "adam", lr=1e-3),
    Model((8, 128, 128, 2), "relu", "adam", lr=1e-3, data="pima"),
    Model((784, 1024, 1024, 10), "relu", "adam", lr=1e-3),
)

# Run where it is named: its step is all overhead. It takes the first two columns of its table.
TINY = Model((2, 3, 2, 2), "sigmoid", "sgd", lr=0.1, data="pima")


@dataclass(frozen=True)
class Case:
    """One point of the grid: everything that a measured training step depends on, but for the implementation."""

    model: Model
    batch_size: int
    dtype: str = "float32"
    threads: int = 1

    @property
    def name(self) -> str:
        """Stable identifier, for example "784-50-10-sigmoid-sgd/b32/float32/t1"."""
        return f"{self.model.name}/b{self.batch_size}/{self.dtype}/t{self.threads}"

    @property
    def without_chance(self) -> Case:
        """The same case, but dropout drops nothing: what is verified."""
        if not self.model.dropout:
            return self
        return replace(self, model=replace(self.model, dropout=DROPS_NOTHING))

    @property
    def trained_rows(self) -> int:
        """How many rows what is timed trains on."""
        return self.batch_size

    @property
    def flops(self) -> int:
        """Floating-point operations of one step: forward, loss gradient, backward (no input gradient), update."""
        n = self.batch_size
        products = sum(2 * n * i * o for i, o in self.model.layers)
        input_gradients = sum(2 * n * i * o for i, o in self.model.layers[1:])
        return 2 * products + input_gradients + OPTIMIZERS[self.model.optimizer].flops * self.model.parameter_count

    @property
    def bytes_moved(self) -> int:
        """Least traffic of one step: the rows once, the weights once forward, the update's arrays."""
        item = np.dtype(self.dtype).itemsize
        rows = self.batch_size * (self.model.sizes[0] * item + 8)
        return rows + item * self.model.parameter_count * (1 + OPTIMIZERS[self.model.optimizer].accesses)

    def batches(self, x: NDArray, t: NDArray) -> list[tuple[NDArray, NDArray]]:
        """Contiguous batches (x (n, i) in the case's dtype, labels (n,) int64) cut from rows that repeat as needed.

        A model with fewer inputs than `x` has columns takes the first ones.
        """
        count = max(2, min(POOL_BATCHES, POOL_ROWS // self.batch_size))
        rows = np.arange(count * self.batch_size) % len(x)
        pool, labels = (
            np.ascontiguousarray(x[rows, : self.model.sizes[0]], self.dtype),
            np.ascontiguousarray(t[rows], np.int64),
        )
        cuts = [slice(k * self.batch_size, (k + 1) * self.batch_size) for k in range(count)]
        return [(pool[cut], labels[cut]) for cut in cuts]


def grid(
    models: Iterable[Model],
    batch_sizes: Iterable[int],
    threads: Iterable[int],
    dtype: str = "float32",
    most_flops: float = math.inf,
) -> list[Case]:
    """Every combination whose step takes no more than `most_flops` operations, models outermost, so that a report
    fills in reading order."""
    cases = [Case(m, n, dtype, k) for m in models for k in threads for n in batch_sizes]
    return [case for case in cases if case.flops <= most_flops]
