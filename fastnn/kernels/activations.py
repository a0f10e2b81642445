"""Activations, and their backward passes as functions of the output y. An output array may be the input array."""

from __future__ import annotations

from fastnn.kernels import vecmath
from fastnn.kernels.jit import kernel
from fastnn.kernels.simd import prefer_full_vectors

# How a training step names an activation.
SIGMOID, TANH, RELU = 0, 1, 2
CODES = {"sigmoid": SIGMOID, "tanh": TANH, "relu": RELU}


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
        dx[k] = dy[k] * (y[k] * (one - y[k]))


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
        dx[k] = dy[k] * ((one - y[k]) * (one + y[k]))


@kernel
def relu(x, y):
    """y ← max(x, 0); NaN stays."""
    prefer_full_vectors()
    zero = x.dtype.type(0)
    for k in range(x.size):
        y[k] = zero if x[k] <= zero else x[k]


@kernel
def relu_backward(dy, y, dx):
    """dx ← dy where y > 0, else 0; a NaN in y lets dy pass."""
    prefer_full_vectors()
    zero = y.dtype.type(0)
    for k in range(y.size):
        dx[k] = zero if y[k] <= zero else dy[k]


@kernel
def activate(code, x, y):
    """y ← the activation of that code."""
    if code == SIGMOID:
        sigmoid(x, y)
    elif code == TANH:
        tanh(x, y)
    else:
        relu(x, y)


@kernel
def activate_backward(code, dy, y, dx):
    """dx ← the backward pass of the activation of that code."""
    if code == SIGMOID:
        sigmoid_backward(dy, y, dx)
    elif code == TANH:
        tanh_backward(dy, y, dx)
    else:
        relu_backward(dy, y, dx)
