"""What is the same in all calls with arrays of the same shapes and dtypes, worked out once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from fastnn.intrinsics import BorrowedArray
from fastnn.jit import entry_point
from fastnn.ops.declaration import Declaration
from fastnn.ops.plan import Shape
from fastnn.threads import FLOPS_OF_A_WORKER


class Form:
    """The shapes, the value checks and the compiled kernel of calls like one with these arrays and numbers.

    Raises ValueError for shapes that do not fit.
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
        plan = declaration.plan(tuple(a.shape for a in arrays), {n: numbers[n] for n in declaration.size_numbers})
        kinds = zip(declaration.arrays.items(), arrays, strict=True)
        self.value_checks = [kind.value_check(name, a, plan.sizes) for (name, kind), a in kinds]
        self.dtype = numbers.get("dtype") or next(a.dtype for a in arrays if a.dtype.kind == "f")
        self.number = self.dtype.type
        parallel = declaration.parallel_kernel is not None
        self.workers = int(declaration.cost(plan)[0] // FLOPS_OF_A_WORKER) if parallel else 1  # at most
        self.outputs = plan.array_outputs
        inputs = [_borrowed(a.dtype, shape) for a, shape in zip(arrays, plan.inputs, strict=True)]
        kinds_of_numbers = [numba.typeof(numbers[name]) for name in declaration.kernel_numbers]
        written = () if declaration.in_place else plan.kernel_outputs
        outputs = [_borrowed(self.dtype, shape) for shape in written if shape is not None]
        # Not the dispatcher, which would find out the types of its arguments in every call.
        self.kernel = entry_point(declaration.kernel, (*inputs, *kinds_of_numbers, *outputs))
        # None as long as nobody needs it, for it takes long to compile.
        self.parallel_kernel: Callable[..., None] | None = None
        self._parallel = declaration.parallel_kernel, (*inputs, *outputs, numba.int64, numba.int64)

    def compile_parallel(self) -> Callable[..., None]:
        """The parallel kernel for such arrays."""
        self.parallel_kernel = compiled = entry_point(*self._parallel)
        return compiled


def _borrowed(dtype: np.dtype, shape: Shape) -> BorrowedArray:
    return BorrowedArray(numba.from_dtype(dtype), len(shape))
