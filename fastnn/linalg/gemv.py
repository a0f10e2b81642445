"""One row times a transposed matrix that is packed in panels."""

from __future__ import annotations

from fastnn.intrinsics import MR, dot_tile, offset, stack_alloc
from fastnn.jit import force_inline
from fastnn.linalg.packing import padded, panel_count, panel_start
from fastnn.units import unit

# Rows of w in one dot tile: their sums fill half of the registers.
ROWS_OF_A_DOT_TILE = 2 * MR
_many_rows, _one_row = dot_tile(1, ROWS_OF_A_DOT_TILE), dot_tile(1, 1)
_alloc_products = stack_alloc(ROWS_OF_A_DOT_TILE)


@force_inline
def columns_taking_part(d, panel, width, used):
    """How many columns of a panel dot products take in, of which only `used` are no padding.

    Padding of d and of the panel takes part only where it adds zero: an update may have left NaN there, such as Adam's
    0 / 0 without eps. One element tells, for all padding is treated alike.
    """
    if used < width and d[used] * panel[used] == 0:
        return width  # full vectors, which are faster than masked ones
    return used


@unit("int int real* real* int int real* -> none")
def add_dot_products(top, bottom, d, panel, width, used, dx):
    """dx ← dx + the dot products of d with the rows of a panel from `top` to `bottom`, of the first `used` elements."""
    products = _alloc_products(dx)
    r = top
    while r < bottom:
        w = offset(panel, r * width)
        rows = ROWS_OF_A_DOT_TILE if bottom - r >= ROWS_OF_A_DOT_TILE else 1
        if rows == 1:
            _one_row(d, width, w, width, used, products)
        else:
            _many_rows(d, width, w, width, used, products)
        for k in range(rows):
            dx[r + k] += products[k]
        r += rows


@unit("int int int int int real* real* real* int -> none")
def gemv_transposed(inner, top, bottom, columns, lanes, dy, panels, dx, dx_row):
    """dx ← dy wᵀ for one row: the dot product of dy with each row of w (inner, columns) from `top` to `bottom`, panel
    by panel.

    dx is padded with zeros. Sums are those of `step/one_row.py`, to the bit.
    """
    vectors = padded(columns, lanes) // lanes
    for k in range(top, dx_row if bottom == inner else bottom):
        dx[k] = 0
    n_panels = panel_count(vectors)
    for p in range(n_panels):
        first, last = panel_start(p, n_panels, vectors) * lanes, panel_start(p + 1, n_panels, vectors) * lanes
        d, panel = offset(dy, first), offset(panels, first * inner)
        width = last - first
        used = columns_taking_part(d, panel, width, min(width, columns - first))
        add_dot_products(top, bottom, d, panel, width, used, dx)
