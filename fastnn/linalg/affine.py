"""The affine map of a fully connected layer: products on arrays as they lie, packed only where a panel is used often.

Columns are taken in panels of whole vectors. Where they do not come out even, the last panel begins earlier and
computes some columns twice, so that nothing is read or written out of bounds and nothing needs padding; or the few that
are left over are products along rows, as are those of a w narrower than one vector (`narrow.py`).
"""

from __future__ import annotations

import numpy as np
from numba import prange

from fastnn.intrinsics import (
    MR,
    NR_VECTORS,
    broadcast,
    element,
    enter_parallel_region,
    lanes_of,
    leave_parallel_region,
    load,
    masked_load,
    masked_store,
    offset,
    prefer_full_vectors,
    store,
)
from fastnn.jit import force_inline, force_inline_reassociated, kernel, parallel_kernel
from fastnn.linalg.gemm import NOTHING, PANEL, ROWS, ROWS_AND_PANEL, TARGET, panel_product
from fastnn.linalg.packing import aligned_empty, padded, panel_count, panel_start
from fastnn.linalg.tall_skinny import along_rows, tall_skinny, times_along_rows
from fastnn.linalg.transpose import transpose

# Rows of a batch that are added to a gradient at once.
_BLOCK = 128

# Rows of a gradient that each panel serves while it is in the first-level cache.
_ROWS = 32

# Up to so many rows, copying the weights together costs more than it saves.
_FEW_ROWS = 64

# Up to so many bytes, panels stay in the second-level cache.
_NEAR = 2**20

# From so many columns on, the rows of a matrix are far apart in memory.
_WIDE = 512

# From so many vectors in a row of x on, products along rows outweigh adding up their lanes.
_LONG = 4

# From so many vectors in a row of w on, one row of x goes through w row by row; fewer are faster panel by panel.
_ROW_BY_ROW = 6


@kernel
def sum_rows(dy, db):
    """db ← the sum of dy over its rows."""
    db[:] = 0
    for r in range(dy.shape[0]):
        for c in range(dy.shape[1]):
            db[c] += dy[r, c]


@kernel
def affine_forward(x, w, b, y):
    """y ← x w + b."""
    _forward_share(x, w, b, y, x.shape[0])


@kernel
def _forward_share(x, w, b, y, total):
    """y ← x w + b for some of a batch of `total` rows, which alone decides how, and so the order of every sum."""
    inner, outputs, count = x.shape[1], b.size, lanes_of(x)
    if outputs < count:
        tall_skinny(x, w, b, y, total)
        return
    left = outputs % count
    # Few columns in a last vector of their own would cost as much as all that it has room for.
    apart = left > 0 and inner >= _LONG * count and along_rows(total, inner, left, count)
    whole = outputs - left if apart else outputs
    if total == 1 and outputs >= _ROW_BY_ROW * count:
        _row_times(x[0], w, b, y[0])
    elif total <= _FEW_ROWS:
        _times(x, w, b, y, whole, 32 if total <= 2 * MR else 64)
    else:
        _times_packed(x, w, False, b, y, whole)
    if whole < outputs:
        times_along_rows(x, w, b, y, whole)


@parallel_kernel
def parallel_affine_forward(x, w, b, y, region, workers):
    """`affine_forward`, rows shared between so many workers. The same bits, however many."""
    threads = enter_parallel_region(region)
    for worker in prange(workers):
        first, last = _share(x.shape[0], worker, workers), _share(x.shape[0], worker + 1, workers)
        if last > first:
            _forward_share(x[first:last], w, b, y[first:last], x.shape[0])
    leave_parallel_region(region, threads)


@kernel
def affine_backward(dy, x, w, dx, dw, db):
    """dx ← dy wᵀ, dw ← xᵀ dy, db ← the sum of dy over its rows."""
    input_gradient(dy, w, dx, dy.shape[0])
    weight_gradient(dy, x, dw, 0, 1)
    sum_rows(dy, db)


