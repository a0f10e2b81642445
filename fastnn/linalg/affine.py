"""The affine map of a fully connected layer, on row-major arrays; panels are packed only if they are used often.

The columns of a product are cut into panels of full vectors. If the number of columns is no multiple of the lanes, the
last panel begins earlier and overlaps the one before: some columns are computed twice, nothing is read or written out
of bounds, and no array needs padding. Where dot products are faster, the tail columns are computed by dot tiles
instead, as is a w narrower than one vector (`tall_skinny.py`).
"""

from __future__ import annotations

from numba import prange

from fastnn.intrinsics import (
    MR,
    NR_VECTORS,
    VECTOR_BYTES,
    address_of_pointer,
    broadcast,
    element,
    enter_parallel_region,
    keep_alive,
    lanes_of,
    leave_parallel_region,
    like,
    load,
    masked_load,
    masked_store,
    offset,
    prefer_full_vectors,
    store,
)
from fastnn.jit import force_inline, force_inline_reassociated, inline_ir
from fastnn.linalg.gemm import NOTHING, PANEL, ROWS, ROWS_AND_PANEL, TARGET, panel_product
from fastnn.linalg.packing import aligned_empty, padded, panel_count, panel_start
from fastnn.linalg.tall_skinny import dot_tiles_pay, multiply_by_dot_tiles, multiply_tall_skinny
from fastnn.linalg.transpose import transpose
from fastnn.units import kernel_of_units, parallel_kernel_of_units, unit

# Rows of a row block of the batch: they use a packed panel together.
_BLOCK_ROWS = 128

# Rows of a gradient that use one panel while it is in the first-level cache.
_GRADIENT_ROWS = 32

# The most rows for which packing the weights costs more time than it saves.
_MAX_UNPACKED_ROWS = 64

# The most bytes of packed panels that stay in the second-level cache.
_L2_BYTES = 2**20

# Columns from which on each row of a matrix lies on another page.
_WIDE_COLUMNS = 512

# Vectors in a row of x from which on a dot product makes up for adding its lanes.
_MIN_DOT_VECTORS = 4

# Vectors in a row of w from which on a single row of x is faster row by row of w than panel by panel.
_MIN_GEMV_VECTORS = 6


@unit("int int real* real* -> none")
def sum_rows(n, columns, dy, db):
    """db ← the sum of dy (n, columns) over its rows."""
    for c in range(columns):
        db[c] = 0
    for r in range(n):
        row = offset(dy, r * columns)
        for c in range(columns):
            db[c] += row[c]


@kernel_of_units
def affine_forward(x, w, b, y):
    """y ← x w + b."""
    n, inner = x.shape
    forward_rows(n, inner, b.size, element(x, 0), element(w, 0), element(b, 0), element(y, 0), n)


@unit("int int int real* real* real* real* int -> none")
def forward_rows(n, inner, outputs, x, w, b, y, batch):
    """y ← x w + b for one worker's n rows x of a batch of `batch` rows.

    The size of the batch alone decides on the algorithm, and so on the order of every sum: results do not depend on how
    the rows are divided among workers.
    """
    lanes = lanes_of(x)
    if outputs < lanes:
        multiply_tall_skinny(n, inner, outputs, x, w, b, y, batch)
        return
    tail = outputs % lanes
    # A last vector of few columns would cost as much as a full one.
    dot_tail = tail > 0 and inner >= _MIN_DOT_VECTORS * lanes and dot_tiles_pay(batch, inner, tail, lanes)
    columns = outputs - tail if dot_tail else outputs
    if batch == 1 and outputs >= _MIN_GEMV_VECTORS * lanes:
        gemv(inner, outputs, x, w, b, y)
    elif batch <= _MAX_UNPACKED_ROWS:
        multiply(n, inner, outputs, x, w, b, y, columns, 32 if batch <= 2 * MR else 64)
    else:
        multiply_packed(n, inner, outputs, x, w, False, b, y, columns)
    if columns < outputs:
        multiply_by_dot_tiles(n, inner, outputs, x, w, b, y, columns)


@parallel_kernel_of_units
def parallel_affine_forward(x, w, b, y, region, workers):
    """`affine_forward`, rows divided among `workers` workers. The result is the same to the bit for any number."""
    n, inner = x.shape
    outputs = b.size
    threads = enter_parallel_region(region)
    for worker in prange(workers):
        first, last = _part_start(n, worker, workers), _part_start(n, worker + 1, workers)
        if last > first:
            forward_rows(
                last - first, inner, outputs, element(x, first * inner), element(w, 0), element(b, 0),
                element(y, first * outputs), n,
            )  # fmt: skip
    leave_parallel_region(region, threads)


