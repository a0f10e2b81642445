"""References in the place of kernels, where NUMBA_DISABLE_JIT leaves nothing compiled."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from fastnn.ops.declaration import Declaration


def reference_kernel(declaration: Declaration) -> Callable[..., Any]:
    """The reference, called as the kernel is: with arrays, numbers, and the arrays to write."""
    first_number = len(declaration.arrays)
    first_output = first_number + len(declaration.kernel_numbers)
    cores = [core for core in declaration.signatures[0].outputs if declaration.looped or core]

    def kernel(*arguments: Any) -> Any:
        _warn()
        outputs = arguments[first_output:]
        numbers = dict(zip(declaration.kernel_numbers, arguments[first_number:first_output], strict=True))
        # Those that the kernel finds in what it writes.
        for name in declaration.size_numbers:
            numbers[name] = next(
                out.shape[core.index(name)] for core, out in zip(cores, outputs, strict=True) if name in core
            )
        if "dtype" in declaration.numbers:
            numbers["dtype"] = outputs[0].dtype
        with np.errstate(all="ignore"):
            returned = declaration.reference(*arguments[:first_number], **numbers)
        results = returned if isinstance(returned, tuple) else (returned,)
        for output, result in zip(outputs, results[len(results) - len(outputs) :], strict=True):
            output[...] = result
        return results[0] if len(results) > len(outputs) else None

    return kernel


@cache
def _warn() -> None:
    """Once in a process."""
    warnings.warn(
        "NUMBA_DISABLE_JIT is set: fastnn computes with its references, in plain NumPy; unset it for the kernels",
        RuntimeWarning,
        stacklevel=4,
    )
