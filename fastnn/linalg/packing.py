"""Packing: the layout of a matrix for the matrix product, in panels of a few vectors of columns.

A matrix with `inner` rows is cut into panels of at most NR_VECTORS vectors of columns, as even as possible. Panels are
stored one after the other, and the rows of a panel contiguously, so that the micro-kernel reads one stream. Columns are
padded with zeros to full vectors. Biases and activations have padded rows of `padded(columns)` elements.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numba.np.numpy_support import as_dtype
from numpy.typing import NDArray

from fastnn.intrinsics import CACHE_LINE, MR, NR_VECTORS, offset
from fastnn.jit import force_inline, overload_by_type, shared
from fastnn.linalg.transpose import transpose
from fastnn.units import unit


@shared
def padded(columns, lanes):
    """`columns` rounded up to a multiple of the lanes: the elements of a padded row."""
    return (columns + lanes - 1) // lanes * lanes


@shared
def panel_count(vectors):
    """The number of panels of a matrix whose rows have `vectors` vectors."""
    return (vectors + NR_VECTORS - 1) // NR_VECTORS


@shared
def panel_start(panel, n_panels, vectors):
    """The first vector of a panel, in vectors from the start of a row."""
    return vectors * panel // n_panels


@shared
def part_start(rows, worker, workers):
    """The first row of a worker's part: at a full micro-tile, so that every sum is formed as by a single worker."""
    return rows if worker == workers else (rows + MR - 1) // MR * worker // workers * MR


@shared
def busiest_part(rows, workers):
    """The rows of the largest part."""
    groups = (rows + MR - 1) // MR
    most = (groups + workers - 1) // workers
    if groups % workers == 1:  # the last part alone has so many groups, of which its last one may not be full
        return rows - (groups - most) * MR
    return min(rows, most * MR)


@shared
def panels_of(n_panels, worker, workers):
    """From which panel to which one of so many workers has them: none has two more than another."""
    twice = 2 * workers
    return (2 * n_panels * worker + workers) // twice, (2 * n_panels * (worker + 1) + workers) // twice


def pack(w: NDArray, panels: NDArray, lanes: int) -> None:
    """panels (inner * padded(columns),) ← the matrix w (inner, columns)."""
    for panel, columns in _panel_pairs(panels, w, lanes):
        panel[:, : columns.shape[1]] = columns
        panel[:, columns.shape[1] :] = 0


def unpack(panels: NDArray, w: NDArray, lanes: int) -> None:
    """w (inner, columns) ← the matrix that is packed in panels."""
    for panel, columns in _panel_pairs(panels, w, lanes):
        columns[...] = panel[:, : columns.shape[1]]


def _panel_pairs(panels: NDArray, w: NDArray, lanes: int) -> Iterator[tuple[NDArray, NDArray]]:
    """Views of each panel as a matrix, paired with views of the columns of w that it holds."""
    inner, columns = w.shape
    vectors = padded(columns, lanes) // lanes
    n_panels = panel_count(vectors)
    for p in range(n_panels):
        first, last = panel_start(p, n_panels, vectors) * lanes, panel_start(p + 1, n_panels, vectors) * lanes
        yield panels[first * inner : last * inner].reshape(inner, last - first), w[:, first:last]


def _empty(size, like):
    raise TypeError("for nopython code")


def _choose_empty(size, like):
    dtype = as_dtype(like)
    return lambda size, like: np.empty(size, dtype)


overload_by_type(_empty, _choose_empty)


@force_inline
def aligned_empty(size, like):
    """An uninitialised array of `size` elements of the type of the number `like`, aligned to a cache line."""
    raw = _empty(size + CACHE_LINE, like)
    shift = -raw.ctypes.data % CACHE_LINE // raw.itemsize
    return raw[shift : shift + size]


@unit("real* int int int real* int -> none")
def transpose_panel(panels, inner, columns, q, transposed, lanes):
    """transposed ← the panel of index q of wᵀ (columns, inner), from the panels of w (inner, columns); both are
    addresses."""
    vectors, out_vectors = padded(columns, lanes) // lanes, padded(inner, lanes) // lanes
    n_panels, n_out_panels = panel_count(vectors), panel_count(out_vectors)
    first = panel_start(q, n_out_panels, out_vectors) * lanes
    last = panel_start(q + 1, n_out_panels, out_vectors) * lanes
    out_width, within = last - first, min(last, inner) - first
    for p in range(n_panels):
        start, end = panel_start(p, n_panels, vectors) * lanes, panel_start(p + 1, n_panels, vectors) * lanes
        width = end - start
        transpose(
            within, min(end, columns) - start, lanes, offset(panels, start * inner + first * width), width,
            offset(transposed, start * out_width), out_width,
        )  # fmt: skip
    for c in range(columns if within < out_width else 0):
        row = offset(transposed, c * out_width)
        for k in range(within, out_width):
            row[k] = 0


@unit("real* int int real* int -> none")
def transpose_panels(panels, inner, columns, transposed, lanes):
    """transposed ← the panels of wᵀ (columns, inner), from the panels of w (inner, columns); both are addresses."""
    out_vectors = padded(inner, lanes) // lanes
    n_out_panels = panel_count(out_vectors)
    for q in range(n_out_panels):
        first = panel_start(q, n_out_panels, out_vectors) * lanes
        transpose_panel(panels, inner, columns, q, offset(transposed, first * columns), lanes)