@kernel_of_units
def affine_backward(dy, x, w, dx, dw, db):
    """dx ← dy wᵀ, dw ← xᵀ dy, db ← the sum of dy over its rows."""
    n, inputs = x.shape
    outputs = db.size
    input_gradient(n, inputs, outputs, element(dy, 0), element(w, 0), element(dx, 0), n)
    weight_gradient(n, inputs, outputs, element(dy, 0), element(x, 0), element(dw, 0), 0, 1)
    sum_rows(n, outputs, element(dy, 0), element(db, 0))


@parallel_kernel_of_units
def parallel_affine_backward(dy, x, w, dx, dw, db, region, workers):
    """`affine_backward`, rows of dx and dw divided among `workers` workers. The result is the same to the bit for any
    number."""
    n, inputs = x.shape
    outputs = db.size
    threads = enter_parallel_region(region)
    for worker in prange(workers):
        first, last = _part_start(n, worker, workers), _part_start(n, worker + 1, workers)
        if last > first:
            input_gradient(
                last - first, inputs, outputs, element(dy, first * outputs), element(w, 0),
                element(dx, first * inputs), n,
            )  # fmt: skip
        weight_gradient(n, inputs, outputs, element(dy, 0), element(x, 0), element(dw, 0), worker, workers)
        if worker == 0:
            sum_rows(n, outputs, element(dy, 0), element(db, 0))
    leave_parallel_region(region, threads)


@force_inline
def _part_start(rows, worker, workers):
    """The first row of a worker's part: at a full micro-tile, so that every sum is formed as by a single worker."""
    return rows if worker == workers else rows // MR * worker // workers * MR


@force_inline
def _n_panels(columns, lanes):
    """The number of panels: at least two if the last must overlap another one."""
    vectors = padded(columns, lanes) // lanes
    return max(panel_count(vectors), 1 if columns % lanes == 0 else 2)


@force_inline
def _panel_column(panel, n_panels, vectors, columns, lanes):
    """The first column of a panel. The last panel ends with the last column, and may overlap the one before."""
    width = (panel_start(panel + 1, n_panels, vectors) - panel_start(panel, n_panels, vectors)) * lanes
    return columns - width if panel == n_panels - 1 else panel_start(panel, n_panels, vectors) * lanes


@force_inline
def _panel_vectors(panel, n_panels, vectors):
    """The vectors in a row of a panel."""
    return panel_start(panel + 1, n_panels, vectors) - panel_start(panel, n_panels, vectors)


