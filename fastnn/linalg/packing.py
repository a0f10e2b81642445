"""How a matrix lies in memory for the matrix product: panels of a few vectors of columns, one after the other.

A matrix of `inner` rows is cut into panels of TILE_VECTORS vectors of columns or fewer, as even as they go; a panel
holds its rows one after the other, so that the micro-kernel reads it in one stream. Columns are padded to whole
vectors with zeros. A padded row of the whole matrix, `padded(columns)` elements, is that of a bias or of activations.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from fastnn.intrinsics import NR_VECTORS, element
from fastnn.jit import force_inline, kernel
from fastnn.linalg.transpose import transpose


@force_inline
def padded(columns, count):
    """Elements of a row of that many columns in whole vectors of `count` lanes."""
    return (columns + count - 1) // count * count


@force_inline
def panel_count(vectors):
    """Panels of a matrix that is so many vectors wide."""
    return (vectors + NR_VECTORS - 1) // NR_VECTORS


@force_inline
def panel_start(panel, panels, vectors):
    """The vector at which a panel begins."""
    return vectors * panel // panels


def pack(w: NDArray, panels: NDArray, per_vector: int) -> None:
    """panels ← the matrix w; the array is inner * padded(columns) long."""
    for panel, columns in _beside(panels, w, per_vector):
        panel[:, : columns.shape[1]] = columns
        panel[:, columns.shape[1] :] = 0


def unpack(panels: NDArray, w: NDArray, per_vector: int) -> None:
    """w ← the matrix that lies in panels."""
    for panel, columns in _beside(panels, w, per_vector):
        columns[...] = panel[:, : columns.shape[1]]


def _beside(panels: NDArray, w: NDArray, per_vector: int) -> Iterator[tuple[NDArray, NDArray]]:
    """Each panel as a matrix, and the columns of w that belong there."""
    inner, columns = w.shape
    vectors = padded(columns, per_vector) // per_vector
    count = panel_count(vectors)
    for p in range(count):
        first, last = panel_start(p, count, vectors) * per_vector, panel_start(p + 1, count, vectors) * per_vector
        yield panels[first * inner : last * inner].reshape(inner, last - first), w[:, first:last]


@kernel
def aligned_empty(size, like):
    """An array of that many elements of the type of `like` that begins at a cache line."""
    raw = np.empty(size + 64, like.dtype)
    shift = -raw.ctypes.data % 64 // raw.itemsize
    return raw[shift : shift + size]


@kernel
def transpose_panels(panels, inner, columns, transposed, per_vector):
    """transposed ← the panels of the transpose: `columns` rows, `inner` columns."""
    vectors, out_vectors = padded(columns, per_vector) // per_vector, padded(inner, per_vector) // per_vector
    count, out_count = panel_count(vectors), panel_count(out_vectors)
    zero = panels.dtype.type(0)
    for q in range(out_count):
        first, last = (
            panel_start(q, out_count, out_vectors) * per_vector,
            panel_start(q + 1, out_count, out_vectors) * per_vector,
        )
        out_width, within = last - first, min(last, inner) - first
        for p in range(count):
            start, end = panel_start(p, count, vectors) * per_vector, panel_start(p + 1, count, vectors) * per_vector
            width = end - start
            out = first * columns + start * out_width
            transpose(
                within, min(end, columns) - start, per_vector, element(panels, start * inner + first * width), width,
                element(transposed, out), out_width,
            )  # fmt: skip
        for c in range(columns if within < out_width else 0):
            out = first * columns + c * out_width
            transposed[out + within : out + out_width] = zero
