"""What is declared of a kernel: its meaning, shapes, arguments, tolerance and cost."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fastnn.ops.arguments import Array, Number
from fastnn.ops.plan import Plan, Shape, make_plan
from fastnn.ops.signature import Signature

# A sum of k rounded terms is off by up to k/2 eps; by more than this many sqrt(k)/2 eps it is only if the errors
# conspire (Higham and Mary, A new approach to probabilistic rounding error analysis, 2019).
SUM_DEVIATIONS = 4.0


@dataclass(frozen=True)
class Declaration:
    """A kernel, its meaning, its shapes, its tolerance and its cost.

    Functions of the dimensions (`flops`, `sum_length`) take them by name; `size` is the number of elements of the
    first input, and `loop` the product of the leading dimensions of a `looped` kernel.
    """

    name: str
    signatures: tuple[Signature, ...]  # alternatives, told apart by the inputs' numbers of dimensions
    kernel: Callable[..., Any]
    parallel_kernel: Callable[..., Any] | None  # takes the parallel region and the number of workers besides
    reference: Callable[..., Any]
    arrays: Mapping[str, Array]  # the positional parameters, in the order of the signature's inputs
    numbers: Mapping[str, Number]  # the keyword-only parameters, in the order that the kernel takes them
    defaults: Mapping[str, Any]  # of the numbers
    example: Mapping[str, Any]  # numbers for tests and benchmarks, beside the defaults
    flops: Callable[..., float]  # floating-point operations; an exp, log or tanh counts as one
    sum_length: Callable[..., int | tuple[int, ...]]  # the longest sum behind a number of the result, or of each result
    ulps: float  # what the other roundings may add up to, in units of eps * magnitude
    magnitude: Callable[..., Any] | None  # of the inputs: what a result's error is relative to; else the result
    looped: bool  # the kernel takes leading dimensions flattened into one: element-wise, or over the last axis
    strided: bool  # the bare kernel goes by index alone, and so takes arrays of floats of any layout
    in_place: tuple[str, ...]  # the inputs that are written; then nothing is returned
    may_be_empty: tuple[str, ...]  # dimensions that may be 0

    @property
    def signature(self) -> str:
        """In NumPy's notation; alternatives joined by " or "."""
        return " or ".join(map(str, self.signatures))

    @property
    def elementwise(self) -> bool:
        """Whether the kernel takes arrays of any shape, flattened."""
        return self.looped and not any(self.signatures[0].inputs)

    @property
    def returned_arrays(self) -> int:
        """How many arrays are returned, and can be given as `out`; a number that the kernel returns is none."""
        return 0 if self.in_place else sum(1 for core in self.signatures[0].outputs if self.looped or core)

    @property
    def size_numbers(self) -> tuple[str, ...]:
        """The numbers that are the size of an output's dimension, and so no argument of the kernel."""
        outputs = {d for s in self.signatures for core in s.outputs for d in core}
        return tuple(name for name in self.numbers if name in outputs)

    @property
    def kernel_numbers(self) -> tuple[str, ...]:
        """The numbers that the kernel takes; `dtype` is that of the output."""
        return tuple(name for name in self.numbers if name not in self.size_numbers and name != "dtype")

    def plan(self, shapes: tuple[Shape, ...], given_sizes: Mapping[str, int]) -> Plan:
        """The shapes of a call; see `make_plan`."""
        return make_plan(self.signatures, tuple(self.arrays), shapes, given_sizes, self.looped, self.may_be_empty)

    def draw(
        self,
        sizes: Mapping[str, int],
        dtype: Any = "float32",
        style: str = "ordinary",
        seed: int = 0,
        form: int = 0,
        loop: Shape = (),
    ) -> list[NDArray]:
        """Inputs of one of the `STYLES` for `signatures[form]`, with these sizes and leading dimensions."""
        rng = np.random.default_rng(seed)
        drawn = []
        for kind, core in zip(self.arrays.values(), self.signatures[form].inputs, strict=True):
            shape = (*loop, *(sizes[d] for d in core))
            drawn.append(kind.draw(rng, shape, np.dtype(dtype), style, sizes))
        return drawn

    def cost(self, plan: Plan, dtype: Any = "float32") -> tuple[float, int]:
        """Floating-point operations, and bytes moved at least: every input read and every output written once."""
        moved = sum(int(np.prod(shape)) for shape in (*plan.inputs, *plan.kernel_outputs) if shape is not None)
        return _by_name(self.flops, plan.sizes), moved * np.dtype(dtype).itemsize

    def tolerance(self, arrays: list[NDArray], numbers: Mapping[str, Any], expected: Any) -> Any:
        """How far each result may be from the reference: eps times its magnitude, for the roundings of the kernel and
        a random walk over the sum behind it; and one subnormal step below the normal numbers."""
        expected = expected if isinstance(expected, tuple) else (expected,)
        dtype = next(a.dtype for a in (*expected, *arrays) if np.asarray(a).dtype.kind == "f")
        info = np.finfo(dtype)
        plan = self.plan(tuple(a.shape for a in arrays), {name: numbers[name] for name in self.size_numbers})
        lengths = _by_name(self.sum_length, plan.sizes)
        lengths = lengths if isinstance(lengths, tuple) else (lengths,) * len(expected)
        with np.errstate(all="ignore"):
            if self.magnitude is None:
                scales = tuple(np.abs(np.asarray(e, np.float64)) for e in expected)
            else:
                wide = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in arrays]
                scales = self.magnitude(*wide, **numbers)
                scales = scales if isinstance(scales, tuple) else (scales,)
            units = [self.ulps + SUM_DEVIATIONS / 2 * np.sqrt(length) for length in lengths]
            bounds = [u * info.eps * s for u, s in zip(units, scales, strict=True)]
            return tuple(np.nan_to_num(b, nan=0, posinf=0) + 2 * info.tiny for b in bounds)


class PublicFunction(Protocol):
    """A checked public function, and what it carries."""

    __name__: str
    kernel: Any  # the bare nopython function: no checks, the caller allocates
    reference: Callable[..., Any]  # the same in plain NumPy
    signature: str  # shapes in NumPy's notation
    declaration: Declaration

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Check, allocate and compute; see the docstring of the function."""


@cache
def _parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    return tuple(inspect.signature(function).parameters)


def _by_name(function: Callable[..., Any], sizes: Mapping[str, int]) -> Any:
    return function(**{name: sizes[name] for name in _parameters(function)})