@unit("int int int real* real* real* real* int int -> none")
def multiply(n, inner, row, x, w, start, y, columns, height):
    """The first `columns` columns of y ← start + x w, at least one vector of them, without packing w: x (n, inner),
    w (inner, row), start (row,), y (n, row).

    Each row of a wide w lies on another page. It is multiplied in blocks of `height` rows, each for all columns.
    """
    lanes = lanes_of(x)
    vectors = padded(columns, lanes) // lanes
    n_panels = _n_panels(columns, lanes)
    # An overlapping panel must not add to what the one before has written: it is multiplied in one go, at the end.
    overlaps = columns % lanes != 0
    if row < _WIDE_COLUMNS:
        height = max(inner, 1)
    for first in range(0, max(inner, 1), height):
        k = min(height, inner - first)
        for p in range(n_panels - 1 if overlaps else n_panels):
            column = _panel_column(p, n_panels, vectors, columns, lanes)
            out = offset(y, column)
            begin, begin_row = (offset(start, column), 0) if first == 0 else (out, row)
            panel_product(
                n, _panel_vectors(p, n_panels, vectors), offset(x, first), inner, 1, offset(w, first * row + column),
                row, begin, begin_row, out, row, k, NOTHING,
            )  # fmt: skip
    if overlaps:
        column = _panel_column(n_panels - 1, n_panels, vectors, columns, lanes)
        panel_product(
            n, _panel_vectors(n_panels - 1, n_panels, vectors), x, inner, 1, offset(w, column), row,
            offset(start, column), 0, offset(y, column), row, inner, NOTHING,
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
    # Several row blocks use every panel, so that all are kept; a single one needs memory for one panel at a time.
    packed = aligned_empty(inner * lanes * (vectors if n > _BLOCK_ROWS else NR_VECTORS), x[0])
    exceeds_l2 = packed.size * packed.itemsize > _L2_BYTES
    for first in range(0, n, _BLOCK_ROWS):
        for p in range(n_panels):
            column = _panel_column(p, n_panels, vectors, columns, lanes)
            width = _panel_vectors(p, n_panels, vectors) * lanes
            panel = element(packed, panel_start(p, n_panels, vectors) * lanes * inner if n > _BLOCK_ROWS else 0)
            if first == 0 and w_transposed:
                transpose(width, inner, lanes, offset(w, column * inner), inner, panel, width)
            elif first == 0:
                copy_vectors(inner, width // lanes, offset(w, column), row, panel, width)
            fetch = ROWS if p == 0 else TARGET
            if exceeds_l2 and first > 0:
                fetch = ROWS_AND_PANEL if p == 0 else PANEL
            panel_product(
                min(_BLOCK_ROWS, n - first), width // lanes, offset(x, first * inner), inner, 1, panel, width,
                offset(start, column), 0, offset(y, first * row + column), row, inner, fetch,
            )  # fmt: skip


@inline_ir
def copy_vectors(rows, vectors, source, source_row, target, target_row):
    """target ← the first `vectors` vectors of each of `rows` rows of source: a panel product with k = 0."""
    panel_product(rows, vectors, source, 0, 0, source, 0, source, source_row, target, target_row, 0, NOTHING)


@unit("int int int real* real* real* int -> none")
def input_gradient(n, inputs, outputs, dy, w, dx, batch):
    """dx ← dy wᵀ for one worker's n rows dy of a batch of `batch` rows, which alone decides on the algorithm."""
    lanes = lanes_of(dy)
    if batch <= 2:
        for r in range(n):
            for k in range(inputs):
                dx[r * inputs + k] = _dot(outputs, offset(dy, r * outputs), offset(w, k * outputs))
        return
    width = max(inputs, lanes)
    zeros = aligned_empty(width, dy[0])
    zeros[:] = 0
    if inputs < lanes:
        w_t = aligned_empty(outputs * inputs, dy[0])
        transpose(inputs, outputs, lanes, w, outputs, element(w_t, 0), inputs)
        multiply_tall_skinny(n, outputs, inputs, dy, element(w_t, 0), element(zeros, 0), dx, batch)
        keep_alive(w_t)
    else:
        multiply_packed(n, outputs, inputs, dy, w, True, element(zeros, 0), dx, inputs)
    keep_alive(zeros)


@unit("int int int real* real* real* int int -> none")
def weight_gradient(n, inputs, outputs, dy, x, dw, worker, workers):
    """One worker's part of dw ← xᵀ dy: rows of dw, or columns if dw is computed transposed."""
    lanes = lanes_of(x)
    if not _transposing_pays(n, inputs, outputs, lanes):
        top, bottom = _part_start(inputs, worker, workers), _part_start(inputs, worker + 1, workers)
        if n == 0:
            for k in range(top * outputs, bottom * outputs):
                dw[k] = 0
        elif n == 1:
            _outer_product(outputs, x, dy, dw, top, bottom)
        elif outputs >= lanes:
            multiply_tn(n, inputs, outputs, x, dy, dw, top, bottom)
        else:
            padded_dy, padded_dw = aligned_empty(n * lanes, x[0]), aligned_empty(inputs * lanes, x[0])
            padded_dy[:] = 0
            for r in range(n):
                for c in range(outputs):
                    padded_dy[r * lanes + c] = dy[r * outputs + c]
            multiply_tn(n, inputs, lanes, x, element(padded_dy, 0), element(padded_dw, 0), top, bottom)
            keep_alive(padded_dy)
            for k in range(top, bottom):
                for c in range(outputs):
                    dw[k * outputs + c] = padded_dw[k * lanes + c]
        return
    top, bottom = _part_start(outputs, worker, workers), _part_start(outputs, worker + 1, workers)
    if n == 0:
        for k in range(inputs):
            for c in range(top, bottom):
                dw[k * outputs + c] = 0
    elif bottom > top:
        dw_t = aligned_empty(outputs * inputs, x[0])
        multiply_tn(n, outputs, inputs, dy, x, element(dw_t, 0), top, bottom)
        transpose(bottom - top, inputs, lanes, element(dw_t, top * inputs), inputs, offset(dw, top), outputs)
        keep_alive(dw_t)


@force_inline
def _outer_product(columns, a, b, c, top, bottom):
    """Rows `top` to `bottom` of c ← a bᵀ."""
    prefer_full_vectors()
    for r in range(top, bottom):
        row = offset(c, r * columns)
        for k in range(columns):
            row[k] = a[r] * b[k]


@force_inline
def _transposing_pays(n, inputs, outputs, lanes):
    """Whether dwᵀ = dyᵀ x, which must be transposed afterwards, is faster than dw = xᵀ dy: it has fewer empty lanes."""
    if inputs < lanes or n == 1 or (n <= _MAX_UNPACKED_ROWS and outputs >= lanes):
        return False
    return 11 * outputs * padded(inputs, lanes) < 10 * inputs * padded(outputs, lanes)


@unit("int int int real* real* real* int int -> none")
def multiply_tn(n, a_columns, columns, a, b, c, top, bottom):
    """Rows `top` to `bottom` of c ← aᵀ b ("TN" in BLAS): a (n, a_columns), b (n, columns), at least one vector."""
    lanes = lanes_of(a)
    vectors = padded(columns, lanes) // lanes
    n_panels = _n_panels(columns, lanes)
    zeros = aligned_empty(NR_VECTORS * lanes, a[0])
    zeros[:] = 0
    panel_size = min(n, _BLOCK_ROWS) * NR_VECTORS * lanes
    pack_b, pack_a = bottom - top > _GRADIENT_ROWS, columns >= _WIDE_COLUMNS
    packed_b = aligned_empty(n_panels * panel_size if pack_b else 0, a[0])
    packed_a = aligned_empty(min(n, _BLOCK_ROWS) * _GRADIENT_ROWS if pack_a else 0, a[0])
    # The last panel may overlap the one before. If it is accumulated over several row blocks it needs its own memory.
    last_width = _panel_vectors(n_panels - 1, n_panels, vectors) * lanes
    separate = columns % lanes != 0 and n > _BLOCK_ROWS
    last_panel = aligned_empty((bottom - top) * last_width if separate else 0, a[0])
    for first in range(0, n, _BLOCK_ROWS):
        m = min(_BLOCK_ROWS, n - first)
        # MR rows at a time for all panels, because the hardware prefetches along each row.
        for r in range(0, m if pack_b else 0, MR):
            for p in range(n_panels):
                column = _panel_column(p, n_panels, vectors, columns, lanes)
                panel_vectors = _panel_vectors(p, n_panels, vectors)
                width = panel_vectors * lanes
                copy_vectors(
                    min(MR, m - r), panel_vectors, offset(b, (first + r) * columns + column), columns,
                    element(packed_b, p * panel_size + r * width), width,
                )  # fmt: skip
        for row in range(top, bottom, _GRADIENT_ROWS):
            rows = min(_GRADIENT_ROWS, bottom - row)
            block_a, a_k = offset(a, first * a_columns + row), a_columns
            if pack_a and rows == _GRADIENT_ROWS:
                # Many panels use these columns of a, and each row of them lies on another page.
                for k in range(0, _GRADIENT_ROWS, lanes):
                    copy_vectors(m, 1, offset(block_a, k), a_columns, element(packed_a, k), _GRADIENT_ROWS)
                block_a, a_k = element(packed_a, 0), _GRADIENT_ROWS
            for p in range(n_panels):
                column = _panel_column(p, n_panels, vectors, columns, lanes)
                panel_vectors = _panel_vectors(p, n_panels, vectors)
                panel, panel_row = offset(b, first * columns + column), columns
                if pack_b:
                    panel, panel_row = element(packed_b, p * panel_size), panel_vectors * lanes
                out, out_row = offset(c, row * columns + column), columns
                if separate and p == n_panels - 1:
                    out, out_row = element(last_panel, (row - top) * last_width), last_width
                start, start_row = (element(zeros, 0), 0) if first == 0 else (out, out_row)
                panel_product(
                    rows, panel_vectors, block_a, 1, a_k, panel, panel_row, start, start_row, out, out_row, m, TARGET
                )  # fmt: skip
    if separate:
        for r in range(top, bottom):
            for k in range(last_width):
                c[r * columns + columns - last_width + k] = last_panel[(r - top) * last_width + k]


@force_inline_reassociated
def _dot(size, a, b):
    """The dot product Σ a b."""
    total = like(a[0], 0)
    for k in range(size):
        total += a[k] * b[k]
    return total
