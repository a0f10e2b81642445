"""How a matrix lies in memory for the matrix product: panels of a few vectors of columns, one after the other.

A matrix of `inner` rows is cut into panels of NR_VECTORS vectors of columns or fewer, as even as they go; a panel
holds its rows one after the other, so that the micro-kernel reads it in one stream. Columns are padded to whole
vectors with zeros. A padded row of the whole matrix, `padded(columns)` elements, is that of a bias or of activations.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from fastnn.intrinsics import NR_VECTORS, offset
from fastnn.jit import kernel, shared
from fastnn.linalg.transpose import transpose
from fastnn.units import unit


@shared
def padded(columns, lanes):
    """Elements of a row of that many columns in whole vectors."""
    return (columns + lanes - 1) // lanes * lanes


@shared
def panel_count(vectors):
    """Panels of a matrix that is so many vectors wide."""
    return (vectors + NR_VECTORS - 1) // NR_VECTORS


@shared
def panel_start(panel, panels, vectors):
    """The vector at which a panel begins."""
    return vectors * panel // panels


def pack(w: NDArray, panels: NDArray, lanes: int) -> None:
    """panels ← the matrix w; the array is inner * padded(columns) long."""
    for panel, columns in _beside(panels, w, lanes):
        panel[:, : columns.shape[1]] = columns
        panel[:, columns.shape[1] :] = 0


def unpack(panels: NDArray, w: NDArray, lanes: int) -> None:
    """w ← the matrix that lies in panels."""
    for panel, columns in _beside(panels, w, lanes):
        columns[...] = panel[:, : columns.shape[1]]


def _beside(panels: NDArray, w: NDArray, lanes: int) -> Iterator[tuple[NDArray, NDArray]]:
    """Each panel as a matrix, and the columns of w that belong there."""
    inner, columns = w.shape
    vectors = padded(columns, lanes) // lanes
    count = panel_count(vectors)
    for p in range(count):
        first, last = panel_start(p, count, vectors) * lanes, panel_start(p + 1, count, vectors) * lanes
        yield panels[first * inner : last * inner].reshape(inner, last - first), w[:, first:last]


@kernel
def aligned_empty(size, like):
    """An array of that many elements of the type of `like` that begins at a cache line."""
    raw = np.empty(size + 64, like.dtype)
    shift = -raw.ctypes.data % 64 // raw.itemsize
    return raw[shift : shift + size]


@unit("real* int int real* int -> none")
def transpose_panels(panels, inner, columns, transposed, lanes):
    """transposed ← the panels of the transpose: `columns` rows, `inner` columns; both are addresses."""
    vectors, out_vectors = padded(columns, lanes) // lanes, padded(inner, lanes) // lanes
    n_panels, n_out_panels = panel_count(vectors), panel_count(out_vectors)
    for q in range(n_out_panels):
        first, last = (
            panel_start(q, n_out_panels, out_vectors) * lanes,
            panel_start(q + 1, n_out_panels, out_vectors) * lanes,
        )
        out_width, within = last - first, min(last, inner) - first
        for p in range(n_panels):
            start, end = panel_start(p, n_panels, vectors) * lanes, panel_start(p + 1, n_panels, vectors) * lanes
            width = end - start
            transpose(
                within, min(end, columns) - start, lanes, offset(panels, start * inner + first * width), width,
                offset(transposed, first * columns + start * out_width), out_width,
            )  # fmt: skip
        for c in range(columns if within < out_width else 0):
            row = offset(transposed, first * columns + c * out_width)
            for k in range(within, out_width):
                row[k] = 0
