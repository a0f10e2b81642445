"""Why a loss is not finite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastnn.training.epoch import EpochResult

if TYPE_CHECKING:
    from fastnn.mlp import MLP

_CHUNK = 4096  # rows


def explained(net: MLP, source: Any, result: EpochResult, epoch: int, lr: float | None) -> str:
    """A message that says where it was, why, as far as can be told, and what may help."""
    rate = "" if lr is None else f", at a learning rate of {lr:.6g}"
    where = f"loss: got {result.loss} in step {result.steps} of epoch {epoch}{rate}, expected a finite number; "
    return where + (_fault_in_data(source) or _advice(net))


def _fault_in_data(source: Any) -> str:
    if source.n is None:
        return ""
    first = 0
    for rows in source.chunks(_CHUNK):
        for name, values in (("x", rows.x), ("t", rows.t)):
            numbers = getattr(values, "data", None) if hasattr(values, "toarray") else values  # of sparse rows
            wrong = _first_not_finite(np.asarray(numbers))
            if wrong is not None:
                at = f" in row {first + wrong}" if numbers is values else ""
                return f"{name} has NaN or infinite numbers{at}: fill in or leave out what is missing"
        first += len(rows.t)
    return ""


def _first_not_finite(values: NDArray) -> int | None:
    if values.dtype.kind != "f":
        return None
    finite = np.isfinite(values.reshape(len(values), -1)).all(axis=1)
    return None if finite.all() else int(finite.argmin())


def _advice(net: MLP) -> str:
    if all(np.isfinite(w).all() for w in net.get_weights()):
        return (
            "the weights are finite: a batch in which all that counts weighs 0 has no loss (larger batches, or "
            "on_nan='ignore'), or the loss overflowed"
        )
    return (
        "try a smaller learning rate, an optimizer with clip_norm=1.0, or inputs of mean 0 and variance 1; "
        "EarlyStopping and Checkpoint keep the best weights"
    )
