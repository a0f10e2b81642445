"""A few rows times a transposed matrix that is packed in panels, without transposing it."""

from __future__ import annotations

import numpy as np

from fastnn.intrinsics import MR, dot_tile_of_panels, offset, pointer, stack_alloc
from fastnn.linalg.packing import padded, panel_count
from fastnn.units import unit

# Rows of dy and of w in one dot tile: their sums are half of the registers, and one or two vectors once added up.
_ROWS, _COLUMNS = 2, MR
_pair, _pair_and_one = dot_tile_of_panels(_ROWS, _COLUMNS), dot_tile_of_panels(_ROWS, 1)
_row, _row_and_one = dot_tile_of_panels(1, _COLUMNS), dot_tile_of_panels(1, 1)

# Panels of one tile. Their rows tend to lie a power of two apart: then they share a few sets of the first-level cache.
_PANELS = 8
_alloc_places = stack_alloc(2 * _PANELS)


@unit("int int int int int int real* int real* real* int real* -> none")
def multiply_transposed(m, inner, top, bottom, columns, lanes, dy, dy_row, panels, dx, dx_row, zeros):
    """dx ← dy wᵀ for a few rows: dot products of rows of dy (m, columns) with rows of w (inner, columns), of which only
    those from `top` to `bottom`.

    Rows of dy and dx are padded, w is in panels. Padding of dy and w takes no part: an update may have left NaN there,
    such as Adam's 0 / 0 without eps. Where rows of w are left over, the last tile overlaps the one before.
    """
    vectors = padded(columns, lanes) // lanes
    n_panels = panel_count(vectors)
    whole = vectors // n_panels
    rest = vectors - whole * n_panels
    places = _alloc_places(pointer(0, np.int64(0)))
    for r in range(m):
        out = offset(dx, r * dx_row)
        for k in range(inner, dx_row if bottom == inner else inner):
            out[k] = 0
    tile_columns = _COLUMNS if bottom - top >= _COLUMNS else 1
    for column in range(top, bottom, tile_columns):
        own_top = min(column, bottom - tile_columns)
        first = over = 0
        for panel in range(0, n_panels, _PANELS):
            count, last = min(_PANELS, n_panels - panel), first
            for p in range(count):
                # Panel p ends vectors * (p + 1) // n_panels vectors into a row.
                over += rest
                width = whole * lanes
                if over >= n_panels:
                    over -= n_panels
                    width += lanes
                places[2 * p], places[2 * p + 1] = last * inner + own_top * width, width
                last += width
            k = min(columns, last) - first
            for r in range(0, m, _ROWS):
                own, out = offset(dy, r * dy_row + first), offset(dx, r * dx_row + own_top)
                start, start_row = (zeros, 0) if panel == 0 else (out, dx_row)
                if m - r < _ROWS:
                    if tile_columns == 1:
                        _row_and_one(own, dy_row, panels, places, count, k, start, start_row, out, dx_row)
                    else:
                        _row(own, dy_row, panels, places, count, k, start, start_row, out, dx_row)
                elif tile_columns == 1:
                    _pair_and_one(own, dy_row, panels, places, count, k, start, start_row, out, dx_row)
                else:
                    _pair(own, dy_row, panels, places, count, k, start, start_row, out, dx_row)
            first = last
