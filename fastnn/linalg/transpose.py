"""The transpose of a matrix, by transpose tiles."""

from __future__ import annotations

from fastnn.intrinsics import offset, transpose_partial_tile, transpose_tile
from fastnn.units import unit


@unit("int int int real* int real* int -> none")
def transpose(rows, columns, lanes, source, source_row, target, target_row):
    """target (columns, rows) ← the transpose of source (rows, columns).

    `source` and `target` are addresses, `source_row` and `target_row` the elements from one row to the next. A tile
    costs the same however little of it is used, so that less than a quarter of one is copied element by element.
    """
    if 4 * rows <= lanes:
        for r in range(rows):
            for c in range(columns):
                target[c * target_row + r] = source[r * source_row + c]
        return
    if 4 * columns <= lanes:
        for c in range(columns):
            for r in range(rows):
                target[c * target_row + r] = source[r * source_row + c]
        return
    for r in range(0, rows, lanes):
        height = min(lanes, rows - r)
        for c in range(0, columns, lanes):
            width = min(lanes, columns - c)
            tile, out = offset(source, r * source_row + c), offset(target, c * target_row + r)
            if height == lanes and width == lanes:
                transpose_tile(tile, source_row, out, target_row)
            else:
                transpose_partial_tile(tile, source_row, out, target_row, height, width)
