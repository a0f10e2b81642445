"""Products with few columns, alone or the last ones of more: y = x w + b, w and y as they lie."""

from __future__ import annotations

import numpy as np

from fastnn.intrinsics import MR, dot_tile, element, lanes_of, offset
from fastnn.jit import force_inline, kernel
from fastnn.linalg.gemm import NOTHING, ROWS, panel_product
from fastnn.linalg.packing import aligned_empty, padded
from fastnn.linalg.transpose import transpose

# Rows of a batch of which the result is kept together.
_BLOCK = 128

# Elements of a row that are multiplied in one run: so much of a tile of rows and of w stays in the first-level cache.
_RUN = 512

# Columns of w that are multiplied at once, and rows of x with them. Vectors of x may cross cache lines, which counts
# twice: half a tile of rows by four columns loads fewer of them than a tile by two.
_COLUMNS, _ROWS = 4, MR // 2
_four_columns, _two_columns = dot_tile(_ROWS, _COLUMNS), dot_tile(MR, 2, fetch_rows=True)
_one_row = dot_tile(1, _COLUMNS)


@force_inline
def tall_skinny(x, w, start, y, total):
    """y ← start + x w for a w narrower than a vector and some of a batch of `total` rows, which decides how."""
    if along_rows(total, w.shape[0], w.shape[1], lanes_of(x)):
        times_along_rows(x, w, start, y, 0)
    else:
        _times_in_lanes(x, w, start, y)


@force_inline
def along_rows(n, inner, columns, count):
    """Whether products along rows, for which w is turned and the lanes of each sum are added up, cost less than those
    with a column of w in each lane, of which as many are empty as w has fewer columns. Where they break even was
    measured with AVX-512."""
    if 3 * columns <= count:
        return n >= (8 if 8 * columns <= count else 32)
    return 3 * columns <= 2 * count and inner >= 8 * count and n >= 128


@kernel
def _places(columns, group):
    """Where the elements of a tile of the result, side by side, are among the products of `_multiply`."""
    place = np.empty(MR * columns, np.int64)
    for r in range(MR):
        for c in range(columns):
            left = columns - c // _COLUMNS * _COLUMNS
            within = r * 2 if left <= 2 else r // _ROWS * (group // 2) + r % _ROWS * _COLUMNS
            place[r * columns + c] = c // _COLUMNS * group + within + c % _COLUMNS
    return place


@force_inline
def _multiply(rows, columns, a, a_row, b, b_row, k, products, group):
    """products ← those of a tile of rows of a, or of one, with the columns, of which four take up a `group`.

    `_places` knows how they come to lie there.
    """
    for c in range(0, columns, _COLUMNS):
        other, out = offset(b, c * b_row), offset(products, c // _COLUMNS * group)
        if rows < MR:
            _one_row(a, a_row, other, b_row, k, out)
        elif columns - c <= 2:
            _two_columns(a, a_row, other, b_row, k, out)
        else:
            for half in range(2):
                _four_columns(offset(a, half * _ROWS * a_row), a_row, other, b_row, k, offset(out, half * (group // 2)))


@kernel
def times_along_rows(x, w, start, y, first_column):
    """y ← start + x w from a column on, fewer than a vector: each element is a sum of products along a row of x and one
    of wᵀ."""
    n, inner = x.shape
    step, count = y.shape[1], lanes_of(x)
    columns = step - first_column
    groups = (columns + _COLUMNS - 1) // _COLUMNS
    # A vector more, so that the rows do not share a few places of the cache.
    row = padded(inner, count) + count
    group = 2 * max(_ROWS * _COLUMNS, count)
    room = aligned_empty(groups * (_COLUMNS * row + group), x)
    turned, products = room[: groups * _COLUMNS * row], element(room, groups * _COLUMNS * row)
    transpose(inner, columns, count, element(w, first_column), step, element(turned, 0), row)
    # What lies there may be subnormal numbers, which cost a hundred cycles each.
    turned[columns * row :] = 0
    place = _places(columns, group)
    for first in range(0, inner, _RUN):
        k = min(_RUN, inner - first)
        r = 0
        while r < n:
            rows = MR if n - r >= MR else 1
            _multiply(
                rows, columns, element(x, r * inner + first), inner, element(turned, first), row, k,
                products, group,
            )  # fmt: skip
            for own in range(rows):
                result = element(y, (r + own) * step + first_column)
                for c in range(columns):
                    before = start[first_column + c] if first == 0 else result[c]
                    result[c] = before + products[place[own * columns + c]]
            r += rows


@kernel
def _times_in_lanes(x, w, start, y):
    """Each lane has a column of w.

    Of a row of w a whole vector is read, the beginning of the next rows with it: what lies in the lanes beyond its
    columns is never used. Only the last rows are copied, so that nothing is read behind them.
    """
    n, inner = x.shape
    columns, count = y.shape[1], lanes_of(x)
    ending = min(inner, (count - 1) // columns + 1)
    before = inner - ending
    room = aligned_empty((ending + 1 + min(n, _BLOCK)) * count, x)
    room[: (ending + 1) * count] = 0
    last, wide_start, out = element(room, count), element(room, 0), element(room, (ending + 1) * count)
    for c in range(columns):
        room[c] = start[c]
    for k in range(ending):
        for c in range(columns):
            last[k * count + c] = w[before + k, c]
    for first in range(0, n, _BLOCK):
        m = min(_BLOCK, n - first)
        rows = element(x, first * inner)
        panel_product(m, 1, rows, inner, 1, element(w, 0), columns, wide_start, 0, out, count, before, ROWS)
        panel_product(m, 1, offset(rows, before), inner, 1, last, count, out, count, out, count, ending, NOTHING)
        for r in range(m):
            for c in range(columns):
                y[first + r, c] = out[r * count + c]
