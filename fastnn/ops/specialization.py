"""What all calls with arrays of the same shapes and dtypes have in common, computed once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from fastnn.intrinsics import BorrowedArray
from fastnn.jit import entry_point
from fastnn.ops.declaration import Declaration
from fastnn.ops.shapes import Shape
from fastnn.threads import FLOPS_OF_A_WORKER


class Specialization:
    """The output shapes, value checks and compiled kernel for arrays of the same shapes and dtypes as `arrays`.

    Raises ValueError for shapes that do not fit the declaration.
    """

    __slots__ = (
        "_parallel",
        "dtype",
        "kernel",
        "number",
        "outputs",
        "parallel_kernel",
        "value_checks",
        "workers",
    )

    def __init__(self, declaration: Declaration, arrays: Sequence[NDArray], numbers: Mapping[str, Any]) -> None:
        given_sizes = {name: numbers[name] for name in declaration.size_numbers}
        shapes = declaration.match_shapes(tuple(a.shape for a in arrays), given_sizes)
        kinds = zip(declaration.arrays.items(), arrays, strict=True)
        self.value_checks = [kind.value_check(name, a, shapes.sizes) for (name, kind), a in kinds]
        self.dtype = numbers.get("dtype") or next(a.dtype for a in arrays if a.dtype.kind == "f")
        self.number = self.dtype.type
        parallel = declaration.parallel_kernel is not None
        self.workers = int(declaration.cost(shapes)[0] // FLOPS_OF_A_WORKER) if parallel else 1  # at most
        self.outputs = shapes.array_outputs
        inputs = [_borrowed(a.dtype, shape) for a, shape in zip(arrays, shapes.inputs, strict=True)]
        kinds_of_numbers = [numba.typeof(numbers[name]) for name in declaration.kernel_numbers]
        written = () if declaration.in_place else shapes.kernel_outputs
        outputs = [_borrowed(self.dtype, shape) for shape in written if shape is not None]
        # Not the dispatcher, which would determine the types of its arguments at every call.
        self.kernel = entry_point(declaration.kernel, (*inputs, *kinds_of_numbers, *outputs))
        # Compiled on first need, because that takes long.
        self.parallel_kernel: Callable[..., None] | None = None
        self._parallel = declaration.parallel_kernel, (*inputs, *outputs, numba.int64, numba.int64)

    def compile_parallel(self) -> Callable[..., None]:
        """Compile the parallel kernel for such arrays, and return it."""
        self.parallel_kernel = compiled = entry_point(*self._parallel)
        return compiled


def _borrowed(dtype: np.dtype, shape: Shape) -> BorrowedArray:
    return BorrowedArray(numba.from_dtype(dtype), len(shape))
