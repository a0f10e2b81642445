"""Compiling all that is called from Python ahead of its first use, so that no later process has to."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from fastnn import threads
from fastnn.mlp import MLP
from fastnn.ops import DECLARED
from fastnn.optimizers import SGD

DTYPES = ("float32", "float64")


def tasks() -> Iterator[tuple[str, Callable[[], object]]]:
    """What there is to compile: a name, and a call that compiles it or loads it from the cache."""
    for dtype in DTYPES:
        for name in DECLARED:
            yield f"{name} {dtype}", lambda name=name, dtype=dtype: _call(name, dtype)
        for loss in ("softmax_cross_entropy", "mean_squared_error"):
            yield f"training step, {loss}, {dtype}", lambda loss=loss, dtype=dtype: _train(loss, dtype)


def _call(name: str, dtype: str) -> None:
    """One call of each form on one thread, and one on as many as there are where the function can use them."""
    declaration = DECLARED[name].declaration
    forms = [(form, 2) for form in range(len(declaration.signatures))]
    if declaration.parallel_kernel is not None and threads.get_num_threads() > 1:
        forms.append((0, round(threads.FLOPS_OF_A_WORKER ** (1 / 3)) + 1))  # 2 n³ operations, of two workers
    for form, size in forms:
        sizes = {dimension: size for s in declaration.signatures for dimension in s.dimensions}
        sizes |= {size: declaration.example[size] for size in declaration.size_numbers}
        arrays = declaration.draw(sizes, dtype, form=form, loop=(2,) if declaration.looped else ())
        DECLARED[name](*arrays, **declaration.example)


def _train(loss: str, dtype: str) -> None:
    """One step on one thread, one on as many as there are, and a prediction."""
    net, optimizer = MLP((64, 64, 2), loss=loss, dtype=dtype), SGD(lr=1e-3)
    n = net.rows_for_threads(2)
    x = np.zeros((n, 64), dtype)
    t = np.zeros(n, np.int64) if loss == "softmax_cross_entropy" else np.zeros((n, 2), dtype)
    net.train_step(x[:2], t[:2], optimizer)
    net.predict(x[:2])
    net.predict_proba(x[:2])
    if threads.get_num_threads() > 1:
        net.train_step(x, t, optimizer)
