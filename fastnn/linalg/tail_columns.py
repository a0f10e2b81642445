"""Products with the tail columns of a layer's weights, each stored as a row along the inputs (`layout.py`).

Forward, each element of the result is the dot product of two rows. Backward, the inputs are in the lanes, so that no
lane is empty.
"""

from __future__ import annotations

from fastnn.intrinsics import MR, broadcast, dot_tile, load, offset, stack_alloc, store
from fastnn.linalg.gemm import NOTHING, TARGET, panel_product
from fastnn.linalg.packing import panel_count, panel_start
from fastnn.units import unit

# Columns of one dot tile.
_COLUMNS = 2
_many_rows, _one_row = dot_tile(MR, _COLUMNS), dot_tile(1, _COLUMNS)
_alloc_products = stack_alloc(MR * _COLUMNS)


@unit("int int int real* int real* real* real* int -> none")
def tail_forward(m, inner, columns, a, a_row, tail, start, c, c_row):
    """c ← start + a tailᵀ, for a (m, inner), tail (columns, inner); start and each row of c are one padded vector."""
    products = _alloc_products(a)
    # Tiles have two columns: the last tile of an odd number overlaps the one before, and a single column is used twice.
    step = inner if columns > 1 else 0
    r = 0
    while r < m:
        height = MR if m - r >= MR else 1
        own, out = offset(a, r * a_row), offset(c, r * c_row)
        for k in range(height):
            store(load(start), offset(out, k * c_row))
        for first in range(0, columns, _COLUMNS):
            column = max(0, min(first, columns - _COLUMNS))
            others = offset(tail, column * inner)
            if height == MR:
                _many_rows(own, a_row, others, step, inner, products)
            else:
                _one_row(own, a_row, others, step, inner, products)
            for k in range(height):
                for other in range(min(_COLUMNS, columns)):
                    out[k * c_row + column + other] = start[column + other] + products[k * _COLUMNS + other]
        r += height


@unit("int real* int int int int real* int real* int real* int int -> none")
def tail_product(m, a, a_row, a_k, width, lanes, b, b_row, start, start_row, c, c_row, k):
    """c ← start + a b, for a (m, k) with `a_row` or `a_k` of 1, and b (k, width), which is not packed; `width` is a
    multiple of the lanes."""
    if k == 1:
        # A call of the panel product would take longer than these few multiplications.
        for r in range(m):
            factor = broadcast(a[r * a_row])
            for column in range(0, width, lanes):
                total = load(offset(start, r * start_row + column)) + factor * load(offset(b, column))
                store(total, offset(c, r * c_row + column))
        return
    vectors = width // lanes
    n_panels = panel_count(vectors)
    for p in range(n_panels):
        first, last = panel_start(p, n_panels, vectors), panel_start(p + 1, n_panels, vectors)
        column = first * lanes
        panel_product(
            m, last - first, a, a_row, a_k, offset(b, column), b_row, offset(start, column), start_row,
            offset(c, column), c_row, k, NOTHING if a_k == 1 else TARGET, b, 0,
        )  # fmt: skip
