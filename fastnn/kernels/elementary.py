"""The exponential function and the logarithm over arrays."""

from __future__ import annotations

from fastnn.kernels import vecmath
from fastnn.kernels.jit import kernel
from fastnn.kernels.simd import prefer_full_vectors


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
