"""Options of a public function that take it to another kernel, such as the weights of a loss's samples.

The kernel of the declaration knows nothing of them, so that a call without options costs what it would cost if there
were none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn import scalar_checks
from fastnn.ops import checks
from fastnn.ops.arguments import fraction_or_one

# (name, value, the shape of the first array as rows) to the value, checked.
Check = Callable[[str, Any, tuple[int, int]], Any]


@dataclass(frozen=True)
class Options:
    """Keyword-only parameters of a function of rows that returns a number and one array.

    defaults : by their names, in the order of the parameters. compute : takes the arrays, the numbers and the options
    by their names, all checked, and the array to be written; returns the number. Where the number is an array instead,
    it is returned as it is.
    """

    defaults: Mapping[str, Any]
    compute: Callable[[list[NDArray], Mapping[str, Any], Mapping[str, Any], NDArray], Any]


def sample_weight(name: str, value: Any, shape: tuple[int, int]) -> NDArray | None:
    """The weights of the rows, float64, or None."""
    return None if value is None else checks.weights(name, value, shape[0], "row")


def class_weight(name: str, value: Any, shape: tuple[int, int]) -> NDArray | None:
    """The weights of the outputs, float64, or None."""
    return None if value is None else checks.weights(name, value, shape[1], "output")


def label_smoothing(name: str, value: Any, shape: tuple[int, int] | None = None) -> float:
    """A number in [0, 1]."""
    return fraction_or_one(name, value)


def ignore_label(name: str, value: Any, shape: tuple[int, int] | None = None) -> int | None:
    """A label, which need not be one of a class, or None."""
    return None if value is None else scalar_checks.count(name, value, low=-(2**63))


def reduction(name: str, value: Any, shape: tuple[int, int] | None = None) -> str:
    """ "mean", "sum" or "none"."""
    return scalar_checks.choice(name, value, ("mean", "sum", "none"))


CHECKS: Mapping[str, Check] = {
    "label_smoothing": label_smoothing,
    "sample_weight": sample_weight,
    "class_weight": class_weight,
    "ignore_label": ignore_label,
    "reduction": reduction,
}


def checked(options: Mapping[str, Any], array: NDArray) -> dict[str, Any]:
    """The options, checked for a call whose first array that is."""
    rows = array.shape if array.ndim == 2 else (len(array), 1)
    return {name: CHECKS[name](name, value, (rows[0], rows[1])) for name, value in options.items()}


def all_default(options: Mapping[str, Any], defaults: Mapping[str, Any]) -> bool:
    """Whether all options are as without any."""
    return all(
        value is defaults[name] or (type(value) is type(defaults[name]) and value == defaults[name])
        for name, value in options.items()
    )


def without_ignored(labels: NDArray[np.int64], ignored: int | None) -> NDArray[np.int64]:
    """The labels for the check of their range, which an ignored one passes."""
    return labels if ignored is None else np.where(labels == ignored, 0, labels)
