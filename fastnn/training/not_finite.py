"""Why a loss is not finite."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastnn.training.epoch import EpochResult
from fastnn.training.holdout import Part
from fastnn.training.inputs import CompressedRows
from fastnn.training.sources import Source

_CHUNK = 4096  # rows

_ADVICE = (
    "try a smaller learning rate, an optimizer with clip_norm=1.0, or inputs of mean 0 and variance 1; EarlyStopping "
    "and Checkpoint keep the best weights"
)


def explained(source: Source, result: EpochResult, epoch: int, lr: float | None) -> str:
    """A message that says where it was, why, as far as can be told, and what may help."""
    rate = "" if lr is None else f", at a learning rate of {lr:.6g}"
    where = f"loss: got {result.loss} in step {result.steps} of epoch {epoch}{rate}, expected a finite number; "
    return where + (_fault_in_data(source) or _ADVICE)


def _fault_in_data(source: Source) -> str:
    if source.n is None:
        return ""
    first = 0
    for rows in source.chunks(_CHUNK):
        for name, values in (("x", rows.x), ("t", rows.t)):
            wrong = _first_not_finite(values)
            if wrong is not None:
                row = source.indices[first + wrong] if isinstance(source, Part) else first + wrong
                return f"{name} has NaN or infinite numbers in row {row}: fill in or leave out what is missing"
        first += len(rows.t)
    return ""


def _first_not_finite(values: NDArray | CompressedRows) -> int | None:
    if isinstance(values, CompressedRows):
        wrong = np.flatnonzero(~np.isfinite(values.values[values.starts[0] : values.starts[-1]]))
        return int(np.searchsorted(values.starts, values.starts[0] + wrong[0], "right")) - 1 if wrong.size else None
    if values.dtype.kind != "f":
        return None
    finite = np.isfinite(values.reshape(len(values), -1)).all(axis=1)
    return None if finite.all() else int(finite.argmin())
