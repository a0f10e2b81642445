"""The declaration of a kernel: its reference, shapes, arguments, tolerance and cost."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fastnn.ops.arguments import Array, Number
from fastnn.ops.options import Options
from fastnn.ops.shapes import CallShapes, Shape, match_shapes
from fastnn.ops.signature import Signature

# The error of a sum of k rounded terms is at most k/2 eps. It exceeds this many sqrt(k)/2 eps only if rounding errors
# do not behave like random ones (Higham and Mary, A new approach to probabilistic rounding error analysis, 2019).
SUM_DEVIATIONS = 4.0


@dataclass(frozen=True)
class Declaration:
    """A kernel with its reference, shapes, arguments, tolerance and cost.

    Functions of the dimensions (`flops`, `sum_length`) take them by name. Two more names are always known: `size`, the
    elements of the first input, and `n_rows`, the product of the leading dimensions if `flattens_leading`.
    """

    name: str
    signatures: tuple[Signature, ...]  # alternatives, which differ in the inputs' numbers of dimensions
    kernel: Callable[..., Any]
    parallel_kernel: Callable[..., Any] | None  # takes the parallel region and the number of workers besides
    reference: Callable[..., Any]
    arrays: Mapping[str, Array]  # the positional parameters, in the order of the signature's inputs
    numbers: Mapping[str, Number]  # the keyword-only parameters, in the order that the kernel takes them
    defaults: Mapping[str, Any]  # of the numbers
    example: Mapping[str, Any]  # numbers for tests and benchmarks, beside the defaults
    flops: Callable[..., float]  # floating-point operations; an exp, log or tanh counts as one
    sum_length: Callable[..., int | tuple[int, ...]]  # the most terms of a sum in the result, or in each of the results
    ulps: float | None  # the bound of all other rounding errors, in units of eps * magnitude; None: not known
    magnitude: Callable[..., Any] | None  # inputs to what errors are relative to; None: to the result
    flattens_leading: bool  # inputs may have any leading dimensions, which the kernel takes flattened into one
    strided: bool  # the bare kernel indexes arrays, without addresses, and so takes any layout
    in_place: tuple[str, ...]  # the inputs that are updated in place; if there are any, nothing is returned
    may_be_empty: tuple[str, ...]  # dimensions that may be 0
    options: Options | None  # the keyword-only parameters behind the numbers, which have a kernel of their own

    @property
    def signature(self) -> str:
        """In NumPy's notation; alternatives joined by " or "."""
        return " or ".join(map(str, self.signatures))

    @property
    def elementwise(self) -> bool:
        """Whether the kernel takes arrays of any shape, flattened."""
        return self.flattens_leading and not any(self.signatures[0].inputs)

    @property
    def returned_arrays(self) -> int:
        """The number of arrays that are returned, and can be given as `out`; a returned number does not count."""
        return 0 if self.in_place else sum(1 for core in self.signatures[0].outputs if self.flattens_leading or core)

    @property
    def size_numbers(self) -> tuple[str, ...]:
        """The numbers that give the size of an output's dimension; the kernel takes them from the output's shape."""
        outputs = {d for s in self.signatures for core in s.outputs for d in core}
        return tuple(name for name in self.numbers if name in outputs)

    @property
    def kernel_numbers(self) -> tuple[str, ...]:
        """The numbers that the kernel takes; a number `dtype` gives the dtype of the output instead."""
        return tuple(name for name in self.numbers if name not in self.size_numbers and name != "dtype")

    def match_shapes(self, shapes: tuple[Shape, ...], given_sizes: Mapping[str, int]) -> CallShapes:
        """The shapes of a call with inputs of these shapes; see `fastnn.ops.shapes.match_shapes`."""
        return match_shapes(
            self.signatures, tuple(self.arrays), shapes, given_sizes, self.flattens_leading, self.may_be_empty
        )

    def draw(
        self,
        sizes: Mapping[str, int],
        dtype: Any = "float32",
        style: str = "ordinary",
        seed: int = 0,
        signature_index: int = 0,
        leading: Shape = (),
    ) -> list[NDArray]:
        """Random inputs of one of the `STYLES` for `signatures[signature_index]`, with these sizes and leading
        dimensions."""
        rng = np.random.default_rng(seed)
        drawn = []
        for kind, core in zip(self.arrays.values(), self.signatures[signature_index].inputs, strict=True):
            shape = (*leading, *(sizes[d] for d in core))
            drawn.append(kind.draw(rng, shape, np.dtype(dtype), style, sizes))
        return drawn

    def cost(self, shapes: CallShapes, dtype: Any = "float32") -> tuple[float, int]:
        """The floating-point operations of a call, and the least bytes it moves: each input and output once."""
        moved = sum(int(np.prod(shape)) for shape in (*shapes.inputs, *shapes.kernel_outputs) if shape is not None)
        return _by_name(self.flops, shapes.sizes), moved * np.dtype(dtype).itemsize

    def tolerance(self, arrays: list[NDArray], numbers: Mapping[str, Any], expected: Any) -> Any:
        """How far each element of the results may be from `expected`, the reference's.

        That is eps times the magnitude, times `ulps` plus a random walk over the terms of the sum; and twice the
        smallest normal number, because subnormal numbers may be flushed to zero.

        Raises ValueError where `ulps` is not known.
        """
        if self.ulps is None:
            raise ValueError(
                f"{self.name}: got no ulps, expected them beside a reference; without an independent reference there is"
                " nothing to verify (fastnn.check_gradient compares a gradient with the value)"
            )
        expected = expected if isinstance(expected, tuple) else (expected,)
        dtype = next(a.dtype for a in (*expected, *arrays) if np.asarray(a).dtype.kind == "f")
        info = np.finfo(dtype)
        given_sizes = {name: numbers[name] for name in self.size_numbers}
        sizes = self.match_shapes(tuple(a.shape for a in arrays), given_sizes).sizes
        lengths = _by_name(self.sum_length, sizes)
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
