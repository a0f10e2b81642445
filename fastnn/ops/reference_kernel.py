"""References in place of kernels, for NUMBA_DISABLE_JIT, which leaves nothing compiled."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from fastnn.ops.declaration import Declaration


def reference_kernel(declaration: Declaration) -> Callable[..., Any]:
    """The reference with the arguments of the kernel: input arrays, numbers, output arrays."""
    first_number = len(declaration.arrays)
    first_output = first_number + len(declaration.kernel_numbers)
    cores = [core for core in declaration.signatures[0].outputs if declaration.flattens_leading or core]

    def kernel(*arguments: Any) -> Any:
        _warn()
        outputs = arguments[first_output:]
        numbers = dict(zip(declaration.kernel_numbers, arguments[first_number:first_output], strict=True))
        # A kernel takes these from the shape of its outputs.
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
    """Warn once per process."""
    warnings.warn(
        "NUMBA_DISABLE_JIT is set: fastnn computes with its references, in plain NumPy; unset it for the kernels",
        RuntimeWarning,
        stacklevel=4,
    )
