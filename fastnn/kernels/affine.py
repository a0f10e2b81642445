"""The affine map of a fully connected layer."""

from __future__ import annotations

import numpy as np

from fastnn.kernels.jit import kernel


@kernel
def add_bias(y, b):
    """y ← y + b, row by row."""
    for r in range(y.shape[0]):
        for c in range(y.shape[1]):
            y[r, c] += b[c]


@kernel
def sum_rows(dy, db):
    """db ← the sum of dy over its rows."""
    for c in range(dy.shape[1]):
        db[c] = 0
    for r in range(dy.shape[0]):
        for c in range(dy.shape[1]):
            db[c] += dy[r, c]


@kernel
def affine_forward(x, w, b, y):
    """y ← x w + b."""
    np.dot(x, w, y)
    add_bias(y, b)


@kernel
def affine_backward(dy, x, w, dx, dw, db):
    """dx ← dy wᵀ, dw ← xᵀ dy, db ← the sum of dy over its rows."""
    np.dot(dy, w.T, dx)
    np.dot(x.T, dy, dw)
    sum_rows(dy, db)
