"""The panel product, and products with matrices that are packed in panels.

A panel has at most NR_VECTORS vectors of columns. `panel_product` multiplies a matrix by one panel, micro-tile by
micro-tile. It compiles to more code than anything else here, which is why it is a unit (`fastnn/units.py`).
"""

from __future__ import annotations

from collections.abc import Callable

from fastnn.intrinsics import MR, micro_tile, offset
from fastnn.jit import inline_ir
from fastnn.linalg.packing import panel_count, panel_start
from fastnn.units import unit

# What a product prefetches; `panel_product` explains each.
NOTHING, ROWS, PANEL, ROWS_AND_PANEL, TARGET = range(5)


def _micro_tiles(vectors: int) -> Callable:
    """The micro-kernels for a panel of `vectors` vectors: one per number of rows, and for MR rows one per kind of
    prefetching.

    Each one costs 0.6 to 0.9 seconds of compile time. Prefetching what is in the cache already costs little, so that
    there is none for MR rows without prefetching.
    """
    full = micro_tile(MR, vectors, fetch_ahead=True)
    four, two, one = (micro_tile(rows, vectors) for rows in (4, 2, 1))
    fetching_rows = micro_tile(MR, vectors, fetch_ahead=True, fetch_rows=True)
    fetching_target = micro_tile(MR, vectors, fetch_target=True)

    @inline_ir
    def product(rows, a, a_row, a_k, b, b_k, start, start_row, c, c_row, k, fetch, ahead):
        if rows == MR and fetch in (ROWS, ROWS_AND_PANEL):
            fetching_rows(a, a_row, a_k, b, b_k, start, start_row, c, c_row, k, ahead)
        elif rows == MR and fetch == TARGET:
            fetching_target(a, a_row, a_k, b, b_k, start, start_row, c, c_row, k, ahead)
        elif rows == MR:
            full(a, a_row, a_k, b, b_k, start, start_row, c, c_row, k, ahead)
        elif rows == 4:
            four(a, a_row, a_k, b, b_k, start, start_row, c, c_row, k, ahead)
        elif rows == 2:
            two(a, a_row, a_k, b, b_k, start, start_row, c, c_row, k, ahead)
        else:
            one(a, a_row, a_k, b, b_k, start, start_row, c, c_row, k, ahead)

    return product


_one_vector, _two_vectors, _three_vectors = _micro_tiles(1), _micro_tiles(2), _micro_tiles(3)


@unit("int int real* int int real* int real* int real* int int int -> none")
def panel_product(m, vectors, a, a_row, a_k, b, b_k, start, start_row, c, c_row, k, fetch):
    """c[r, :] ← start[r, :] + Σ a[r, k] b[k, :] for m rows and one panel of `vectors` vectors.

    a, b, start, c are addresses; `a_row`, `a_k`, ... are the elements from one row, or one k, to the next. With
    `start_row` 0 every row has the same start.

    `fetch` is what is prefetched: NOTHING; the next ROWS of a (`a_k` must be 1); the next PANEL after b, a part of it
    with each micro-tile; ROWS_AND_PANEL; or the TARGET, which is each micro-tile of c and the next k elements of each
    row of a (`a_row` must be 1), and pays if c is not in a near cache.
    """
    r = 0
    rows = MR
    size = k * b_k if fetch in (PANEL, ROWS_AND_PANEL) else 0
    part = size // m if size else 0
    while r < m:
        while rows > m - r:
            rows //= 2
        x, y, z = offset(a, r * a_row), offset(start, r * start_row), offset(c, r * c_row)
        ahead = offset(b, size + r * part)
        if vectors == 3:
            _three_vectors(rows, x, a_row, a_k, b, b_k, y, start_row, z, c_row, k, fetch, ahead)
        elif vectors == 2:
            _two_vectors(rows, x, a_row, a_k, b, b_k, y, start_row, z, c_row, k, fetch, ahead)
        else:
            _one_vector(rows, x, a_row, a_k, b, b_k, y, start_row, z, c_row, k, fetch, ahead)
        r += rows


