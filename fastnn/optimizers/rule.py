"""What an update rule is: one declaration, from which its kernels and its public function follow."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

import numpy as np
from numba.core import types
from numpy.typing import NDArray

from fastnn.jit import address_of, scalar
from fastnn.ops.arguments import Array, Gradient, Number
from fastnn.ops.declare import declare, stub
from fastnn.optimizers import loops

# Every update rule by the name of its public function.
RULES: dict[str, UpdateRule] = {}


@dataclass(frozen=True, eq=False)
class UpdateRule:
    """An update of weights w by a gradient g, in place.

    name : the name of the public function. formula : for the docs.
    moments : the names of the arrays that it keeps, which start at zero, each with its kind of argument for tests and
        benchmarks.
    numbers : the hyper-parameters in order, each with its check; one is `weight_decay`. If the first is named `step`,
        it is the number of the step, from 1.
    defaults : the defaults of the numbers in the public function.
    constants : nopython function (step, hyper) that returns a tuple of numbers: the weight decay, then the constants
        that `rule` takes.
    rule : nopython function (g, moments, c) of vectors; see `fastnn.optimizers.loops`. divides : whether it returns a
        denominator. n_constants : the length of c.
    decoupled : whether weight decay leaves the gradient alone. The first of the constants is then the fraction by which
        weights shrink: w ← w (1 - fraction) - numerator / denominator.
    is_linear : whether the update is w - c[0] g.
    gradient : the kind of argument that g is, for tests and benchmarks; `Gradient()`, where the rule takes squares, if
        it divides.
    reference : in NumPy, (w, g, *moments, **numbers), in place.
    magnitude, flops, ulps, example : for tests and benchmarks; see `fastnn.ops.declaration`.
    """

    name: str
    formula: Sequence[str]
    moments: Mapping[str, Array]
    numbers: Mapping[str, Number]
    defaults: Mapping[str, Any]
    constants: Callable[..., Any]
    rule: Callable[..., Any]
    n_constants: int
    divides: bool
    reference: Callable[..., None]
    magnitude: Callable[..., Any]
    flops: int
    ulps: float
    example: Mapping[str, Any]
    is_linear: bool = False
    decoupled: bool = False
    gradient: Array | None = None
    hyper: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "hyper", tuple(name for name in self.numbers if name != "step"))

    @cached_property
    def _step_kernels(self) -> tuple[Any, Any, Any]:
        return loops.step_kernels(
            self.name,
            self.rule,
            self.divides,
            self.decoupled,
            self.constants,
            len(self.moments),
            len(self.hyper),
            self.n_constants,
        )

    def addresses(self, real: types.Float) -> dict[str, int]:
        """The addresses of the step's kernels, compiled for that precision, by the names of their slots."""
        row, size, doubles = types.CPointer(real), types.int64, types.CPointer(types.float64)
        update, rank_one_update, compute_constants = self._step_kernels
        return {
            "update": address_of(update, (row, row, row, size, size, doubles)),
            "rank_one_update": address_of(rank_one_update, (row, row, size, row, size, row, size, doubles)),
            "compute_constants": address_of(compute_constants, (doubles, size, doubles)),
        }


def update_rule(name: str, **parts: Any) -> UpdateRule:
    """Declare an update rule: register it under its name, and make its public function. See `UpdateRule` for the
    parts."""
    rule = RULES[name] = UpdateRule(name, **parts)
    arrays, kind = ("w", "g", *rule.moments), inspect.Parameter.KEYWORD_ONLY
    numbers = [
        inspect.Parameter(number, kind, default=rule.defaults.get(number, inspect.Parameter.empty))
        for number in rule.numbers
    ]
    written = ("w", *rule.moments)
    declare(
        f"{','.join(['()'] * len(arrays))}->{','.join(['()'] * len(written))}",
        kernel=loops.array_kernel(
            name,
            rule.rule,
            rule.divides,
            rule.decoupled,
            rule.constants,
            tuple(rule.moments),
            tuple(rule.numbers),
            rule.n_constants,
        ),
        reference=rule.reference,
        arrays={"g": rule.gradient or (Gradient() if rule.divides else Array()), **rule.moments},
        numbers=rule.numbers,
        example=rule.example,
        flops=lambda size: rule.flops * size,
        ulps=rule.ulps,
        magnitude=rule.magnitude,
        flattens_leading=True,
        in_place=written,
    )(stub(name, arrays, _about(rule, written), numbers, out=False))
    return rule


def decoupled(rule: UpdateRule, name: str, formula: Sequence[str], weight_decay: float) -> UpdateRule:
    """Declare another rule: `rule` with decoupled weight decay, w ← w (1 - lr weight_decay) - what `rule` subtracts,
    the gradient left alone (Loshchilov and Hutter, Decoupled weight decay regularization, 2019).

    Its numbers are those of `rule`, `lr` among them, with that default of `weight_decay`.
    """
    defaults = {**rule.defaults, "weight_decay": weight_decay}
    coupled_constants = rule.constants
    lr_at, decay_at = rule.hyper.index("lr"), rule.hyper.index("weight_decay")

    @scalar
    def constants(step, hyper):  # type: ignore[no-untyped-def]
        return (hyper[lr_at] * hyper[decay_at],) + coupled_constants(step, hyper)[1:]  # noqa: RUF005

    def reference(w: NDArray, *arrays: NDArray, **given: Any) -> None:
        numbers = {**defaults, **given}
        w64 = w.astype(np.float64)
        if numbers["weight_decay"]:
            w64 *= 1 - numbers["lr"] * numbers["weight_decay"]
        rule.reference(w64, *arrays, **{**numbers, "weight_decay": 0.0})
        w[...] = w64

    coupled = inspect.signature(rule.reference)
    parameters = [p.replace(default=defaults.get(name, p.default)) for name, p in coupled.parameters.items()]
    reference.__signature__ = coupled.replace(parameters=parameters)  # type: ignore[attr-defined]

    def magnitude(w: NDArray, *arrays: NDArray, **given: Any) -> tuple[NDArray, ...]:
        numbers = {**defaults, **given}
        of_w, *of_moments = rule.magnitude(w, *arrays, **{**numbers, "weight_decay": 0.0})
        return (of_w + numbers["lr"] * numbers["weight_decay"] * np.abs(w), *of_moments)

    own = {part.name: getattr(rule, part.name) for part in fields(rule) if part.init and part.name != "name"}
    changed = {
        "formula": formula,
        "defaults": defaults,
        "constants": constants,
        "reference": reference,
        "magnitude": magnitude,
        "decoupled": True,
    }
    return update_rule(name, **{**own, **changed})


def _about(rule: UpdateRule, written: Sequence[str]) -> list[str]:
    kept = f"; {' and '.join(rule.moments)} start at zero" if rule.moments else ""
    step = " step : from 1." if "step" in rule.numbers else ""
    return [
        *rule.formula,
        "",
        f"{', '.join(written)} : written in place, C-contiguous{kept}; g : the gradient; of one shape and",
        f"dtype, float32 or float64.{step} Returns nothing. Raises TypeError for other dtypes; ValueError for shapes",
        "that differ, an array that cannot be written or shares memory with another, and numbers out of range.",
    ]
