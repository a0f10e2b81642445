"""Tall-skinny products y = x w + b: w has few columns, or they are the tail of a wider w."""

from __future__ import annotations

from fastnn.intrinsics import MR, dot_tile_added, element, lanes_of, offset
from fastnn.jit import force_inline, inline_ir
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
_four_columns, _two_columns = dot_tile_added(_ROWS, _COLUMNS), dot_tile_added(MR, 2, fetch_rows=True)
_one_column, _one_row = dot_tile_added(MR, 1), dot_tile_added(1, _COLUMNS)


@inline_ir
def multiply_tall_skinny(n, inner, columns, x, w, start, y, batch):
    """y ← start + x w for one worker's n rows x of a batch of `batch` rows, which alone decides on the algorithm.

    w (inner, columns) is narrower than a vector, or one for which dot tiles pay.
    """
    if dot_tiles_pay(batch, inner, columns, lanes_of(x)):
        multiply_by_dot_tiles(n, inner, columns, x, w, start, y, 0)
    else:
        multiply_in_lanes(n, inner, columns, x, w, start, y, batch)


@force_inline
def dot_tiles_pay(n, inner, columns, lanes):
    """Whether dot tiles are faster than a product with one column of w per lane.

    Dot tiles must transpose w and add up the lanes of each sum. The other product leaves lanes - columns lanes empty;
    and where micro-tiles of one vector have 4 rows, it loads five vectors for every four multiply-adds, dot tiles six
    for eight. The thresholds were measured on an Emerald Rapids, with AVX-512 and AVX2.
    """
    if 3 * columns <= lanes:
        return n >= (8 if 8 * columns <= lanes else 16 if 4 * columns <= lanes else 32)
    if MR < 8:
        rows = 128 if inner < 8 * lanes else 64 if columns >= lanes else 32
        return columns < 2 * lanes and inner >= 4 * lanes and n >= rows
    return 4 * columns <= 3 * lanes and inner >= 4 * lanes and n >= 64


@force_inline
def _multiply_rows(columns, a, a_row, b, b_row, k, start, start_row, c, c_row, aside):
    """c ← start + a bᵀ for MR rows of a and `columns` rows of b, of which a multiple of _COLUMNS exist.

    Three columns are a tile of four, whose sums are written at first `aside`, which has room for it and zeros behind.
    """
    for first in range(0, columns, _COLUMNS):
        left, other = columns - first, offset(b, first * b_row)
        before, before_row, out, out_row = offset(start, first), start_row, offset(c, first), c_row
        if left == 1:
            _one_column(a, a_row, other, b_row, k, before, before_row, out, out_row)
        elif left == 2:
            _two_columns(a, a_row, other, b_row, k, before, before_row, out, out_row)
        else:
            if left == 3:
                before, before_row, out, out_row = offset(aside, MR * _COLUMNS), 0, aside, _COLUMNS
            for r in range(0, MR, _ROWS):
                _four_columns(
                    offset(a, r * a_row), a_row, other, b_row, k, offset(before, r * before_row), before_row,
                    offset(out, r * out_row), out_row,
                )  # fmt: skip
            if left == 3:
                _add_aside(MR, left, aside, offset(start, first), start_row, offset(c, first), c_row)


@force_inline
def _multiply_row(columns, a, b, b_row, k, start, c, aside):
    """c ← start + a bᵀ for one row of a and `columns` rows of b, as in `_multiply_rows`."""
    for first in range(0, columns, _COLUMNS):
        left, other = columns - first, offset(b, first * b_row)
        before, out = offset(start, first), offset(c, first)
        if left < _COLUMNS:
            before, out = offset(aside, MR * _COLUMNS), aside
        _one_row(a, 0, other, b_row, k, before, 0, out, 0)
        if left < _COLUMNS:
            _add_aside(1, left, aside, offset(start, first), 0, offset(c, first), 0)


@force_inline
def _add_aside(rows, columns, aside, start, start_row, c, c_row):
    """c ← start + the first columns of the tile `aside`."""
    for r in range(rows):
        for j in range(columns):
            c[r * c_row + j] = start[r * start_row + j] + aside[r * _COLUMNS + j]


@unit("int int int real* real* real* real* int -> none")
def multiply_by_dot_tiles(n, inner, y_row, x, w, start, y, first_column):
    """The columns of y ← start + x w from `first_column` on: each element is the dot product of a row of x and a row of
    wᵀ. x (n, inner), w (inner, y_row), start (y_row,), y (n, y_row)."""
    lanes = lanes_of(x)
    columns = y_row - first_column
    # One more vector per row of wᵀ, so that the rows do not fall into the same sets of the cache.
    row = padded(inner, lanes) + lanes
    size = padded(columns, _COLUMNS) * row
    workspace = aligned_empty(size + (MR + 1) * _COLUMNS, x[0])
    transpose(inner, columns, lanes, offset(w, first_column), y_row, element(workspace, 0), row)
    # The rows beyond the last column are multiplied too: uninitialised, they could hold subnormal numbers, which cost a
    # hundred cycles each.
    workspace[columns * row :] = 0
    for top in range(0, n, _ROWS_TOGETHER):
        bottom = min(n, top + _ROWS_TOGETHER)
        for first in range(0, max(inner, 1), _KC):
            k = min(_KC, inner - first)
            r = top
            while r < bottom:
                own, out = offset(x, r * inner + first), offset(y, r * y_row + first_column)
                before, before_row = (offset(start, first_column), 0) if first == 0 else (out, y_row)
                w_t, aside = element(workspace, first), element(workspace, size)
                if bottom - r >= MR:
                    _multiply_rows(columns, own, inner, w_t, row, k, before, before_row, out, y_row, aside)
                    r += MR
                else:
                    _multiply_row(columns, own, w_t, row, k, before, out, aside)
                    r += 1


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
