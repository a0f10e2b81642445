"""The gradient of a few rows, added to a matrix that is packed in panels, without its rows whose inputs are zero."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fastnn.intrinsics import NR_VECTORS, nonzero_columns, offset, pointer, sparse_rank_update, stack_alloc
from fastnn.jit import inline_ir
from fastnn.linalg.packing import panel_count, panel_start
from fastnn.units import unit

# Columns among which the nonzero ones are found at once.
_POSITIONS = 1024
_alloc_positions = stack_alloc(_POSITIONS)


def _products_of(rows: int) -> Callable:
    """The kernel that adds the products of so many rows, of their nonzero columns from `start` to `end`."""
    append_nonzero = nonzero_columns(rows)
    one_vector, two_vectors, three_vectors = (
        sparse_rank_update(rows, min(vectors, NR_VECTORS)) for vectors in (1, 2, 3)
    )

    @inline_ir
    def add_products(start, end, leaves_out, inner, vectors, part, lanes, a, a_row, dy, dy_row, panels, positions):
        full = start + (end - start) // lanes * lanes if leaves_out else start
        found = 0
        for k in range(start, full, lanes):
            found += append_nonzero(a, a_row, k, offset(positions, found))
        for k in range(full, end):
            nonzero = not leaves_out
            for r in range(rows):
                nonzero |= a[r * a_row + k] != 0
            positions[found] = k
            found += nonzero
        n_panels = panel_count(vectors)
        for p in range(part[0], part[1]):
            first, last = panel_start(p, n_panels, vectors) * lanes, panel_start(p + 1, n_panels, vectors) * lanes
            width, own, c = last - first, offset(dy, first), offset(panels, first * inner)
            if width == 3 * lanes:
                three_vectors(a, a_row, own, dy_row, c, width, positions, found)
            elif width == 2 * lanes:
                two_vectors(a, a_row, own, dy_row, c, width, positions, found)
            else:
                one_vector(a, a_row, own, dy_row, c, width, positions, found)

    return add_products


_of_four, _of_two, _of_one = _products_of(4), _products_of(2), _products_of(1)


@unit("int int int int int int int int real* int real* int real* -> none")
def accumulate_few_rows(top, bottom, m, inner, vectors, begin_panel, end_panel, lanes, a, a_row, dy, dy_row, panels):
    """w ← w + aᵀ dy, its rows from `top` to `bottom` of the panels from `begin_panel` to `end_panel`, w in panels:
    a (m, inner), rows of dy padded to full vectors.

    Rows are taken four, two and one at a time. Rows of w whose inputs are zero in all of these are not read. But where
    dy is not finite none is left out: 0 times infinity is NaN.
    """
    positions, part = _alloc_positions(pointer(0, np.int32(0))), (begin_panel, end_panel)
    finite = True
    for r in range(m):
        own_dy = offset(dy, r * dy_row)
        for c in range(vectors * lanes):
            finite &= np.isfinite(own_dy[c])
    for start in range(top, bottom if begin_panel < end_panel else top, _POSITIONS):
        end = min(bottom, start + _POSITIONS)
        r, rows = 0, 4
        while r < m:
            while rows > m - r:
                rows //= 2
            own, d = offset(a, r * a_row), offset(dy, r * dy_row)
            if rows == 4:
                _of_four(start, end, finite, inner, vectors, part, lanes, own, a_row, d, dy_row, panels, positions)
            elif rows == 2:
                _of_two(start, end, finite, inner, vectors, part, lanes, own, a_row, d, dy_row, panels, positions)
            else:
                _of_one(start, end, finite, inner, vectors, part, lanes, own, a_row, d, dy_row, panels, positions)
            r += rows
