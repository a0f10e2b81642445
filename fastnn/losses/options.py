"""The options of a loss's public function, and their kernel."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cache
from typing import Any

import numba
import numpy as np
from numba.core.dispatcher import Dispatcher
from numpy.typing import NDArray

from fastnn.intrinsics import BorrowedArray
from fastnn.jit import DISABLED, entry_point
from fastnn.losses.choice import ChosenLoss
from fastnn.losses.item import OPTIONS, Loss
from fastnn.ops.options import Options

_TYPES = {
    "sample_weight": "ArrayLike | None",
    "class_weight": "ArrayLike | None",
    "ignore_label": "int | None",
    "reduction": "str",
}


def parameters_of(
    numbers: Iterable[str], defaults: Mapping[str, float], options: Collection[str]
) -> list[inspect.Parameter]:
    """The keyword-only parameters of a loss's public function and reference: numbers, then options."""
    kind = inspect.Parameter.KEYWORD_ONLY
    own = [
        inspect.Parameter(name, kind, default=defaults.get(name, inspect.Parameter.empty), annotation="float")
        for name in numbers
    ]
    return own + [
        inspect.Parameter(name, kind, default=OPTIONS[name], annotation=_TYPES[name])
        for name in OPTIONS
        if name in options
    ]


def with_parameters(
    function: Callable[..., Any], arrays: Iterable[str], keywords: Iterable[inspect.Parameter], module: str
) -> Callable[..., Any]:
    """The function itself, which from now on says that it takes these arrays and keywords, and is of that module."""
    first = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in arrays]
    function.__signature__ = inspect.Signature([*first, *keywords])  # type: ignore[attr-defined]
    function.__module__ = module
    return function


def options_of(item: Loss, kernel: Dispatcher) -> Options:
    """The options of its public function.

    kernel : takes z (n, outputs), the targets, the address of a LOSS record, the scale of the gradient, losses (n, k)
    in float64 and dz, both to be written. k is 1 for the weighted sums of each row's losses, or the number of outputs
    for the losses themselves.
    """

    @cache
    def compiled(z: Any, t: Any) -> Any:
        return entry_point(kernel, (z, t, numba.int64, numba.float64, BorrowedArray(numba.float64, 2), z))

    def compute(arrays: list[NDArray], numbers: Mapping[str, Any], options: Mapping[str, Any], dz: NDArray) -> Any:
        z, t = arrays
        if DISABLED:
            loss, dz[...] = item.reference(z, t, **numbers, **options)
            return loss
        rows, gradient = z.reshape(len(z), -1), dz.reshape(len(z), -1)
        n, outputs = rows.shape
        targets = t if t.dtype.kind == "i" else t.reshape(n, outputs)
        weights, reduction = options["sample_weight"], options.get("reduction", "mean")
        of_a_net = {name: options[name] for name in options if name not in ("sample_weight", "reduction")}
        choice = ChosenLoss.of(item, {**numbers, **of_a_net})
        record = choice.record(outputs, weights)
        terms = item.terms_per_row(outputs)
        losses = np.empty((n, terms if reduction == "none" else 1))
        # The root of a mean is taken below; until then slopes keep their size.
        divisor = float(choice.counted(targets, weights).sum()) * terms if reduction == "mean" else 1.0
        scale = 1.0 if item.root else 1 / divisor if divisor else 0.0
        run = compiled(_borrowed(rows), _borrowed(targets))
        run(rows, targets, record.ctypes.data, scale, losses, gradient)
        with np.errstate(all="ignore"):
            if reduction == "none":
                return losses.astype(z.dtype).reshape(z.shape if item.mean_over == "elements" else (n,))
            loss = losses.sum() / np.float64(divisor)
            if item.root:
                loss = np.sqrt(loss)
                gradient[...] = 0 if loss == 0 or not divisor else gradient.astype(float) / (2 * loss * divisor)
            return z.dtype.type(loss)

    # Numbers that the kernel without weights does not take are options of the function.
    others = {} if item.plain_takes_numbers else item.defaults
    return Options({**others, **{name: OPTIONS[name] for name in OPTIONS if name in item.options}}, compute)


def _borrowed(array: NDArray) -> BorrowedArray:
    return BorrowedArray(numba.from_dtype(array.dtype), array.ndim)
