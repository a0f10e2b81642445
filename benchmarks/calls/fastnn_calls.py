"""fastnn's public functions, and the kernel behind the exponential, which has none."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.kernels.jit import kernel
from fastnn.kernels.softmax import exponentiate
from fastnn.ops import DECLARED
from fastnn.ops.arguments import Array
from fastnn.ops.calling import public_function
from fastnn.ops.declaration import Declaration
from fastnn.ops.signature import Signature
from fastnn.reference.precision import in_float64

# Elements: softmax hands the kernel as many at a time.
_BLOCK = 4096


@kernel
def exp_kernel(x, y):
    """y ← exp(x), copied block by block, because the kernel works in place."""
    for first in range(0, x.size, _BLOCK):
        block = y[first : first + _BLOCK]
        block[:] = x[first : first + _BLOCK]
        exponentiate(block)


def exp(x: NDArray) -> NDArray:
    """The kernel inside softmax, without checks."""


def _declared_exp() -> Callable[..., Any]:
    """With a declaration like the public functions', but not among them."""
    declaration = Declaration(
        name="exp",
        signatures=(Signature.parse("()->()"),),
        kernel=exp_kernel,
        parallel_kernel=None,
        reference=in_float64(np.exp),
        arrays={name: Array() for name in inspect.signature(exp).parameters},
        numbers={},
        defaults={},
        example={},
        flops=lambda size: size,
        sum_length=lambda: 0,
        ulps=2,
        magnitude=None,
        looped=True,
        in_place=(),
        may_be_empty=(),
    )
    return public_function(declaration, exp)


FUNCTIONS = DECLARED | {"exp": _declared_exp()}


def ready(function: str, arrays: list[NDArray], numbers: dict[str, Any]) -> Callable[[], Any]:
    """A call without arguments."""
    if function == "exp":
        return _exp(*arrays)
    return partial(FUNCTIONS[function], *arrays, **numbers)


def _exp(x: NDArray) -> Callable[[], NDArray]:
    y = np.empty_like(x)

    def call() -> NDArray:
        exp_kernel(x, y)
        return y

    return call
