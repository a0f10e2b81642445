"""The affine map of a fully connected layer, on the matrix product of `matmul`."""

from __future__ import annotations

import numpy as np

from fastnn.kernels.jit import inlined_sum, kernel
from fastnn.kernels.matmul import add_transposed_product, times_panels
from fastnn.kernels.panels import aligned_empty, copy_padded, pack, pack_transposed, padded, unpack
from fastnn.kernels.simd import TILE_VECTORS, address, lanes, prefer_full_vectors

# Rows worked on at once, as in a training step.
_TILE = 96

# Below so many rows, packing the weights would cost more than the product.
_FEW_ROWS = 4


@kernel
def sum_rows(dy, db):
    """db ← the sum of dy over its rows."""
    db[:] = 0
    for r in range(dy.shape[0]):
        for c in range(dy.shape[1]):
            db[c] += dy[r, c]


@kernel
def affine_forward(x, w, b, y):
    """y ← x w + b."""
    n, inputs = x.shape
    if n < _FEW_ROWS:
        for r in range(n):
            y[r] = b
            _add_row_times_matrix(x[r], w, y[r])
        return
    outputs, count = b.size, lanes(x)
    width = padded(outputs, count)
    panels, bias = aligned_empty(inputs * width, x), aligned_empty(width, x)
    pack(w, panels, count)
    copy_padded(b.reshape(1, outputs), bias)
    _rows_times_panels(x, panels, bias, y)


@kernel
def affine_backward(dy, x, w, dx, dw, db):
    """dx ← dy wᵀ, dw ← xᵀ dy, db ← the sum of dy over its rows."""
    inputs, outputs = w.shape
    n, count = x.shape[0], lanes(x)
    if n < _FEW_ROWS:
        for r in range(n):
            for k in range(inputs):
                dx[r, k] = _dot(dy[r], w[k])
    else:
        width = padded(inputs, count)
        panels, zeros = aligned_empty(outputs * width, x), np.zeros(width, x.dtype)
        pack_transposed(w, panels, count)
        _rows_times_panels(dy, panels, zeros, dx)
    width = padded(outputs, count)
    gradient, tile = aligned_empty(inputs * width, x), aligned_empty(min(n, _TILE) * width, x)
    gathered = aligned_empty(min(n, _TILE) * TILE_VECTORS * count, x)
    gradient[:] = 0
    for first in range(0, n, _TILE):
        m = min(_TILE, n - first)
        copy_padded(dy[first : first + m], tile)
        add_transposed_product(
            m, inputs, width // count, count, address(x, first * inputs), inputs, address(tile, 0), width,
            address(gradient, 0), address(gathered, 0),
        )  # fmt: skip
    unpack(gradient, dw, count)
    sum_rows(dy, db)


@kernel
def _rows_times_panels(x, panels, start, y):
    """y ← start + x w, where w lies in panels and start is padded."""
    n, inputs = x.shape
    outputs, width, count = y.shape[1], start.size, lanes(x)
    tile = aligned_empty(min(n, _TILE) * width, x)
    for first in range(0, n, _TILE):
        m = min(_TILE, n - first)
        out = address(y, first * outputs) if width == outputs else address(tile, 0)
        times_panels(
            m, inputs, width // count, count, address(x, first * inputs), inputs, address(panels, 0),
            address(start, 0), 0, out, width,
        )  # fmt: skip
        if width != outputs:
            for r in range(m):
                for c in range(outputs):
                    y[first + r, c] = tile[r * width + c]


@kernel
def _add_row_times_matrix(x, w, y):
    """y ← y + x w for one row: four rows of w at once, so that y is read and written a quarter as often."""
    prefer_full_vectors()
    whole = x.size // 4 * 4
    for k in range(0, whole, 4):
        for c in range(y.size):
            y[c] += (x[k] * w[k, c] + x[k + 1] * w[k + 1, c]) + (x[k + 2] * w[k + 2, c] + x[k + 3] * w[k + 3, c])
    for k in range(whole, x.size):
        for c in range(y.size):
            y[c] += x[k] * w[k, c]


@inlined_sum
def _dot(a, b):
    """Σ a b."""
    total = a.dtype.type(0)
    for k in range(a.size):
        total += a[k] * b[k]
    return total
