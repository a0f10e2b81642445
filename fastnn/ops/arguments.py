"""Kinds of arguments: the values each accepts, and how tests and benchmarks draw random ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fastnn import scalar_checks
from fastnn.ops import checks

# The styles of random inputs: mild values; a wide range; near the smallest normal number; all equal; with NaN and
# infinities.
STYLES = ("ordinary", "large", "tiny", "equal", "special")

# Probabilities that were computed in half precision may be above 1 by so much.
_LARGEST_PROBABILITY = 1.001


@dataclass(frozen=True)
class Array:
    """An array argument. This base class is an array of floats of any value."""

    # For messages: what values are expected where they are targets.
    values: ClassVar[str] = "numbers"

    def check(self, name: str, value: Any, dtype: np.dtype | None, like: str) -> NDArray:
        """`value` as an array of a dtype that the kernel takes; shapes are checked later.

        `like` names what the `dtype` comes from, for the message. See `fastnn.ops.checks` for what is raised.
        """
        return checks.float_array(name, value, dtype, like)

    def holds_labels(self, ndim: int) -> bool:
        """Whether an array of `ndim` dimensions holds labels, which are integers."""
        return False

    def value_check(self, name: str, like: NDArray, sizes: Mapping[str, int]) -> Callable[[NDArray], None] | None:
        """The check of the values of arrays with the shape and dtype of `like`; None if any value is accepted.

        `sizes` are the sizes of the dimensions by their names.
        """
        return None

    def refused(self, values: NDArray) -> NDArray[np.bool_] | None:
        """Which of these floats are no targets of the kind; None if any value is accepted. NaN, which stands for what
        is missing, never is refused.

        For whoever has many targets at once, as `MLP.fit`: a call of a public function does not look at them.
        """
        return None

    def draw(
        self, rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype, style: str, sizes: Mapping[str, int]
    ) -> NDArray:
        """A random array of one of the `STYLES`."""
        values = rng.standard_normal(shape)
        if style == "large":
            values *= 10.0 ** rng.integers(-2, 5, shape)
        elif style == "tiny":
            values *= np.finfo(dtype).tiny
        elif style == "equal":
            values[...] = 0.5
        elif style == "special" and values.size:
            for special in (np.nan, np.inf, -np.inf, 0.0, -0.0):
                values.flat[rng.integers(values.size)] = special
        return values.astype(dtype)


@dataclass(frozen=True)
class Probabilities(Array):
    """Rows that sum to 1; the style "special" has exact zeros and ones."""

    values = "probabilities, from 0 to 1,"

    def refused(self, values):
        # Not for their sums: rows of other sums weigh more or less, and formulas have that.
        return _no_probabilities(values)

    def draw(self, rng, shape, dtype, style, sizes):
        weights = np.exp(rng.standard_normal(shape) * (20 if style == "large" else 1))
        if style == "equal":
            weights[...] = 1
        rows = weights / weights.sum(axis=-1, keepdims=True)
        if style == "special" and rows.size:
            first = rows.reshape(-1, shape[-1])[0]
            first[...] = 0
            first[0] = 1
        return rows.astype(dtype)


@dataclass(frozen=True)
class LogProbabilities(Array):
    """Logarithms of probabilities: numbers of at most 0."""

    def draw(self, rng, shape, dtype, style, sizes):
        return -np.abs(super().draw(rng, shape, dtype, style, sizes))


@dataclass(frozen=True)
class Gradient(Array):
    """Numbers that the kernel squares: "tiny" ones are near the square root of the smallest normal number."""

    def draw(self, rng, shape, dtype, style, sizes):
        values = super().draw(rng, shape, dtype, "ordinary" if style == "tiny" else style, sizes)
        return values * np.sqrt(np.finfo(dtype).tiny) if style == "tiny" else values


@dataclass(frozen=True)
class NotNegative(Array):
    """Numbers of at least 0, such as counts, or the running mean of squares that an optimizer keeps."""

    values = "numbers of at least 0"

    def refused(self, values):
        return values < 0

    def draw(self, rng, shape, dtype, style, sizes):
        return np.abs(super().draw(rng, shape, dtype, style, sizes))


@dataclass(frozen=True)
class Labels(Array):
    """Integers in [0, the size of the dimension `bound`)."""

    bound: str = "c"

    def holds_labels(self, ndim):
        return True

    def check(self, name, value, dtype, like):
        return checks.label_array(name, value)

    def value_check(self, name, like, sizes):
        return partial(checks.labels_in_range, name, classes=sizes[self.bound])

    def draw(self, rng, shape, dtype, style, sizes):
        if style == "equal":
            return np.zeros(shape, np.int64)
        return rng.integers(0, sizes[self.bound], shape)


@dataclass(frozen=True)
class LabelsOrRows(Labels):
    """Labels (n,), or rows of target probabilities (n, c)."""

    values = Probabilities.values

    def refused(self, values):
        return _no_probabilities(values)

    def holds_labels(self, ndim):
        return ndim == 1

    def check(self, name, value, dtype, like):
        return checks.label_array_or_rows(name, value, dtype, like)

    def value_check(self, name, like, sizes):
        return super().value_check(name, like, sizes) if self.holds_labels(like.ndim) else None

    def draw(self, rng, shape, dtype, style, sizes):
        labels = super().draw(rng, shape[:1], dtype, style, sizes)
        return labels if len(shape) == 1 else np.eye(shape[1], dtype=dtype)[labels]


@dataclass(frozen=True)
class Fractions(Array):
    """Numbers from 0 to 1; the style "special" has both exactly."""

    def draw(self, rng, shape, dtype, style, sizes):
        values = np.full(shape, 0.5) if style == "equal" else rng.random(shape)
        if style == "special" and values.size:
            values.flat[rng.integers(values.size, size=2)] = 0.0, 1.0
        return values.astype(dtype)


@dataclass(frozen=True)
class ZerosAndOnes(Array):
    """Targets of one or several answers, yes or no: 1 or 0, or a probability. Integers 0 and 1 are taken too."""

    values = "0, 1 or a probability"

    def refused(self, values):
        return _no_probabilities(values)

    def check(self, name, value, dtype, like):
        array = checks.plain_array(name, value)
        if array.dtype.kind in "iu" and dtype is not None:
            wrong = np.argwhere((array != 0) & (array != 1))
            if len(wrong):
                found = array[tuple(wrong[0])]
                raise ValueError(f"{name}: got label {found} at position {wrong[0].tolist()}, expected labels 0 or 1")
            return array.astype(dtype)
        return super().check(name, value, dtype, like)

    def draw(self, rng, shape, dtype, style, sizes):
        if style == "equal":
            return np.zeros(shape, dtype)
        return (rng.random(shape) if style == "large" else rng.integers(0, 2, shape)).astype(dtype)


@dataclass(frozen=True)
class Signs(Array):
    """Targets -1 and +1."""

    values = "-1 or +1"

    def refused(self, values):
        return (values != -1) & (values != 1) & ~np.isnan(values)

    def draw(self, rng, shape, dtype, style, sizes):
        return np.where((rng.random(shape) < 0.5) & (style != "equal"), -1, 1).astype(dtype)


def _no_probabilities(values: NDArray) -> NDArray[np.bool_]:
    return (values < 0) | (values > _LARGEST_PROBABILITY)


Number = Callable[[str, Any], Any]  # (name, value) to the value, checked, in the type that the kernel is compiled for


def finite(name: str, value: Any) -> float:
    """Any finite number.

    Raises TypeError for what is no number, ValueError for any other number, naming it.
    """
    return scalar_checks.number(name, value, -np.inf, above=True)


def not_negative(name: str, value: Any) -> float:
    """A number of at least 0.

    Raises TypeError for what is no number, ValueError for any other number, naming it.
    """
    return scalar_checks.number(name, value, 0.0)


def positive(name: str, value: Any) -> float:
    """A number above 0.

    Raises TypeError for what is no number, ValueError for any other number, naming it.
    """
    return scalar_checks.number(name, value, 0.0, above=True)


def fraction(name: str, value: Any) -> float:
    """A number in [0, 1).

    Raises TypeError for what is no number, ValueError for any other number, naming it.
    """
    return scalar_checks.number(name, value, 0.0, 1.0)


def fraction_or_one(name: str, value: Any) -> float:
    """A number in [0, 1].

    Raises TypeError for what is no number, ValueError for any other number, naming it.
    """
    return scalar_checks.fraction_or_one(name, value)


def flag(name: str, value: Any) -> bool:
    """True or False.

    Raises TypeError for anything else, naming it.
    """
    return scalar_checks.flag(name, value)


def step_number(name: str, value: Any) -> int:
    """The number of a step, at least 1.

    Raises TypeError for what is no integer, ValueError for any other integer, naming it.
    """
    return scalar_checks.count(name, value)


def size_number(name: str, value: Any) -> int:
    """The size of a dimension, at least 1.

    Raises TypeError for what is no integer, ValueError for any other integer, naming it.
    """
    return scalar_checks.count(name, value)
