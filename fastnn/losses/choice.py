"""A loss with its numbers and options chosen, as a net has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba.core import types
from numpy.typing import NDArray

from fastnn import scalar_checks
from fastnn.items import Chosen
from fastnn.losses.item import OPTIONS, Loss
from fastnn.losses.reduction import weights_of
from fastnn.ops import checks, options
from fastnn.step.plan import LOSS

# What `MLP(loss=...)` takes beside numbers. The weights of samples belong to a batch, and without a reduction there is
# no loss of a step.
_OF_A_NET = tuple(name for name in OPTIONS if name != "sample_weight")


@dataclass(frozen=True, repr=False)
class ChosenLoss(Chosen[Loss]):
    """A loss with its numbers and its options; `class_weight` has a number for each output."""

    class_weight: tuple[float, ...] | None = None
    ignore_label: int | None = None
    reduction: str = "mean"

    @classmethod
    def find(cls, argument: str, value: Any) -> ChosenLoss:
        """A loss by its name or as an object, alone, or with its numbers and options in a dictionary; or with the one
        number that it has.

        Raises ValueError or TypeError naming the argument for any other.
        """
        if isinstance(value, ChosenLoss):
            return value
        if not isinstance(value, (tuple, list)):
            return cls.of(Loss.find(argument, value), {})
        if len(value) != 2:
            raise ValueError(
                f"{argument}: got {value!r}, expected a loss and its options, such as ('huber', {_EXAMPLE})"
            )
        item, given = Loss.find(f"{argument}[0]", value[0]), value[1]
        if not isinstance(given, Mapping):
            if len(item.numbers) != 1:
                raise TypeError(f"{argument}[1]: got {given!r}, expected a dictionary of options")
            given = {next(iter(item.numbers)): given}
        return cls.of(item, given, argument)

    @classmethod
    def of(cls, item: Loss, given: Mapping[str, Any], argument: str = "loss") -> ChosenLoss:
        """The loss with the numbers and options of that dictionary, and the defaults of others."""
        allowed = (*item.numbers, *(name for name in _OF_A_NET if name in item.options))
        for name in given:
            if name not in allowed:
                expected = ", ".join(map(repr, allowed)) or "none"
                raise ValueError(f"{argument}: got the option {name!r} of {item.name}, expected one of {expected}")
        missing = [name for name in item.numbers if name not in given and name not in item.defaults]
        if missing:
            raise ValueError(f"{argument}: got {item.name} without {missing[0]!r}, which has no default")
        weights = given.get("class_weight")
        return cls(
            item,
            tuple(check(name, given.get(name, item.defaults.get(name))) for name, check in item.numbers.items()),
            None if weights is None else tuple(checks.weights("class_weight", weights, None, "output").tolist()),
            options.ignore_label("ignore_label", given.get("ignore_label")),
            scalar_checks.choice("reduction", given.get("reduction", "mean"), ("mean", "sum")),
        )

    def check_outputs(self, outputs: int) -> None:
        """Raises ValueError unless nets with so many outputs can have this loss."""
        if self.class_weight is not None:
            checks.weights("class_weight", self.class_weight, outputs, "output")

    @property
    def options(self) -> dict[str, Any]:
        """The numbers and options that are not the defaults."""
        defaults: Mapping[str, Any] = {**self.item.defaults, **OPTIONS}
        own = {
            **self.numbers,
            "class_weight": None if self.class_weight is None else list(self.class_weight),
            "ignore_label": self.ignore_label,
            "reduction": self.reduction,
        }
        return {name: value for name, value in own.items() if name not in defaults or value != defaults[name]}

    @property
    def argument(self) -> str | tuple[str, dict[str, Any]]:
        """What `fastnn.MLP(loss=...)` takes for it: the name, with the options where they are not the defaults."""
        return (self.item.name, self.options) if self.options else self.item.name

    @property
    def has_weights(self) -> bool:
        """Whether it needs the kernels with weights, whatever the batch."""
        beyond = not self.item.plain_takes_numbers and self.numbers != self.item.defaults
        return beyond or self.class_weight is not None or self.ignore_label is not None

    def reference(self, z: NDArray, t: NDArray, sample_weight: Any = None) -> tuple[Any, NDArray]:
        """The loss and its gradient in NumPy."""
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        return self.item.reference(z, t, **self.options, **weights)

    def counted(self, t: NDArray, sample_weight: Any = None) -> NDArray:
        """What each row with targets t counts in the divisor of the mean."""
        weights = weights_of(sample_weight, len(t))
        if t.dtype.kind != "i" or not self.item.weighs_labels:
            return weights
        kept = np.ones(len(t), bool) if self.ignore_label is None else t != self.ignore_label
        if self.class_weight is not None:
            weights = weights * np.asarray(self.class_weight)[np.where(kept, t, 0)]
        return np.where(kept, weights, 0)

    def addresses(self, real: types.Float, labels: bool, sample_weights: bool) -> dict[str, int]:
        """The addresses of the step's kernels for such targets, by the names of their slots."""
        weighted = sample_weights or self.has_weights
        sums = weighted and self.reduction == "mean"
        return {
            "loss": self.item.address(real, labels, weighted),
            "sum_weights": self.item.address_of_weights(real, labels) if sums else 0,
        }

    def record(self, outputs: int, sample_weight: NDArray | None = None) -> _Record:
        """The LOSS record, for a net or a call with so many outputs."""
        numbers = np.array([*self.values, 0.0])
        by_class = np.ones(outputs) if self.class_weight is None else np.array(self.class_weight)
        by_sample = np.ones(1) if sample_weight is None else sample_weight
        record = LOSS.empty().view(_Record)
        record["numbers"], record["class_weights"] = numbers.ctypes.data, by_class.ctypes.data
        record["sample_weights"], record["sample_stride"] = by_sample.ctypes.data, 0 if sample_weight is None else 1
        record["ignores"], record["ignored"] = self.ignore_label is not None, self.ignore_label or 0
        record.keeps = numbers, by_class, by_sample
        return record


class _Record(np.ndarray):
    """A record with the arrays to which it points."""

    keeps: tuple[NDArray, ...]


_EXAMPLE = "{'delta': 2.0}"
