"""One row times a transposed matrix that is packed in panels."""

from __future__ import annotations

from fastnn.intrinsics import MR, dot_tile, offset, stack_alloc
from fastnn.linalg.packing import padded, panel_count, panel_start
from fastnn.units import unit

# Rows of w in one dot tile: their sums fill half of the registers.
_ROWS = 2 * MR
_many_rows, _one_row = dot_tile(1, _ROWS), dot_tile(1, 1)
_alloc_products = stack_alloc(_ROWS)


@unit("int int int int int real* real* real* int -> none")
def gemv_transposed(inner, top, bottom, columns, lanes, dy, panels, dx, dx_row):
    """dx ← dy wᵀ for one row: the dot product of dy with each row of w (inner, columns) from `top` to `bottom`, panel
    by panel.

    dx is padded with zeros. Padding of dy and w takes part only where it adds zero: an update may have left NaN there,
    such as Adam's 0 / 0 without eps. One element tells, for all padding is treated alike. The panels are read in
    reverse order: the forward product has just read the last ones, which are still in a near cache.
    """
    vectors = padded(columns, lanes) // lanes
    products = _alloc_products(dx)
    for k in range(top, dx_row if bottom == inner else bottom):
        dx[k] = 0
    n_panels = panel_count(vectors)
    for p in range(n_panels - 1, -1, -1):
        first, last = panel_start(p, n_panels, vectors) * lanes, panel_start(p + 1, n_panels, vectors) * lanes
        d, width, used = offset(dy, first), last - first, min(last, columns) - first
        if used < width and d[used] * panels[first * inner + used] == 0:
            used = width  # full vectors, which are faster than masked ones
        r = top
        while r < bottom:
            w = offset(panels, first * inner + r * width)
            rows = _ROWS if bottom - r >= _ROWS else 1
            if rows == 1:
                _one_row(d, width, w, width, used, products)
            else:
                _many_rows(d, width, w, width, used, products)
            for k in range(rows):
                dx[r + k] += products[k]
            r += rows
