"""What an activation is: one declaration, from which all else about it follows.

Its array kernels, the loops of the training step, the checked public functions and their docs, the option of
`fastnn.MLP`, verification, warm-up and microbenchmarks.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numba.core import types
from numpy.typing import NDArray

from fastnn.activations import loops
from fastnn.initializers import Initializer, initializer
from fastnn.items import Chosen, Item, is_pair
from fastnn.jit import address_of, scalar
from fastnn.ops.arguments import Array, Number, finite
from fastnn.ops.declare import ALIASES, declare, stub
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
from fastnn.reference.precision import in_float64

SlopeOf = Literal["input", "output", "both"]


@dataclass(frozen=True, eq=False)
class Activation(Item):
    """An activation y = f(x) of the hidden layers.

    name : of the public functions `name` and `name_backward`, and of the option of `fastnn.MLP`.
    value : scalar function of x, in the Python that Numba compiles in nopython mode.
    backward : scalar function of dy, x and y that returns dx. It may use only what `slope_of` names; the other argument
        is the same number.
    formula : of y, a text for the docstrings. slope : of dy/dx, another. Without them the functions are named.
    numbers : what both take after these arguments, in the precision of x: the checks by their names, as those of
        `fastnn.ops.arguments`. defaults : of each number; without checks they may be any finite numbers.
    slope_of : what the slope is a function of, "input" x, "output" y or "both". The training step overwrites x unless
        it is needed.
    reference, reference_backward : the same in NumPy, of float64 arrays; the latter of (dy, x), (dy, y) or (dy, x, y).
        They take the numbers by keyword. Without them `value` and `backward` themselves, compiled for float64, take
        their place.
    init : the default initializer of layers with it, as `init` of `fastnn.MLP`.
    flops : floating-point operations of both, where exp, log or tanh count as one; 0 if they were not counted.
    ulps : how far roundings may move both, in units in the last place of `magnitude`. With them both are verified
        against their references; None where that cannot be done.
    magnitude : what errors of the backward pass are relative to, of the arguments of its reference; without it the
        result. value_magnitude : the same for the value.
    example : numbers for tests and benchmarks, beside the defaults. y_drawn : the kind of y that they draw.
    aliases : other names of it that users know.

    Raises ValueError or TypeError for parts that do not fit, with nothing registered. What Numba cannot compile shows
    at the first call, or when a net is made: TypeError names the part and the line.
    """

    by_name: ClassVar[dict[str, Activation]] = {}

    name: str
    value: Callable[..., Any]
    backward: Callable[..., Any]
    formula: str = ""
    slope: str = ""
    slope_of: SlopeOf = "both"
    reference: Callable[..., NDArray] = OWN_CODE
    reference_backward: Callable[..., NDArray] = OWN_CODE
    init: str | float | Initializer = "xavier_normal"
    flops: tuple[int, int] = (0, 0)
    ulps: tuple[float, float] | None = None
    magnitude: Callable[..., NDArray] | None = None
    value_magnitude: Callable[..., NDArray] | None = None
    numbers: Mapping[str, Number] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    example: Mapping[str, Any] = field(default_factory=dict)
    y_drawn: Array = field(default_factory=Array)
    aliases: Sequence[str] = ()

    def __post_init__(self) -> None:
        check_name(self.name)
        if not self.numbers:
            object.__setattr__(self, "numbers", dict.fromkeys(self.defaults, finite))
        if list(self.numbers) != list(self.defaults):
            raise ValueError(f"defaults: got {list(self.defaults)}, expected one of each number, {list(self.numbers)}")
        if self.slope_of not in get_args(SlopeOf):
            raise ValueError(
                f"slope_of: got {self.slope_of!r}, expected one of {', '.join(map(repr, get_args(SlopeOf)))}"
            )
        initializer(self.init)
        for part, arguments in (("value", ("x",)), ("backward", ("dy", "x", "y"))):
            function = getattr(self, part)
            check_function(self.name, part, function, (*arguments, *self.numbers))
            object.__setattr__(self, part, scalar(function))
        if self.ulps is not None and not self.has_reference:
            raise ValueError(
                f"ulps: got {self.ulps} without reference and reference_backward, against which {self.name} is verified"
            )
        for k, part in enumerate(("reference", "reference_backward")):
            if isinstance(getattr(self, part), OwnCode):
                object.__setattr__(self, part, OwnCode(partial(self._in_float64, k)))

    @property
    def has_reference(self) -> bool:
        """Whether both references are given, independent of its own code."""
        return not any(isinstance(given, OwnCode) for given in (self.reference, self.reference_backward))

    @property
    def module(self) -> str:
        """The module that declares it."""
        return self.value.__module__

    @property
    def keeps_input(self) -> bool:
        """Whether the training step must keep x for the slope."""
        return self.slope_of != "output"

    @cached_property
    def _parts(self) -> tuple[Part, Part]:
        count = len(self.numbers)
        return (
            Part(self.name, "value", self.value, lambda real: (real,) * (1 + count), a_number),
            Part(self.name, "backward", self.backward, lambda real: (real,) * (3 + count), a_number),
        )

    @cached_property
    def _step_kernels(self) -> tuple[Any, Any]:
        made = loops.step_kernels(self.name, self.value, self.backward, self.slope_of, tuple(self.numbers))
        return explained(made[0], self._parts[0]), explained(made[1], self._parts[1])

    @cached_property
    def array_kernels(self) -> tuple[Any, Any]:
        """The kernels of both on arrays of one dimension; see `fastnn.activations.loops`."""
        made = loops.array_kernels(self.name, self.value, self.backward, self.slope_of, tuple(self.numbers))
        return explained(made[0], self._parts[0]), explained(made[1], self._parts[1])

    def _in_float64(self, which: int, *arrays: NDArray, **numbers: Any) -> NDArray:
        """The value, or the backward pass, by its kernel for float64, in place of a reference."""
        flat = [np.ascontiguousarray(array, np.float64).reshape(-1) for array in arrays]
        result = np.empty_like(flat[0])
        run_in_float64(self.name, self.array_kernels[which], *flat, *(float(numbers[n]) for n in self.numbers), result)
        return result.reshape(arrays[0].shape)

    def addresses(self, real: types.Float) -> tuple[int, int]:
        """Where the loops of the training step, forward and backward, are in memory, compiled for that precision."""
        elements, numbers, size = types.CPointer(real), types.CPointer(types.float64), types.int64
        forward, backward = self._step_kernels
        return (
            address_of(forward, (elements, elements, numbers, size)),
            address_of(backward, (elements, elements, elements, numbers, size)),
        )


def activation(name: str, **parts: Any) -> Activation:
    """Declare an activation: register it under its name, and make its two public functions. See `Activation` for the
    parts; returns it.

    Raises ValueError or TypeError for parts that do not fit, and ValueError for a name that is taken, with nothing
    registered. What Numba cannot compile shows at the first call, or when a net is made: TypeError names the part and
    the line.
    """
    item = Activation(name, **parts)
    item.register(name, f"{name}_backward")
    ALIASES.update({f"{alias}{part}": f"{name}{part}" for alias in item.aliases for part in ("", "_backward")})
    forward, backward = item.array_kernels
    keywords = [
        inspect.Parameter(number, inspect.Parameter.KEYWORD_ONLY, default=default, annotation="float")
        for number, default in item.defaults.items()
    ]
    declare(
        "()->()",
        kernel=forward,
        reference=in_float64(_with_defaults(item, item.reference)),
        numbers=item.numbers,
        example=item.example,
        flops=lambda size: item.flops[0] * size,
        ulps=None if item.ulps is None else item.ulps[0],
        magnitude=_with_defaults(item, item.value_magnitude),
        flattens_leading=True,
        strided=True,
    )(stub(name, ("x",), _about_forward(item), keywords))
    arrays = loops.ARRAYS[item.slope_of]
    declare(
        f"{','.join(['()'] * len(arrays))}->()",
        kernel=backward,
        reference=in_float64(_with_defaults(item, item.reference_backward)),
        arrays={"y": item.y_drawn},
        numbers=item.numbers,
        example=item.example,
        flops=lambda size: item.flops[1] * size,
        ulps=None if item.ulps is None else item.ulps[1],
        magnitude=_with_defaults(item, item.magnitude),
        flattens_leading=True,
        strided=True,
    )(stub(f"{name}_backward", arrays, _about_backward(item, arrays), keywords))
    return item


def layer_activations(argument: str, value: Any, n_hidden: int) -> tuple[Chosen[Activation], ...]:
    """The activation of each hidden layer, of a sequence with one for each, or of one for all; that one alone where
    there is no hidden layer. Raises ValueError or TypeError naming the argument for anything else."""
    if not isinstance(value, (list, tuple)) or is_pair(value) or not value:
        return (Activation.choose(argument, value),) * max(n_hidden, 1)
    if len(value) != n_hidden:
        # Of two, the second may be meant as the numbers of the first.
        numbers = isinstance(value[-1], str) and value[-1] not in Activation.by_name and value[-1] not in ALIASES
        advice = '; numbers of an activation are given as ("leaky_relu", {"negative_slope": 0.1})' if numbers else ""
        raise ValueError(
            f"{argument}: got {len(value)} activations, expected {n_hidden}, one for each hidden layer, or one for all"
            f"{advice}"
        )
    return tuple(Activation.choose(f"{argument}[{k}]", one) for k, one in enumerate(value))


def layer_initializers(
    init: str | float | Initializer | None, activations: tuple[Chosen[Activation], ...], n_hidden: int
) -> list[Initializer]:
    """The initializer of each layer: `init`, or that of its activation, and for the last layer, without one, that of
    the layer before. Raises ValueError for what is no initializer."""
    own = [initializer(chosen.item.init if init is None else init) for chosen in activations]
    return [*own[:n_hidden], own[-1]]


def _with_defaults(item: Activation, function: Callable[..., NDArray] | None) -> Any:
    return function if function is None else partial(function, **item.defaults)


def _about_forward(item: Activation) -> Iterator[str]:
    yield f"y = {item.formula or described(item.value, ', '.join(('x', *item.numbers)))}"
    yield ""
    yield "x : float32 or float64 of any shape. Returns a new array of its shape and dtype. Raises TypeError for other"
    yield f"dtypes{', ValueError' * bool(item.numbers)}{_about_numbers(item)}."
    yield from _about_reference(item)


def _about_backward(item: Activation, arrays: tuple[str, ...]) -> Iterator[str]:
    slope = f", {item.slope}" if item.slope else ""
    yield f"dx = dy times the slope of {item.name}{slope}."
    yield ""
    known = "" if item.slope_of == "input" else f" y = {item.name}(x);"
    yield f"{', '.join(arrays)} :{known} of one shape and dtype. Returns a new array like them. Raises TypeError for"
    yield f"other dtypes, ValueError for shapes that differ{' and' * bool(item.numbers)}{_about_numbers(item)}."
    yield from _about_reference(item)


def _about_reference(item: Activation) -> Iterator[str]:
    if not item.has_reference:
        yield from OWN_REFERENCE


def _about_numbers(item: Activation) -> str:
    return f" for {' or '.join(item.numbers)} out of range" if item.numbers else ""
