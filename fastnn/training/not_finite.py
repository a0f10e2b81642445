"""Why a loss is not finite."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fastnn.optimizers import Optimizer
from fastnn.training.epoch import EpochResult
from fastnn.training.holdout import Part
from fastnn.training.inputs import CompressedRows
from fastnn.training.sources import Source

if TYPE_CHECKING:
    from fastnn.mlp import MLP

_CHUNK = 4096  # rows

_ADVICE = (
    "try a smaller learning rate, an optimizer with clip_norm=1.0, or inputs of mean 0 and variance 1; EarlyStopping "
    "and Checkpoint keep the best weights"
)
_ANEW = "build the net or load it anew"
# Callbacks come to their end after the message is written.
_RESTORED = ", unless a callback such as EarlyStopping has restored them"


def spoiled(net: MLP, optimizer: Optimizer) -> str:
    """What no training on whatever data mends, and what does; "" where weights and the moments that the optimizer
    keeps for the net are all finite."""
    if not _are_finite(net.get_weights()):
        return f"the net's weights had NaN or infinite numbers before this training: {_ANEW}"
    if not all(map(_are_finite, optimizer.kept(net)[1])):
        return (
            "what the optimizer keeps of former steps of the net had NaN or infinite numbers before this training: "
            "train with a new optimizer"
        )
    return ""


def _are_finite(arrays: Iterable[NDArray]) -> bool:
    return all(np.isfinite(array).all() for array in arrays)


def explained(net: MLP, source: Source, result: EpochResult, epoch: int, lr: float | None, before: str) -> str:
    """A message that says where it was, why, as far as can be told, and what may help.

    before : what was `spoiled` when the training began. Where weights are not finite any more, no training mends them,
    and the message says so.
    """
    rate = "" if lr is None else f", at a learning rate of {lr:.6g}"
    where = f"loss: got {result.loss} in step {result.steps} of epoch {epoch}{rate}, expected a finite number; "
    if before:
        return where + before
    after = "" if _are_finite(net.get_weights()) else f"; the net's weights are not finite any more: {_ANEW}{_RESTORED}"
    return where + (_fault_in_data(source) or _ADVICE) + after


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
