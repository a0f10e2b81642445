"""The transpose of a matrix, by squares that are turned within registers."""

from __future__ import annotations

from fastnn.intrinsics import offset, transpose_partial_square, transpose_square
from fastnn.jit import kernel


@kernel
def transpose(rows, columns, count, source, source_row, target, target_row):
    """target (columns, rows) ← the transpose of source (rows, columns); addresses, and steps from row to row.

    `count` is the lanes of a vector of them. Less than a quarter of a square goes element by element: a square costs
    the same however little of it is used.
    """
    if 4 * rows < count:
        for r in range(rows):
            for c in range(columns):
                target[c * target_row + r] = source[r * source_row + c]
        return
    if 4 * columns < count:
        for c in range(columns):
            for r in range(rows):
                target[c * target_row + r] = source[r * source_row + c]
        return
    for r in range(0, rows, count):
        height = min(count, rows - r)
        for c in range(0, columns, count):
            width = min(count, columns - c)
            square, out = offset(source, r * source_row + c), offset(target, c * target_row + r)
            if height == count and width == count:
                transpose_square(square, source_row, out, target_row)
            else:
                transpose_partial_square(square, source_row, out, target_row, height, width)
