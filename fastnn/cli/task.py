"""What a net was trained for: the names of its features and classes, and how rows are scaled. It is kept in the model's
file, as JSON, so that predictions take rows as they were and give classes as they were called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fastnn.cli.errors import UsageError
from fastnn.cli.tables import shown
from fastnn.losses import Loss

KEY = "task"
"""Under which the task is in the metadata of a model's file."""

MOST_CLASSES = 100
"""Whole numbers of more different values are not taken for classes unless a loss says so."""


@dataclass(frozen=True)
class Split:
    """Which rows were held back for validation: that fraction, drawn from the seed, of each class if `stratify`."""

    fraction: float
    stratify: bool
    seed: int


@dataclass(frozen=True)
class Task:
    """What a net was trained for.

    features, targets : the names of the columns; none where the data has none. classes : the names of the classes in
    the order of the net's outputs, texts or whole numbers; None where numbers are learned. mean, scale : what is
    subtracted from each feature and what it is then divided by; None where rows are taken as they are. split : see
    `Split`; None where no rows were held back.
    """

    features: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    classes: tuple[str | int, ...] | None = None
    mean: tuple[float, ...] | None = None
    scale: tuple[float, ...] | None = None
    split: Split | None = None

    def to_metadata(self) -> dict[str, Any]:
        """For `MLP.save`: what JSON can hold."""
        return {KEY: {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}}

    @classmethod
    def from_metadata(cls, path: str, metadata: Mapping[str, Any]) -> Self:
        """Of the metadata of the file at `path`; a task without any names where they have none, as of a net that was
        saved in Python. Raises UsageError for what is no task."""
        found = metadata.get(KEY, {})
        try:
            if not found.keys() <= {field.name for field in fields(cls)}:
                raise ValueError
            values: dict[str, Any] = {
                name: tuple(value) if isinstance(value, list) else value for name, value in found.items()
            }
            if values.get("split") is not None:
                values["split"] = Split(**values["split"])
            return cls(**values)
        except (AttributeError, TypeError, ValueError):
            raise UsageError(f"{path}: its metadata {KEY!r} is not what this version of fastnn writes") from None

    def standardized(self, x: NDArray) -> Self:
        """The same with rows scaled so that each feature of x has mean 0 and standard deviation 1."""
        mean, scale = x.mean(axis=0, dtype=np.float64), x.std(axis=0, dtype=np.float64)
        # A feature that is the same in all rows becomes 0.
        return replace(self, mean=tuple(mean.tolist()), scale=tuple(np.where(scale > 0, scale, 1.0).tolist()))

    def scaled(self, x: NDArray, dtype: np.dtype) -> NDArray:
        """Rows as the net takes them."""
        if self.mean is None or self.scale is None:
            return x.astype(dtype, copy=False)
        return ((x - np.array(self.mean)) / np.array(self.scale)).astype(dtype)


def default_loss(t: NDArray, targets: Sequence[str]) -> str:
    """The loss for targets of that kind: of classes for texts and whole numbers, else of numbers. Raises UsageError
    where whole numbers could be either."""
    if t.ndim == 2 or t.dtype.kind == "f":
        return "mean_squared_error"
    different = len(np.unique(t))
    if t.dtype.kind == "i" and different > MOST_CLASSES:
        raise UsageError(
            f"--loss: the target {shown(targets) or 't'} has {different} different whole numbers; choose "
            "mean_squared_error if they are numbers, or softmax_cross_entropy if they are classes"
        )
    return "softmax_cross_entropy"


def learns_classes(loss: Loss, t: NDArray) -> bool:
    """Whether a net with that loss learns the classes of these targets, and not numbers."""
    by_labels = loss.output == "softmax" and loss.label_sum is not None
    return t.ndim == 1 and (by_labels or loss.output in ("sigmoid", "sign"))


def classes_of(loss: Loss, t: NDArray) -> tuple[str | int, ...]:
    """The different targets in order: what the net will tell apart. Raises UsageError for fewer than two, and for more
    with a loss of two."""
    if t.dtype.kind == "f":
        if (t != np.rint(t)).any():
            row = int(np.flatnonzero(t != np.rint(t))[0])
            raise UsageError(
                f"--loss: {loss.name} is for classes, but the target has {t[row]} in row {row + 1}; choose a loss of "
                "numbers, such as mean_squared_error"
            )
        t = t.astype(np.int64)
    found = tuple(np.unique(t).tolist())
    if len(found) < 2:
        raise UsageError(f"--target: all rows have {found[0]!r}, expected at least two classes")
    if loss.output != "softmax" and len(found) > 2:
        raise UsageError(
            f"--loss: {loss.name} tells two classes apart, and the target has {len(found)}: {shown(map(str, found))}; "
            "choose softmax_cross_entropy"
        )
    return found


def outputs_for(loss: Loss, t: NDArray, classes: Sequence[str | int] | None) -> int:
    """How many outputs a net has that learns these targets. Raises UsageError where it takes other targets."""
    if classes is not None:
        return len(classes) if loss.output == "softmax" else 1
    if t.ndim == 1 and loss.output == "softmax":
        raise UsageError(f"--target: {loss.name} takes a column of probabilities for each class, got one column")
    if t.dtype.kind == "U":
        raise UsageError(f"--loss: {loss.name} is for numbers, but the target has text, such as {t.flat[0]!r}")
    return 1 if t.ndim == 1 else t.shape[1]


def encoded(loss: Loss, t: NDArray, classes: Sequence[str | int] | None, source: str) -> NDArray:
    """Targets as `MLP.train_step` takes them: labels, rows of -1 and +1, or numbers. Raises UsageError naming the first
    row with an unknown class, or with a number that the loss is not for."""
    if classes is None:
        if t.dtype.kind == "U":
            raise UsageError(f"{source}: the target has text, such as {t.flat[0]!r}, and the net learned numbers")
        rows = t.astype(np.float64).reshape(len(t), -1)
        refused = loss.targets.refused(rows)
        if refused is not None and refused.any():
            row, column = map(int, np.argwhere(refused)[0])
            expected = f"expected {loss.targets.values} with the loss {loss.name}"
            raise UsageError(f"{source}: the target is {rows[row, column]:.6g} in row {row + 1}, {expected}")
        return rows
    label_of = {name: label for label, name in enumerate(classes)}
    # Texts where the classes are numbers cannot be equal, and numbers where they are texts are written as texts.
    names = map(str, t.tolist()) if isinstance(classes[0], str) else t.tolist()
    labels = np.array([label_of.get(name, -1) for name in names], np.int64)
    if (labels < 0).any():
        row = int(np.flatnonzero(labels < 0)[0])
        raise UsageError(
            f"{source}: the target is {t.tolist()[row]!r} in row {row + 1}, and the net was trained on the classes "
            f"{shown(map(str, classes))}"
        )
    return 2.0 * labels.reshape(-1, 1) - 1 if loss.output == "sign" else labels


def decoded(predictions: NDArray, classes: Sequence[str | int] | None) -> list[list[Any]]:
    """A row for each prediction of a net, as users know them: the name of the class, or numbers."""
    if classes is not None:
        return [[classes[max(label, 0)]] for label in predictions.tolist()]
    return texts_of(predictions.reshape(len(predictions), -1))


def texts_of(numbers: NDArray) -> list[list[str]]:
    """Numbers (n, k) with as many digits as tell them from others of their dtype."""
    return numbers.astype(str).tolist()
