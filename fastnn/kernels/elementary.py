"""The exponential function and the logarithm over arrays."""

from __future__ import annotations

from fastnn.intrinsics import prefer_full_vectors
from fastnn.jit import kernel
from fastnn.kernels import vecmath


@kernel
def exp(x, y):
    """y ← eˣ."""
    prefer_full_vectors()
    for k in range(x.size):
        y[k] = vecmath.exp(x[k])


@kernel
def log(x, y):
    """y ← the natural logarithm of x."""
    prefer_full_vectors()
    for k in range(x.size):
        y[k] = vecmath.log(x[k])
