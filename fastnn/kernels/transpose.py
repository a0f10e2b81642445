"""The transpose of a matrix, by squares that are turned within registers."""

from __future__ import annotations

from fastnn.kernels.jit import kernel
from fastnn.kernels.simd import moved, turn_square


@kernel
def transpose(rows, columns, count, source, source_row, target, target_row):
    """target (columns, rows) ← the transpose of source (rows, columns); addresses, and steps from row to row.

    `count` is the lanes of a vector of them. Squares at the edge begin earlier, and overlap those before.
    """
    if rows < count or columns < count:
        for r in range(rows):
            for c in range(columns):
                target[c * target_row + r] = source[r * source_row + c]
        return
    for r in range(0, rows, count):
        r = min(r, rows - count)
        for c in range(0, columns, count):
            c = min(c, columns - count)
            turn_square(moved(source, r * source_row + c), source_row, moved(target, c * target_row + r), target_row)