@parallel_kernel
def parallel_affine_backward(dy, x, w, dx, dw, db, region, workers):
    """`affine_backward`, rows of dx and of dw shared between so many workers. The same bits, however many."""
    threads = enter_parallel_region(region)
    for worker in prange(workers):
        first, last = _share(dy.shape[0], worker, workers), _share(dy.shape[0], worker + 1, workers)
        if last > first:
            input_gradient(dy[first:last], w, dx[first:last], dy.shape[0])
        weight_gradient(dy, x, dw, worker, workers)
        if worker == 0:
            sum_rows(dy, db)
    leave_parallel_region(region, threads)


@force_inline
def _share(rows, worker, workers):
    """Where the worker's rows begin: whole tiles, so that every sum is formed as it is by one worker alone."""
    return rows if worker == workers else rows // MR * worker // workers * MR


@force_inline
def _panels(columns, count):
    """How many panels; at least two where columns do not come out even, so that the last can begin earlier."""
    vectors = padded(columns, count) // count
    return max(panel_count(vectors), 1 if columns % count == 0 else 2)


@force_inline
def _column(panel, panels, vectors, columns, count):
    """The first column of a panel: the last panel ends with the last column."""
    width = (panel_start(panel + 1, panels, vectors) - panel_start(panel, panels, vectors)) * count
    return columns - width if panel == panels - 1 else panel_start(panel, panels, vectors) * count


@force_inline
def _width(panel, panels, vectors):
    """Its vectors."""
    return panel_start(panel + 1, panels, vectors) - panel_start(panel, panels, vectors)


@kernel
def _times(x, w, start, y, columns, height):
    """y ← start + x w, its first `columns`, at least one vector of them, w as it lies.

    Rows of a wide w are far apart, each on a page of its own: `height` rows at a time, for all columns.
    """
    n, inner = x.shape
    step, count = y.shape[1], lanes_of(x)
    vectors = padded(columns, count) // count
    panels = _panels(columns, count)
    # The last panel shares columns with the one before: it must not add to what is there.
    shared = columns % count != 0
    if step < _WIDE:
        height = max(inner, 1)
    for first in range(0, inner, height):
        k = min(height, inner - first)
        for p in range(panels - 1 if shared else panels):
            at = _column(p, panels, vectors, columns, count)
            out = element(y, at)
            begin, begin_row = (element(start, at), 0) if first == 0 else (out, step)
            panel_product(
                n, _width(p, panels, vectors), element(x, first), inner, 1, element(w, first * step + at), step,
                begin, begin_row, out, step, k, NOTHING,
            )  # fmt: skip
    if shared:
        at = _column(panels - 1, panels, vectors, columns, count)
        panel_product(
            n, _width(panels - 1, panels, vectors), element(x, 0), inner, 1, element(w, at), step,
            element(start, at), 0, element(y, at), step, inner, NOTHING,
        )  # fmt: skip


@force_inline
def _add_four_rows(y, w, step, a0, a1, a2, a3):
    """y ← y + a w for a vector of columns of four rows, both at addresses, `step` from row to row of w."""
    first = load(y) + a0 * load(w) + a1 * load(offset(w, step))
    store(first + a2 * load(offset(w, 2 * step)) + a3 * load(offset(w, 3 * step)), y)


@force_inline
def _add_part_of_four_rows(y, w, step, size, a0, a1, a2, a3):
    """The same for the first `size` lanes."""
    first = masked_load(y, size) + a0 * masked_load(w, size) + a1 * masked_load(offset(w, step), size)
    last = first + a2 * masked_load(offset(w, 2 * step), size) + a3 * masked_load(offset(w, 3 * step), size)
    masked_store(last, y, size)


