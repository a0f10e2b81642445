"""Products of row-major matrices: panels are packed only if they are used often.

The columns of a product are cut into panels of full vectors. If the number of columns is no multiple of the lanes, the
last panel begins earlier and overlaps the one before: some columns are computed twice, nothing is read or written out
of bounds, and no array needs padding.
"""

from __future__ import annotations

from fastnn.intrinsics import (
    CACHE_LINE,
    MR,
    NR_VECTORS,
    VECTOR_BYTES,
    address_of_pointer,
    broadcast,
    element,
    lanes_of,
    load,
    masked_load,
    masked_store,
    offset,
    store,
)
from fastnn.jit import force_inline, inline_ir
from fastnn.linalg.gemm import NOTHING, ROWS, TARGET, copy_columns, panel_product
from fastnn.linalg.packing import aligned_empty, padded, panel_count, panel_start
from fastnn.linalg.transpose import transpose
from fastnn.units import unit

# Rows of a batch that use a packed panel together.
_PANEL_ROWS = 128

# Rows of a gradient that use one panel while it is in the first-level cache.
_GRADIENT_ROWS = 32

# The most bytes of packed panels that stay in the second-level cache.
_L2_BYTES = 2**20

# From so many bytes on, y is taken to be far from the cache when it is written.
_FAR_BYTES = 2**22

# Rows so many bytes apart, or a multiple of them, fall into the same sets of a first-level cache.
_CONFLICTS = 4096

# Where rows of w do, and panels are no whole cache lines wide, that costs more than a copy of a panel, from so many
# rows of x on.
_ROWS_WORTH_A_COPY = 16
_PARTS_OF_LINES = NR_VECTORS * VECTOR_BYTES % CACHE_LINE != 0

# Where rows of y do, sums of few terms are written so many rows at a time: each line is still there when the next panel
# writes its other part.
_FEW_TERMS, _ROWS_OF_FEW_TERMS = 16, 16

# Where few rows use a panel, and its rows conflict, so many panels are copied together.
_STRIP = 4

# Rows that are packed together.
_ROWS_COPIED = 8

# Columns from which on each row of a matrix lies on another page.
_WIDE_COLUMNS = 512


@force_inline
def _n_panels(columns, lanes):
    """The number of panels: at least two if the last must overlap another one."""
    vectors = padded(columns, lanes) // lanes
    return max(panel_count(vectors), 1 if columns % lanes == 0 else 2)


@force_inline
def _panel(panel, n_panels, vectors, columns, lanes):
    """The first column of a panel, and the vectors in its rows. The last panel ends with the last column, and may
    overlap the one before."""
    first = panel_start(panel, n_panels, vectors)
    width = panel_start(panel + 1, n_panels, vectors) - first
    return min(first * lanes, columns - width * lanes), width


@force_inline
def _conflicts(row, lanes):
    """Whether rows of so many elements fall into the same sets of the first-level cache."""
    return row * VECTOR_BYTES // lanes % _CONFLICTS == 0


@inline_ir
def _copy_strip(rows, left, n_panels, vectors, columns, lanes, b, row, copy):
    """copy ← the columns of _STRIP panels from panel `left` on, of `rows` rows of b with `row` elements from one to the
    next; returns the first of these columns."""
    begin, _ = _panel(left, n_panels, vectors, columns, lanes)
    last, width = _panel(min(left + _STRIP, n_panels) - 1, n_panels, vectors, columns, lanes)
    copy_columns(rows, last + width * lanes - begin, offset(b, begin), row, copy, _STRIP * NR_VECTORS * lanes)
    return begin


@unit("int int int real* real* real* real* int int -> none")
def multiply(n, inner, row, x, w, start, y, columns, height):
    """The first `columns` columns of y ← start + x w, at least one vector of them, without packing w: x (n, inner),
    w (inner, row), start (row,), y (n, row).

    Each row of a wide w lies on another page. It is multiplied in blocks of `height` rows, each for all columns. Where
    all rows of a block fall into the same sets of the first-level cache, strips of panels of it are copied.
    """
    lanes = lanes_of(x)
    vectors = padded(columns, lanes) // lanes
    n_panels = _n_panels(columns, lanes)
    # An overlapping panel must not add to what the one before has written: it is multiplied in one go, at the end.
    overlaps = columns % lanes != 0
    if row < _WIDE_COLUMNS:
        height = max(inner, 1)
    copies = _PARTS_OF_LINES and _conflicts(row, lanes) and n >= _ROWS_WORTH_A_COPY
    copy = aligned_empty(_STRIP * height * NR_VECTORS * lanes if copies else 0, x[0])
    copied, left = element(copy, 0), 0
    for first in range(0, max(inner, 1), height):
        k = min(height, inner - first)
        for p in range(n_panels - 1 if overlaps else n_panels):
            column, width = _panel(p, n_panels, vectors, columns, lanes)
            out = offset(y, column)
            begin, begin_row = (offset(start, column), 0) if first == 0 else (out, row)
            b, b_row = offset(w, first * row + column), row
            if copies:
                if p % _STRIP == 0:
                    left = _copy_strip(k, p, n_panels, vectors, columns, lanes, offset(w, first * row), row, copied)
                b, b_row = offset(copied, column - left), _STRIP * NR_VECTORS * lanes
            panel_product(n, width, offset(x, first), inner, 1, b, b_row, begin, begin_row, out, row, k, NOTHING, b, 0)
    if overlaps:
        column, width = _panel(n_panels - 1, n_panels, vectors, columns, lanes)
        panel_product(
            n, width, x, inner, 1, offset(w, column), row, offset(start, column), 0, offset(y, column), row, inner,
            NOTHING, w, 0,
        )  # fmt: skip


