"""Compiling all kernels that Python calls before their first use, for later processes to load."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from fastnn import threads
from fastnn.mlp import MLP
from fastnn.ops import DECLARED
from fastnn.optimizers import SGD

DTYPES = ("float32", "float64")


def tasks() -> Iterator[tuple[str, Callable[[], object]]]:
    """The tasks of a warm-up: a name, and a call that compiles or loads what it names."""
    for dtype in DTYPES:
        for name in DECLARED:
            yield f"{name} {dtype}", lambda name=name, dtype=dtype: _call(name, dtype)
        for loss in ("softmax_cross_entropy", "mean_squared_error"):
            yield f"training step, {loss}, {dtype}", lambda loss=loss, dtype=dtype: _train(loss, dtype)


def _call(name: str, dtype: str) -> None:
    """One call for each signature on one thread, and one on all threads if the function can use them."""
    declaration = DECLARED[name].declaration
    calls = [(index, 2) for index in range(len(declaration.signatures))]
    if declaration.parallel_kernel is not None and threads.get_num_threads() > 1:
        calls.append((0, round(threads.FLOPS_OF_A_WORKER ** (1 / 3)) + 1))  # 2 n³ operations, of two workers
    for index, size in calls:
        sizes = {dimension: size for s in declaration.signatures for dimension in s.dimensions}
        sizes |= {size: declaration.example[size] for size in declaration.size_numbers}
        arrays = declaration.draw(
            sizes, dtype, signature_index=index, leading=(2,) if declaration.flattens_leading else ()
        )
        DECLARED[name](*arrays, **declaration.example)


def _train(loss: str, dtype: str) -> None:
    """One step on one thread, one on all threads, and a prediction."""
    net, optimizer = MLP((64, 64, 2), loss=loss, dtype=dtype), SGD(lr=1e-3)
    n = net.rows_for_threads(2)
    x = np.zeros((n, 64), dtype)
    t = np.zeros(n, np.int64) if loss == "softmax_cross_entropy" else np.zeros((n, 2), dtype)
    net.train_step(x[:2], t[:2], optimizer)
    net.predict(x[:2])
    net.predict_proba(x[:2])
    if threads.get_num_threads() > 1:
        net.train_step(x, t, optimizer)