@kernel
def _row_times(x, w, start, y):
    """y ← start + x w for one row x, w read in the order in which it lies, four rows at a time.

    Where all rows of w begin as far from the border of a vector, whole vectors are read from border to border: none
    crosses a cache line.
    """
    inner, columns = w.shape
    count = lanes_of(w)
    head = -w.ctypes.data % (count * w.itemsize) // w.itemsize if columns % count == 0 else 0
    whole = head + (columns - head) // count * count
    for c in range(columns):
        y[c] = start[c]
    for k in range(0, inner // 4 * 4, 4):
        a0, a1, a2, a3 = broadcast(x[k]), broadcast(x[k + 1]), broadcast(x[k + 2]), broadcast(x[k + 3])
        row = element(w, k * columns)
        if head > 0:
            _add_part_of_four_rows(element(y, 0), row, columns, head, a0, a1, a2, a3)
        for c in range(head, whole, count):
            _add_four_rows(element(y, c), offset(row, c), columns, a0, a1, a2, a3)
        if whole < columns:
            _add_part_of_four_rows(element(y, whole), offset(row, whole), columns, columns - whole, a0, a1, a2, a3)
    for k in range(inner // 4 * 4, inner):
        for c in range(columns):
            y[c] += x[k] * w[k, c]


@kernel
def _times_packed(x, w, turned, start, y, columns):
    """y ← start + x w, or start + x wᵀ where it is `turned`, its first `columns`, with each panel copied together."""
    n, inner = x.shape
    step, count = y.shape[1], lanes_of(x)
    vectors = padded(columns, count) // count
    panels = _panels(columns, count)
    # All panels are kept where several blocks of rows need them; many of them are fetched from far away.
    packed = aligned_empty(inner * count * (vectors if n > _BLOCK else NR_VECTORS), x)
    far = packed.size * packed.itemsize > _NEAR
    for first in range(0, n, _BLOCK):
        for p in range(panels):
            at, width = _column(p, panels, vectors, columns, count), _width(p, panels, vectors) * count
            panel = element(packed, panel_start(p, panels, vectors) * count * inner if n > _BLOCK else 0)
            if first == 0 and turned:
                transpose(width, inner, count, element(w, at * inner), inner, panel, width)
            elif first == 0:
                copy_vectors(inner, width // count, element(w, at), step, panel, width)
            fetch = ROWS if p == 0 else TARGET
            if far and first > 0:
                fetch = ROWS_AND_PANEL if p == 0 else PANEL
            panel_product(
                min(_BLOCK, n - first), width // count, element(x, first * inner), inner, 1, panel, width,
                element(start, at), 0, element(y, first * step + at), step, inner,
                fetch,
            )  # fmt: skip


@kernel
def copy_vectors(rows, vectors, source, source_row, target, target_row):
    """target ← so many vectors of each row of source: a product of no terms."""
    panel_product(rows, vectors, source, 0, 0, source, 0, source, source_row, target, target_row, 0, NOTHING)


@kernel
def input_gradient(dy, w, dx, total):
    """dx ← dy wᵀ for some of a batch of `total` rows, which alone decides how."""
    inputs, count = w.shape[0], lanes_of(dy)
    if total <= 2:
        for r in range(dy.shape[0]):
            for k in range(inputs):
                dx[r, k] = _dot(dy[r], w[k])
        return
    zeros = np.zeros(max(inputs, count), dy.dtype)
    if inputs < count:
        turned = np.empty((w.shape[1], inputs), w.dtype)
        transpose(inputs, w.shape[1], count, element(w, 0), w.shape[1], element(turned, 0), inputs)
        tall_skinny(dy, turned, zeros, dx, total)
    else:
        _times_packed(dy, w, True, zeros, dx, inputs)


@kernel
def weight_gradient(dy, x, dw, worker, workers):
    """The worker's share of dw ← xᵀ dy: rows of dw, or columns where outputs would leave many lanes empty."""
    n, inputs = x.shape
    outputs, count = dy.shape[1], lanes_of(x)
    if not _inputs_in_lanes(n, inputs, outputs, count):
        top, bottom = _share(inputs, worker, workers), _share(inputs, worker + 1, workers)
        if n == 0:
            dw[top:bottom] = 0
        elif n == 1:
            _outer_product(x[0], dy[0], dw, top, bottom)
        elif outputs >= count:
            _transposed_times(x, dy, dw, top, bottom)
        else:
            wide, gradient = np.zeros((n, count), x.dtype), np.empty((inputs, count), x.dtype)
            for r in range(n):
                for c in range(outputs):
                    wide[r, c] = dy[r, c]
            _transposed_times(x, wide, gradient, top, bottom)
            for k in range(top, bottom):
                for c in range(outputs):
                    dw[k, c] = gradient[k, c]
        return
    top, bottom = _share(outputs, worker, workers), _share(outputs, worker + 1, workers)
    if n == 0:
        dw[:, top:bottom] = 0
    elif bottom > top:
        turned = np.empty((outputs, inputs), x.dtype)
        _transposed_times(dy, x, turned, top, bottom)
        transpose(bottom - top, inputs, count, element(turned, top * inputs), inputs, element(dw, top), outputs)


@kernel
def _outer_product(a, b, c, top, bottom):
    """The rows of c from `top` to `bottom` ← a bᵀ."""
    prefer_full_vectors()
    for r in range(top, bottom):
        for k in range(b.size):
            c[r, k] = a[r] * b[k]


@kernel
def _inputs_in_lanes(n, inputs, outputs, count):
    """Whether dwᵀ = dyᵀ x, whose result must be transposed, leaves enough fewer lanes empty than dw = xᵀ dy."""
    if inputs < count or n == 1 or (n <= _FEW_ROWS and outputs >= count):
        return False
    return 11 * outputs * padded(inputs, count) < 10 * inputs * padded(outputs, count)


@kernel
def _transposed_times(a, b, c, top, bottom):
    """The rows of c from `top` to `bottom` ← aᵀ b, where b has at least one vector of columns."""
    n, height = a.shape
    columns, count = b.shape[1], lanes_of(a)
    vectors = padded(columns, count) // count
    panels = _panels(columns, count)
    zeros = np.zeros(NR_VECTORS * count, a.dtype)
    size = min(n, _BLOCK) * NR_VECTORS * count
    pack, pack_a = bottom - top > _ROWS, columns >= _WIDE
    packed = aligned_empty(panels * size if pack else 0, a)
    strip = aligned_empty(min(n, _BLOCK) * _ROWS if pack_a else 0, a)
    # The last panel shares columns with the one before; what is added to must be its own.
    width = _width(panels - 1, panels, vectors) * count
    own = columns % count != 0 and n > _BLOCK
    last = aligned_empty((bottom - top) * width if own else 0, a)
    for first in range(0, n, _BLOCK):
        m = min(_BLOCK, n - first)
        # A few rows at a time: the hardware looks ahead along each.
        for r in range(0, m if pack else 0, MR):
            for p in range(panels):
                at, wide = _column(p, panels, vectors, columns, count), _width(p, panels, vectors)
                copy_vectors(
                    min(MR, m - r), wide, element(b, (first + r) * columns + at), columns,
                    element(packed, p * size + r * wide * count), wide * count,
                )  # fmt: skip
        for row in range(top, bottom, _ROWS):
            rows = min(_ROWS, bottom - row)
            rows_of_a, a_k = element(a, first * height + row), height
            if pack_a and rows == _ROWS:
                # Many panels use these columns of a, of which each lies on another page.
                for k in range(0, _ROWS, count):
                    copy_vectors(m, 1, offset(rows_of_a, k), height, element(strip, k), _ROWS)
                rows_of_a, a_k = element(strip, 0), _ROWS
            for p in range(panels):
                at, wide = _column(p, panels, vectors, columns, count), _width(p, panels, vectors)
                panel, panel_row = element(b, first * columns + at), columns
                if pack:
                    panel, panel_row = element(packed, p * size), wide * count
                out, step = element(c, row * columns + at), columns
                if own and p == panels - 1:
                    out, step = element(last, (row - top) * width), width
                start, start_row = (element(zeros, 0), 0) if first == 0 else (out, step)
                panel_product(rows, wide, rows_of_a, 1, a_k, panel, panel_row, start, start_row, out, step, m, TARGET)
    if own:
        for r in range(top, bottom):
            for k in range(width):
                c[r, columns - width + k] = last[(r - top) * width + k]


@force_inline_reassociated
def _dot(a, b):
    """Σ a b."""
    total = a.dtype.type(0)
    for k in range(a.size):
        total += a[k] * b[k]
    return total