@inline_ir
def multiply_panels(m, inner, vectors, lanes, a, a_row, panels, start, start_row, c, c_row):
    """c ← start + a w: a (m, inner), w packed in panels; rows of c and start are padded to full vectors."""
    n_panels = panel_count(vectors)
    for p in range(n_panels):
        first, last = panel_start(p, n_panels, vectors), panel_start(p + 1, n_panels, vectors)
        column, width = first * lanes, (last - first) * lanes
        fetch = ROWS_AND_PANEL if p == 0 else PANEL
        panel_product(
            m, last - first, a, a_row, 1, offset(panels, column * inner), width, offset(start, column), start_row,
            offset(c, column), c_row, inner, fetch,
        )  # fmt: skip


# Vectors in a row of dy from which on the columns of a panel are gathered before the product.
_GATHER_FROM = 16


@inline_ir
def gather_columns(m, lanes, width, dy, dy_row, gathered):
    """The address of one panel's columns of m rows of dy, and the elements from one row to the next.

    If rows are long, the columns are copied to `gathered`, contiguously: the lengths of long rows tend to be powers of
    two, with which all rows fall into a few sets of the first-level cache.
    """
    if dy_row < _GATHER_FROM * lanes:
        return dy, dy_row
    for r in range(m):
        for c in range(width):
            gathered[r * width + c] = dy[r * dy_row + c]
    return gathered, width


@unit("int int int int int int real* int real* int real* real* -> none")
def accumulate_transposed(top, bottom, m, inner, vectors, lanes, a, a_row, dy, dy_row, panels, gathered):
    """w ← w + aᵀ dy, its rows from `top` to `bottom`, w in panels: a (m, inner), dy (m, columns) in padded rows.

    `gathered` has room for m rows of a panel. "Transposed" means that columns of a are read as rows; nothing is copied.
    """
    n_panels = panel_count(vectors)
    for p in range(n_panels):
        first, last = panel_start(p, n_panels, vectors), panel_start(p + 1, n_panels, vectors)
        column, width = first * lanes, (last - first) * lanes
        b, b_row = gather_columns(m, lanes, width, offset(dy, column), dy_row, gathered)
        c = offset(panels, column * inner + top * width)
        panel_product(bottom - top, last - first, offset(a, top), 1, a_row, b, b_row, c, width, c, width, m, TARGET)


@unit("int int int int real* int real* real* int real* real* int -> none")
def multiply_transposed(m, inner, columns, lanes, dy, dy_row, panels, dx, dx_row, zeros, scratch, size):
    """dx ← dy wᵀ for a few rows, without transposing w: dxᵀ = w dyᵀ, with a row of the batch in each lane.

    dy (m, columns) and dx (m, inner) in padded rows, w in panels. `scratch` has room for `size` elements, half of
    them for a block of dyᵀ, half for one of dxᵀ.
    """
    vectors = (columns + lanes - 1) // lanes
    n_panels = panel_count(vectors)
    block = size // (2 * lanes)
    dy_t, dx_t = scratch, offset(scratch, block * lanes)
    for first_row in range(0, m, lanes):
        rows = min(lanes, m - first_row)
        for first in range(0, inner, block):
            height = min(block, inner - first)
            for p in range(n_panels):
                start, end = panel_start(p, n_panels, vectors) * lanes, panel_start(p + 1, n_panels, vectors) * lanes
                width = end - start
                used = min(end, columns) - start
                source = offset(dy, first_row * dy_row + start)
                for c in range(used):
                    for r in range(lanes):
                        dy_t[c * lanes + r] = source[r * dy_row + c] if r < rows else 0
                w = offset(panels, start * inner + first * width)
                begin, begin_row = (zeros, 0) if p == 0 else (dx_t, lanes)
                panel_product(
                    height, 1, w, width, 1, dy_t, lanes, begin, begin_row, dx_t, lanes, used, NOTHING
                )  # fmt: skip
            for r in range(rows):
                out = offset(dx, (first_row + r) * dx_row + first)
                for k in range(height):
                    out[k] = dx_t[k * lanes + r]
    for r in range(m):
        out = offset(dx, r * dx_row)
        for k in range(inner, dx_row):
            out[k] = 0