@force_inline
def _add_four_rows(y, w, row, a0, a1, a2, a3):
    """y ← y + a w for one vector of columns and four rows of w; y and w are addresses, `row` elements between rows."""
    first = load(y) + a0 * load(w) + a1 * load(offset(w, row))
    store(first + a2 * load(offset(w, 2 * row)) + a3 * load(offset(w, 3 * row)), y)


@force_inline
def _add_four_rows_masked(y, w, row, size, a0, a1, a2, a3):
    """`_add_four_rows` for the first `size` lanes."""
    first = masked_load(y, size) + a0 * masked_load(w, size) + a1 * masked_load(offset(w, row), size)
    last = first + a2 * masked_load(offset(w, 2 * row), size) + a3 * masked_load(offset(w, 3 * row), size)
    masked_store(last, y, size)


@unit("int int real* real* real* real* -> none")
def gemv(inner, columns, x, w, start, y):
    """y ← start + x w for one row x. w (inner, columns) is read in memory order, four rows at a time.

    If every row of w begins at the same distance from a vector boundary, the elements up to the boundary are masked and
    all other loads aligned: none crosses a cache line.
    """
    lanes = lanes_of(w)
    itemsize = VECTOR_BYTES // lanes
    head = -address_of_pointer(w) % VECTOR_BYTES // itemsize if columns % lanes == 0 else 0
    tail_start = head + (columns - head) // lanes * lanes
    for c in range(columns):
        y[c] = start[c]
    for k in range(0, inner // 4 * 4, 4):
        a0, a1, a2, a3 = broadcast(x[k]), broadcast(x[k + 1]), broadcast(x[k + 2]), broadcast(x[k + 3])
        row = offset(w, k * columns)
        if head > 0:
            _add_four_rows_masked(y, row, columns, head, a0, a1, a2, a3)
        for c in range(head, tail_start, lanes):
            _add_four_rows(offset(y, c), offset(row, c), columns, a0, a1, a2, a3)
        if tail_start < columns:
            tail = columns - tail_start
            _add_four_rows_masked(offset(y, tail_start), offset(row, tail_start), columns, tail, a0, a1, a2, a3)
    for k in range(inner // 4 * 4, inner):
        for c in range(columns):
            y[c] += x[k] * w[k * columns + c]


@unit("int int int real* real* int real* real* int -> none")
def multiply_packed(n, inner, row, x, w, w_transposed, start, y, columns):
    """The first `columns` columns of y ← start + x w, or start + x wᵀ if `w_transposed`, with w packed in panels:
    x (n, inner), start (row,), y (n, row)."""
    lanes = lanes_of(x)
    vectors = padded(columns, lanes) // lanes
    n_panels = _n_panels(columns, lanes)
    height = _ROWS_OF_FEW_TERMS if inner <= _FEW_TERMS and _conflicts(row, lanes) else _PANEL_ROWS
    # Several row blocks use every panel, so that all are kept; a single one needs memory for one panel at a time.
    packed = aligned_empty(inner * lanes * (vectors if n > height else NR_VECTORS), x[0])
    exceeds_l2, is_far = packed.size * packed.itemsize > _L2_BYTES, n * row * packed.itemsize > _FAR_BYTES
    for first in range(0, n, height):
        for p in range(n_panels):
            column, panel_vectors = _panel(p, n_panels, vectors, columns, lanes)
            width = panel_vectors * lanes
            panel = element(packed, panel_start(p, n_panels, vectors) * lanes * inner if n > height else 0)
            if first == 0 and w_transposed:
                transpose(width, inner, lanes, offset(w, column * inner), inner, panel, width)
            elif first == 0:
                copy_columns(inner, width, offset(w, column), row, panel, width)
            rows, fetch, ahead_row = min(height, n - first), ROWS if p == 0 or is_far else NOTHING, 0
            if exceeds_l2 and first > 0:
                fetch, ahead_row = ROWS if p == 0 else NOTHING, inner * width // rows
            panel_product(
                rows, panel_vectors, offset(x, first * inner), inner, 1, panel, width,
                offset(start, column), 0, offset(y, first * row + column), row, inner, fetch,
                offset(panel, inner * width), ahead_row,
            )  # fmt: skip


@unit("int int int real* real* real* int int -> none")
def multiply_tn(n, a_columns, columns, a, b, c, top, bottom):
    """Rows `top` to `bottom` of c ← aᵀ b ("TN" in BLAS): a (n, a_columns), b (n, columns), at least one vector.

    Where many rows of c use b, it is packed in panels; where few do and its rows conflict, strips of panels are copied.
    """
    lanes = lanes_of(a)
    vectors = padded(columns, lanes) // lanes
    n_panels = _n_panels(columns, lanes)
    zeros = aligned_empty(NR_VECTORS * lanes, a[0])
    zeros[:] = 0
    block = min(n, _PANEL_ROWS)
    pack_b = bottom - top > _GRADIENT_ROWS
    copy_b = not pack_b and bottom - top > MR and _conflicts(columns, lanes)
    tiles_on_a_line = CACHE_LINE * lanes // (MR * VECTOR_BYTES)
    pack_a = columns >= _WIDE_COLUMNS or (tiles_on_a_line >= 4 and _conflicts(a_columns, lanes))
    panel_size = block * NR_VECTORS * lanes
    packed_b = aligned_empty(panel_size * (n_panels if pack_b else _STRIP if copy_b else 0), a[0])
    packed_a = aligned_empty(block * _GRADIENT_ROWS if pack_a else 0, a[0])
    copied, left = element(packed_b, 0), 0
    # The last panel may overlap the one before. If it is accumulated over several row blocks it needs its own memory.
    last_width = _panel(n_panels - 1, n_panels, vectors, columns, lanes)[1] * lanes
    separate = columns % lanes != 0 and n > _PANEL_ROWS
    last_panel = aligned_empty((bottom - top) * last_width if separate else 0, a[0])
    for first in range(0, n, _PANEL_ROWS):
        m = min(_PANEL_ROWS, n - first)
        # A few rows at a time for all panels, because the hardware prefetches along each row.
        for r in range(0, m if pack_b else 0, _ROWS_COPIED):
            for p in range(n_panels):
                column, panel_vectors = _panel(p, n_panels, vectors, columns, lanes)
                width = panel_vectors * lanes
                copy_columns(
                    min(_ROWS_COPIED, m - r), width, offset(b, (first + r) * columns + column), columns,
                    element(packed_b, p * panel_size + r * width), width,
                )  # fmt: skip
        for row in range(top, bottom, _GRADIENT_ROWS):
            rows = min(_GRADIENT_ROWS, bottom - row)
            block_a, a_k = offset(a, first * a_columns + row), a_columns
            if pack_a and rows == _GRADIENT_ROWS:
                # Many panels or micro-tiles use these columns of a, and each row of them lies on another page.
                copy_columns(m, _GRADIENT_ROWS, block_a, a_columns, element(packed_a, 0), _GRADIENT_ROWS)
                block_a, a_k = element(packed_a, 0), _GRADIENT_ROWS
            for p in range(n_panels):
                column, panel_vectors = _panel(p, n_panels, vectors, columns, lanes)
                panel, panel_row = offset(b, first * columns + column), columns
                if pack_b:
                    panel, panel_row = element(packed_b, p * panel_size), panel_vectors * lanes
                elif copy_b:
                    if p % _STRIP == 0:
                        rows_b = offset(b, first * columns)
                        left = _copy_strip(m, p, n_panels, vectors, columns, lanes, rows_b, columns, copied)
                    panel, panel_row = offset(copied, column - left), _STRIP * NR_VECTORS * lanes
                out, out_row = offset(c, row * columns + column), columns
                if separate and p == n_panels - 1:
                    out, out_row = element(last_panel, (row - top) * last_width), last_width
                start, start_row = (element(zeros, 0), 0) if first == 0 else (out, out_row)
                panel_product(
                    rows, panel_vectors, block_a, 1, a_k, panel, panel_row, start, start_row, out, out_row, m,
                    TARGET, out, 0,
                )  # fmt: skip
    if separate:
        for r in range(top, bottom):
            for k in range(last_width):
                c[r * columns + columns - last_width + k] = last_panel[(r - top) * last_width + k]
