"""What an activation is: one declaration, from which all else about it follows.

Its array kernels, the loops of the training step, the checked public functions and their docs, the option of
`fastnn.MLP`, verification, warm-up and microbenchmarks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal, get_args

from numba.core import types
from numpy.typing import NDArray

from fastnn.activations import loops
from fastnn.initializers import Initializer, initializer
from fastnn.items import Item
from fastnn.jit import address_of
from fastnn.ops.declare import declare, stub
from fastnn.reference.precision import in_float64

SlopeOf = Literal["input", "output", "both"]


@dataclass(frozen=True, eq=False)
class Activation(Item):
    """An activation y = f(x) of the hidden layers.

    name : of the public functions `name` and `name_backward`, and of the option of `fastnn.MLP`.
    formula : of y, a text for the docstrings. slope : of dy/dx, another.
    value : nopython scalar function of x, decorated with `fastnn.jit.scalar`.
    backward : nopython scalar function of dy, x and y that returns dx. It may use only what `slope_of` names; the
        other argument is the same number.
    slope_of : what the slope is a function of, "input" x, "output" y or "both". The training step overwrites x unless
        it is needed.
    reference, reference_backward : the same in NumPy, of float64 arrays; the latter of (dy, x), (dy, y) or (dy, x, y).
    init : the default initializer of nets with it, as `init` of `fastnn.MLP`.
    flops : floating-point operations of both, where exp, log or tanh count as one.
    ulps : how far roundings may move both, in units in the last place of `magnitude`.
    magnitude : what errors of the backward pass are relative to, of its float64 arguments; without it the result.
    """

    by_name: ClassVar[dict[str, Activation]] = {}

    name: str
    formula: str
    slope: str
    value: Callable[..., Any]
    backward: Callable[..., Any]
    slope_of: SlopeOf
    reference: Callable[..., NDArray]
    reference_backward: Callable[..., NDArray]
    init: str | float | Initializer
    flops: tuple[int, int]
    ulps: tuple[float, float]
    magnitude: Callable[..., NDArray] | None = None

    def __post_init__(self) -> None:
        if self.slope_of not in get_args(SlopeOf):
            raise ValueError(
                f"slope_of: got {self.slope_of!r}, expected one of {', '.join(map(repr, get_args(SlopeOf)))}"
            )
        initializer(self.init)

    @property
    def module(self) -> str:
        """The module that declares it."""
        return self.value.__module__

    @property
    def keeps_input(self) -> bool:
        """Whether the training step must keep x for the slope."""
        return self.slope_of != "output"

    @cached_property
    def _step_kernels(self) -> tuple[Any, Any]:
        return loops.step_kernels(self.name, self.value, self.backward, self.slope_of)

    def addresses(self, real: types.Float) -> tuple[int, int]:
        """Where the loops of the training step, forward and backward, are in memory, compiled for that precision."""
        numbers, size = types.CPointer(real), types.int64
        forward, backward = self._step_kernels
        return address_of(forward, (numbers, numbers, size)), address_of(backward, (numbers, numbers, numbers, size))


def activation(name: str, **parts: Any) -> Activation:
    """Declare an activation: register it under its name, and make its two public functions. See `Activation` for the
    parts."""
    item = Activation(name, **parts)
    item.register(name, f"{name}_backward")
    forward, backward = loops.array_kernels(name, item.value, item.backward, item.slope_of)
    declare(
        "()->()",
        kernel=forward,
        reference=in_float64(item.reference),
        flops=lambda size: item.flops[0] * size,
        ulps=item.ulps[0],
        flattens_leading=True,
        strided=True,
    )(stub(name, ("x",), _about_forward(item)))
    arrays = {"input": ("dy", "x"), "output": ("dy", "y"), "both": ("dy", "x", "y")}[item.slope_of]
    declare(
        f"{','.join(['()'] * len(arrays))}->()",
        kernel=backward,
        reference=in_float64(item.reference_backward),
        flops=lambda size: item.flops[1] * size,
        ulps=item.ulps[1],
        magnitude=item.magnitude,
        flattens_leading=True,
        strided=True,
    )(stub(f"{name}_backward", arrays, _about_backward(item, arrays)))
    return item


def _about_forward(item: Activation) -> Iterator[str]:
    yield f"y = {item.formula}"
    yield ""
    yield "x : float32 or float64 of any shape. Returns a new array of its shape and dtype. Raises TypeError for other"
    yield "dtypes."


def _about_backward(item: Activation, arrays: tuple[str, ...]) -> Iterator[str]:
    yield f"dx = dy times the slope of {item.name}, {item.slope}."
    yield ""
    known = "" if item.slope_of == "input" else f" y = {item.name}(x);"
    yield f"{', '.join(arrays)} :{known} of one shape and dtype. Returns a new array like them. Raises TypeError for"
    yield "other dtypes, ValueError for shapes that differ."
