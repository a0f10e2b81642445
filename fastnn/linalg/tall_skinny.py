"""Tall-skinny products y = x w + b: w has fewer columns than a vector has lanes, or they are the tail of a wider w."""

from __future__ import annotations

import numpy as np

from fastnn.intrinsics import MR, dot_tile, element, lanes_of, offset
from fastnn.jit import force_inline, inline_ir, kernel
from fastnn.linalg.gemm import NOTHING, ROWS, panel_product
from fastnn.linalg.packing import aligned_empty, padded
from fastnn.linalg.transpose import transpose
from fastnn.units import unit

# Rows whose padded results are buffered at a time.
_BUFFERED_ROWS = 128

# Elements of a row that are multiplied in one pass: so much of MR rows of x and of wᵀ stays in the first-level cache.
_KC = 512

# Rows of x that take all passes before the next ones do: what the CPU fetches ahead in one pass, the next one reads.
_ROWS_TOGETHER = 64

# The columns and rows of a dot tile. A vector of x that crosses a cache line costs two loads, and MR / 2 rows by four
# columns load fewer vectors of x per product than MR rows by two columns.
_COLUMNS, _ROWS = 4, MR // 2
_four_columns, _two_columns = dot_tile(_ROWS, _COLUMNS), dot_tile(MR, 2, fetch_rows=True)
_one_row = dot_tile(1, _COLUMNS)


@inline_ir
def multiply_tall_skinny(n, inner, columns, x, w, start, y, batch):
    """y ← start + x w for a w (inner, columns) narrower than a vector, and one worker's n rows x of a batch of `batch`
    rows, which alone decides on the algorithm."""
    if dot_tiles_pay(batch, inner, columns, lanes_of(x)):
        multiply_by_dot_tiles(n, inner, columns, x, w, start, y, 0)
    else:
        multiply_in_lanes(n, inner, columns, x, w, start, y, batch)


@force_inline
def dot_tiles_pay(n, inner, columns, lanes):
    """Whether dot tiles are faster than a product with one column of w per lane.

    Dot tiles must transpose w and add up the lanes of each sum; the other product leaves lanes - columns lanes empty.
    The thresholds were measured with AVX-512.
    """
    if 3 * columns <= lanes:
        return n >= (8 if 8 * columns <= lanes else 32)
    return 3 * columns <= 2 * lanes and inner >= 8 * lanes and n >= 128


@kernel
def _product_offsets(columns, group):
    """The offset of each element (MR, columns) of the result within the products that `_multiply` writes."""
    offsets = np.empty(MR * columns, np.int64)
    for r in range(MR):
        for c in range(columns):
            left = columns - c // _COLUMNS * _COLUMNS
            within = r * 2 if left <= 2 else r // _ROWS * (group // 2) + r % _ROWS * _COLUMNS
            offsets[r * columns + c] = c // _COLUMNS * group + within + c % _COLUMNS
    return offsets


@force_inline
def _multiply(rows, columns, a, a_row, b, b_row, k, products, group):
    """products ← the dot products of MR rows of a, or of one, with `columns` rows of b.

    Each four columns take up `group` elements, in the order of the dot tiles; see `_product_offsets`.
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


@unit("int int int real* real* real* real* int -> none")
def multiply_by_dot_tiles(n, inner, y_row, x, w, start, y, first_column):
    """The columns of y ← start + x w from `first_column` on, fewer than a vector: each element is the dot product of a
    row of x and a row of wᵀ. x (n, inner), w (inner, y_row), start (y_row,), y (n, y_row)."""
    lanes = lanes_of(x)
    columns = y_row - first_column
    groups = (columns + _COLUMNS - 1) // _COLUMNS
    # One more vector per row of wᵀ, so that the rows do not fall into the same sets of the cache.
    row = padded(inner, lanes) + lanes
    group = 2 * max(_ROWS * _COLUMNS, lanes)
    workspace = aligned_empty(groups * (_COLUMNS * row + group), x[0])
    products_at = groups * _COLUMNS * row
    transpose(inner, columns, lanes, offset(w, first_column), y_row, element(workspace, 0), row)
    # The rows beyond the last column are multiplied too: uninitialised, they could hold subnormal numbers, which cost a
    # hundred cycles each.
    workspace[columns * row : products_at] = 0
    offsets = _product_offsets(columns, group)
    for top in range(0, n, _ROWS_TOGETHER):
        bottom = min(n, top + _ROWS_TOGETHER)
        for first in range(0, max(inner, 1), _KC):
            k = min(_KC, inner - first)
            r = top
            while r < bottom:
                rows = MR if bottom - r >= MR else 1
                _multiply(
                    rows, columns, offset(x, r * inner + first), inner, element(workspace, first), row, k,
                    element(workspace, products_at), group,
                )  # fmt: skip
                for i in range(rows):
                    result = offset(y, (r + i) * y_row + first_column)
                    for c in range(columns):
                        before = start[first_column + c] if first == 0 else result[c]
                        result[c] = before + workspace[products_at + offsets[i * columns + c]]
                r += rows


@unit("int int int real* real* real* real* int -> none")
def multiply_in_lanes(n, inner, columns, x, w, start, y, batch):
    """y ← start + x w with one column of w per lane: x (n, inner), w (inner, columns), n rows of a batch of `batch`.

    A full vector is read from each row of w: its columns, then the beginning of the next rows, whose lanes are never
    used. The last rows are copied to a padded buffer, so that nothing is read beyond w; or all, if there are no more
    than rows of the batch. Then results need no buffer, but for the last rows: a full vector is written from the
    beginning of each row of y on, and the next row overwrites what was too much.
    """
    lanes = lanes_of(x)
    reach = (lanes - 1) // columns
    n_copied = inner if inner <= batch else min(inner, reach + 1)
    n_direct = inner - n_copied
    unbuffered = max(0, n - reach) // MR * MR if n_direct == 0 else 0
    workspace = aligned_empty((n_copied + 1 + min(n - unbuffered, _BUFFERED_ROWS)) * lanes, x[0])
    workspace[: (n_copied + 1) * lanes] = 0
    out_at = (n_copied + 1) * lanes
    bias, copied = element(workspace, 0), element(workspace, lanes)
    for c in range(columns):
        workspace[c] = start[c]
    for k in range(n_copied):
        for c in range(columns):
            workspace[(1 + k) * lanes + c] = w[(n_direct + k) * columns + c]
    panel_product(unbuffered, 1, x, inner, 1, copied, lanes, bias, 0, y, columns, inner, ROWS, x, 0)
    for first in range(unbuffered, n, _BUFFERED_ROWS):
        m = min(_BUFFERED_ROWS, n - first)
        rows, out = offset(x, first * inner), element(workspace, out_at)
        panel_product(m, 1, rows, inner, 1, w, columns, bias, 0, out, lanes, n_direct, ROWS, x, 0)
        panel_product(
            m, 1, offset(rows, n_direct), inner, 1, copied, lanes, out, lanes, out, lanes, n_copied, NOTHING, x, 0
        )  # fmt: skip
        for r in range(m):
            for c in range(columns):
                y[(first + r) * columns + c] = workspace[out_at + r * lanes + c]
