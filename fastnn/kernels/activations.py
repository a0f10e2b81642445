"""Activations, and their backward passes as functions of the output y.

Each is a function of one number; loops over arrays are made of it. A training step works in place: loops with one
array for input and output are their own, because LLVM does not vectorise a loop whose arrays may overlap.
"""

from __future__ import annotations

from fastnn.intrinsics import prefer_full_vectors
from fastnn.jit import force_inline, kernel
from fastnn.kernels import vecmath

# How a training step names an activation.
SIGMOID, TANH, RELU = 0, 1, 2
CODES = {"sigmoid": SIGMOID, "tanh": TANH, "relu": RELU}


# Constants come typed: beside a float32, Numba takes a bare 1 for a float64.


@force_inline
def _relu(x, zero):
    return zero if x <= zero else x


@force_inline
def _sigmoid_slope(dy, y, one):
    return dy * (y * (one - y))


@force_inline
def _tanh_slope(dy, y, one):
    return dy * ((one - y) * (one + y))


@force_inline
def _relu_slope(dy, y, zero):
    return zero if y <= zero else dy


@kernel
def sigmoid(x, y):
    """y ← 1 / (1 + exp(-x))."""
    prefer_full_vectors()
    for k in range(x.size):
        y[k] = vecmath.sigmoid(x[k])


@kernel
def sigmoid_backward(dy, y, dx):
    """dx ← dy y (1 - y)."""
    prefer_full_vectors()
    one = y.dtype.type(1)
    for k in range(y.size):
        dx[k] = _sigmoid_slope(dy[k], y[k], one)


@kernel
def tanh(x, y):
    """y ← tanh(x)."""
    prefer_full_vectors()
    for k in range(x.size):
        y[k] = vecmath.tanh(x[k])


@kernel
def tanh_backward(dy, y, dx):
    """dx ← dy (1 - y²)."""
    prefer_full_vectors()
    one = y.dtype.type(1)
    for k in range(y.size):
        dx[k] = _tanh_slope(dy[k], y[k], one)


@kernel
def relu(x, y):
    """y ← max(x, 0); NaN stays."""
    prefer_full_vectors()
    zero = y.dtype.type(0)
    for k in range(x.size):
        y[k] = _relu(x[k], zero)


@kernel
def relu_backward(dy, y, dx):
    """dx ← dy where y > 0, else 0; a NaN in y lets dy pass."""
    prefer_full_vectors()
    zero = y.dtype.type(0)
    for k in range(y.size):
        dx[k] = _relu_slope(dy[k], y[k], zero)


@kernel
def activate(code, y):
    """y ← the activation of that code, of y."""
    prefer_full_vectors()
    zero = y.dtype.type(0)
    if code == SIGMOID:
        for k in range(y.size):
            y[k] = vecmath.sigmoid(y[k])
    elif code == TANH:
        for k in range(y.size):
            y[k] = vecmath.tanh(y[k])
    else:
        for k in range(y.size):
            y[k] = _relu(y[k], zero)


@kernel
def activate_backward(code, dx, y):
    """dx, which holds dy, ← the backward pass of the activation of that code."""
    prefer_full_vectors()
    zero = y.dtype.type(0)
    one = y.dtype.type(1)
    if code == SIGMOID:
        for k in range(y.size):
            dx[k] = _sigmoid_slope(dx[k], y[k], one)
    elif code == TANH:
        for k in range(y.size):
            dx[k] = _tanh_slope(dx[k], y[k], one)
    else:
        for k in range(y.size):
            dx[k] = _relu_slope(dx[k], y[k], zero)
