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

from fastnn.intrinsics.vector import Vector
from fastnn.jit import address_of, scalar
from fastnn.ops.arguments import Array, Gradient, Number, finite
from fastnn.ops.declare import ALIASES, DECLARED, declare, stub
from fastnn.ops.given import (
    OWN_CODE,
    OWN_REFERENCE,
    OwnCode,
    Part,
    a_number,
    check_function,
    check_name,
    described,
    explained,
    run_in_float64,
)
from fastnn.optimizers import kernels


def constants_of(hyper: Sequence[str], given: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """The function `constants` of a rule that takes its hyper-parameters themselves, but for the weight decay; or what
    `given` makes of the number of the step and of them."""
    count = len(hyper)
    if "weight_decay" not in hyper:

        @scalar
        def decay_and_others(hyper):  # type: ignore[no-untyped-def]
            return 0.0, hyper

    else:
        at = hyper.index("weight_decay")
        after = at + 1

        @scalar
        def decay_and_others(hyper):  # type: ignore[no-untyped-def]
            return hyper[at], hyper[:at] + hyper[after:count]

    if given is None:

        @scalar
        def constants(step, hyper):  # type: ignore[no-untyped-def]
            decay, others = decay_and_others(hyper)
            return (decay,) + others  # noqa: RUF005

    else:

        @scalar
        def constants(step, hyper):  # type: ignore[no-untyped-def]
            decay, others = decay_and_others(hyper)
            return (decay,) + given(step, *others)  # noqa: RUF005

    return constants


def tuple_of_numbers(count: int) -> Callable[[types.Type], str | None]:
    """The check of a function of constants."""

    def check(returned: types.Type) -> str | None:
        kinds = list(returned) if isinstance(returned, types.BaseTuple) else []
        if len(kinds) == count and not any(map(a_number, kinds)):
            return None
        return f"{returned}, expected a tuple of {count} numbers"

    return check


def _hyper_parameters(step: Any, hyper: Any) -> Any:
    """Stands for the function `constants` of a rule that takes its hyper-parameters."""
    raise NotImplementedError


# Every update rule by the name of its public function.
RULES: dict[str, UpdateRule] = {}


@dataclass(frozen=True, eq=False)
class UpdateRule:
    """An update of weights w by a gradient g, in place.

    name : the name of the public function. formula : for the docs; without it the rule is named.
    moments : the names of the arrays that it keeps, which start at zero, each with its kind of argument for tests and
        benchmarks.
    numbers : the hyper-parameters in order, each with its check. The one named `weight_decay` is the weight decay. If
        the first is named `step`, it is the number of the step, from 1.
    defaults : the defaults of the numbers in the public function.
    constants : nopython function (step, hyper) that returns a tuple of numbers: the weight decay, then the constants
        that `rule` takes. Without it, the rule takes the hyper-parameters themselves, but for the weight decay.
    rule : nopython function (g, moments, c) of vectors; see `fastnn.optimizers.loops`. divides : whether it returns a
        denominator. n_constants : the length of c, where there is a function `constants`.
    decoupled : whether weight decay leaves the gradient alone. The first of the constants is then the fraction by which
        weights shrink: w ← w (1 - fraction) - numerator / denominator.
    is_linear : whether the update is w - c[0] g.
    gradient : the kind of argument that g is, for tests and benchmarks; `Gradient()`, where the rule takes squares, if
        it divides.
    reference : in NumPy, (w, g, *moments, **numbers), in place. Without it the rule itself, compiled for float64, takes
        its place.
    magnitude, flops, ulps, example : for tests and benchmarks; see `fastnn.ops.declaration`. With `ulps` the rule is
        verified against its reference.

    Raises ValueError or TypeError for parts that do not fit, with nothing registered. What Numba cannot compile shows
    at the first call or training step: TypeError names the part and the line.
    """

    name: str
    rule: Callable[..., Any]
    formula: Sequence[str] = ()
    moments: Mapping[str, Array] = field(default_factory=dict)
    numbers: Mapping[str, Number] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    constants: Callable[..., Any] = _hyper_parameters
    n_constants: int = 0
    divides: bool = False
    reference: Callable[..., None] = OWN_CODE
    magnitude: Callable[..., Any] | None = None
    flops: int = 0
    ulps: float | None = None
    example: Mapping[str, Any] = field(default_factory=dict)
    is_linear: bool = False
    decoupled: bool = False
    gradient: Array | None = None
    parts: Sequence[Part] = ()
    hyper: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        check_name(self.name)
        own = self._set
        if not self.numbers:
            own(numbers=dict.fromkeys(self.defaults, finite))
        if not self.defaults.keys() <= self.numbers.keys():
            raise ValueError(f"defaults: got {list(self.defaults)}, expected some of the numbers, {list(self.numbers)}")
        own(hyper=tuple(name for name in self.numbers if name != "step"))
        check_function(self.name, "rule", self.rule, ("g", "moments", "c"))
        own(rule=scalar(self.rule))
        if self.constants is _hyper_parameters:
            own(
                constants=constants_of(self.hyper),
                n_constants=len([name for name in self.hyper if name != "weight_decay"]),
            )
        check_function(self.name, "constants", self.constants, ("step", "hyper"))
        own(constants=scalar(self.constants))
        most = kernels.MOST_NUMBERS
        if max(len(self.hyper), self.n_constants + 1) > most:
            raise ValueError(f"numbers: got {len(self.hyper)}, expected at most {most - 1} for the rule {self.name}")
        if self.ulps is not None and not self.has_reference:
            raise ValueError(f"ulps: got {self.ulps} without a reference, against which {self.name} is verified")
        if not self.has_reference:
            own(reference=OwnCode(self._in_float64))
        if not self.parts:
            own(parts=self._own_parts())

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def module(self) -> str:
        """The module that declares it."""
        return self.rule.__module__

    @property
    def has_reference(self) -> bool:
        """Whether a reference is given, independent of its own code."""
        return not isinstance(self.reference, OwnCode)

    def _own_parts(self) -> tuple[Part, Part]:
        moments, constants = len(self.moments), self.n_constants

        def of_rule(real: types.Float) -> tuple[types.Type, ...]:
            vector = Vector(real)
            return vector, types.UniTuple(vector, moments), types.UniTuple(vector, constants)

        def of_constants(real: types.Float) -> tuple[types.Type, ...]:
            return types.int64, types.UniTuple(types.float64, len(self.hyper))

        def check_rule(returned: types.Type) -> str | None:
            parts = list(returned) if isinstance(returned, types.BaseTuple) else []
            kinds = (types.BaseTuple, Vector, Vector if self.divides else types.NoneType)
            right = len(parts) == 3 and all(map(isinstance, parts, kinds)) and len(parts[0]) == moments
            if right and all(isinstance(kind, Vector) for kind in parts[0]):
                return None
            last = "a vector" if self.divides else "None, with divides=False"
            return f"{returned}, expected ((the {moments} new moments), numerator, denominator: {last})"

        return (
            Part(self.name, "rule", self.rule, of_rule, check_rule),
            Part(self.name, "constants", self.constants, of_constants, tuple_of_numbers(constants + 1)),
        )

    @cached_property
    def _step_kernels(self) -> kernels.StepKernels:
        made = kernels.step_kernels(
            self.name,
            self.rule,
            self.divides,
            self.decoupled,
            self.constants,
            len(self.moments),
            len(self.hyper),
            self.n_constants,
        )
        return kernels.StepKernels(*(explained(kernel, *self.parts) for kernel in made))

    @cached_property
    def array_kernel(self) -> Any:
        """The kernel on arrays of one dimension; see `fastnn.optimizers.kernels`."""
        made = kernels.array_kernel(
            self.name,
            self.rule,
            self.divides,
            self.decoupled,
            self.constants,
            tuple(self.moments),
            tuple(self.numbers),
            self.n_constants,
        )
        return explained(made, *self.parts)

    def _in_float64(self, *arrays: NDArray, **numbers: Any) -> None:
        """The update by the kernel for float64, in place of a reference."""
        wide = [np.array(array, np.float64).reshape(-1) for array in arrays]
        values = {**self.defaults, **numbers}
        run_in_float64(self.name, self.array_kernel, *wide, *(values[name] for name in self.numbers))
        for k, (array, result) in enumerate(zip(arrays, wide, strict=True)):
            if k != 1:  # the gradient
                array[...] = result.reshape(array.shape)

    def addresses(self, real: types.Float, near: bool) -> dict[str, int]:
        """The addresses of the step's kernels, compiled for that precision, by the names of their slots.

        near : whether weights and moments stay in a near cache from step to step.
        """
        row, size, doubles = types.CPointer(real), types.int64, types.CPointer(types.float64)
        own = self._step_kernels
        rank_one_update = own.near_rank_one_update if near else own.rank_one_update
        return {
            "update": address_of(own.update, (row, row, row, size, size, doubles)),
            "rank_one_update": address_of(rank_one_update, (row, row, size, row, size, row, size, doubles)),
            "compute_constants": address_of(own.compute_constants, (doubles, size, doubles)),
        }


def update_rule(name: str, *, moments: Mapping[str, Array] | Sequence[str] = (), **parts: Any) -> UpdateRule:
    """Declare an update rule: register it under its name, and make its public function. See `UpdateRule` for the
    parts; `moments` may be names alone. Returns the rule.

    Raises ValueError or TypeError for parts that do not fit, and ValueError for a name that is taken, with nothing
    registered. What Numba cannot compile shows at the first call or training step: TypeError names the part and the
    line.
    """
    kinds = moments if isinstance(moments, Mapping) else {moment: Array() for moment in moments}
    rule, other = UpdateRule(name, moments=kinds, **parts), RULES.get(name)
    taken = name in DECLARED or name in ALIASES if other is None else other.module != rule.module
    if taken:
        raise ValueError(f"name: got {name!r}, which is taken, expected a new one")
    RULES[name] = rule
    arrays, kind = ("w", "g", *rule.moments), inspect.Parameter.KEYWORD_ONLY
    numbers = [
        inspect.Parameter(number, kind, default=rule.defaults.get(number, inspect.Parameter.empty))
        for number in rule.numbers
    ]
    written = ("w", *rule.moments)
    declare(
        f"{','.join(['()'] * len(arrays))}->{','.join(['()'] * len(written))}",
        kernel=rule.array_kernel,
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
    coupled_constants, of_coupled = rule.constants, rule.magnitude or _unknown
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
        of_w, *of_moments = of_coupled(w, *arrays, **{**numbers, "weight_decay": 0.0})
        return (of_w + numbers["lr"] * numbers["weight_decay"] * np.abs(w), *of_moments)

    own = {part.name: getattr(rule, part.name) for part in fields(rule) if part.init and part.name != "name"}
    changed = {
        "formula": formula,
        "defaults": defaults,
        "constants": constants,
        "reference": reference,
        "magnitude": None if rule.magnitude is None else magnitude,
        "decoupled": True,
        "parts": (),
    }
    return update_rule(name, **{**own, **changed})


def _unknown(*arrays: NDArray, **numbers: Any) -> tuple[NDArray, ...]:
    """Stands for the magnitude of a rule that is not verified."""
    raise NotImplementedError


def _about(rule: UpdateRule, written: Sequence[str]) -> list[str]:
    kept = f"; {' and '.join(rule.moments)} start at zero" if rule.moments else ""
    step = " step : from 1." if "step" in rule.numbers else ""
    return [
        *(rule.formula or (described(rule.parts[0].function, "g, ..."),)),
        "",
        f"{', '.join(written)} : written in place, C-contiguous{kept}; g : the gradient; of one shape and",
        f"dtype, float32 or float64.{step} Returns nothing. Raises TypeError for other dtypes; ValueError for shapes",
        "that differ, an array that cannot be written or shares memory with another, and numbers out of range.",
        *(() if rule.has_reference else OWN_REFERENCE),
    ]
