"""The affine map of a fully connected layer, on row-major arrays.

Which product is fastest depends on the sizes (`row_major.py`). Where dot products are faster, the tail columns are
computed by dot tiles, as is a w of few columns (`tall_skinny.py`).
"""

from __future__ import annotations

from numba import prange

from fastnn.intrinsics import (
    MR,
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
from fastnn.jit import force_inline, force_inline_reassociated
from fastnn.linalg.packing import aligned_empty, padded, part_start
from fastnn.linalg.row_major import gemv, multiply, multiply_packed, multiply_tn
from fastnn.linalg.tall_skinny import dot_tiles_pay, multiply_by_dot_tiles, multiply_tall_skinny
from fastnn.linalg.transpose import transpose
from fastnn.units import kernel_of_units, parallel_kernel_of_units, unit

# The most rows for which packing the weights costs more time than it saves.
_MAX_UNPACKED_ROWS = 64

# Vectors in a row of x from which on a dot product makes up for adding its lanes.
_MIN_DOT_VECTORS = 4

# Vectors in a row of w from which on a single row of x is faster row by row of w than panel by panel.
_MIN_GEMV_VECTORS = 6

# Rows of dy that are added to db together, so that db is read and written once for all of them.
_ROWS_ADDED = 4


@unit("int int real* real* -> none")
def sum_rows(n, columns, dy, db):
    """db ← the sum of dy (n, columns) over its rows, in their order."""
    lanes = lanes_of(dy)
    for c in range(columns):
        db[c] = 0
    whole, tail = columns // lanes * lanes, columns % lanes
    for r in range(0, n // _ROWS_ADDED * _ROWS_ADDED, _ROWS_ADDED):
        row = offset(dy, r * columns)
        for c in range(0, whole, lanes):
            total = load(offset(db, c))
            for k in range(_ROWS_ADDED):
                total += load(offset(row, k * columns + c))
            store(total, offset(db, c))
        if tail > 0:
            total = masked_load(offset(db, whole), tail)
            for k in range(_ROWS_ADDED):
                total += masked_load(offset(row, k * columns + whole), tail)
            masked_store(total, offset(db, whole), tail)
    for r in range(n // _ROWS_ADDED * _ROWS_ADDED, n):
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
    if outputs < lanes or dot_tiles_pay(batch, inner, outputs, lanes):
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
        first, last = part_start(n, worker, workers), part_start(n, worker + 1, workers)
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
        first, last = part_start(n, worker, workers), part_start(n, worker + 1, workers)
        if last > first:
            input_gradient(
                last - first, inputs, outputs, element(dy, first * outputs), element(w, 0),
                element(dx, first * inputs), n,
            )  # fmt: skip
        weight_gradient(n, inputs, outputs, element(dy, 0), element(x, 0), element(dw, 0), worker, workers)
        if worker == 0:
            sum_rows(n, outputs, element(dy, 0), element(db, 0))
    leave_parallel_region(region, threads)


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
    if inputs < lanes or dot_tiles_pay(batch, outputs, inputs, lanes):
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
        top, bottom = part_start(inputs, worker, workers), part_start(inputs, worker + 1, workers)
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
    top, bottom = part_start(outputs, worker, workers), part_start(outputs, worker + 1, workers)
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
    """Whether dwᵀ = dyᵀ x, which must be transposed afterwards, is faster than dw = xᵀ dy: it has fewer empty lanes.
    For few rows the transposing weighs more, unless there are few outputs."""
    few = MR - 1 if outputs <= 2 * lanes else _MAX_UNPACKED_ROWS
    if inputs < lanes or n == 1 or (n <= few and outputs >= lanes):
        return False
    return 11 * outputs * padded(inputs, lanes) < 10 * inputs * padded(outputs, lanes)


@force_inline_reassociated
def _dot(size, a, b):
    """The dot product Σ a b."""
    total = like(a[0], 0)
    for k in range(size):
        total += a[k] * b[k]
    return total
