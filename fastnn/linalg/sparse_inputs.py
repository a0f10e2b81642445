"""Products with inputs that contain many zeros, such as images, as block-compressed columns.

A column of inputs is *active* in a group of MR rows unless it is zero in all of them. Products skip inactive columns,
forward and in the gradient. They may do so only if the other factor is finite, because 0 times infinity or NaN is NaN.

The active columns of a row block are stored in an int32 array: whether they are used at all, and in the gradient; then
how many each group of MR rows has, then their indices in order, group by group. The rows after the last full group are
multiplied densely.
"""

from __future__ import annotations

import numpy as np

from fastnn.intrinsics import MR, NR_VECTORS, lanes_of, micro_tile, nonzero_columns, offset, sparse_rank_update
from fastnn.jit import force_inline, inline_ir
from fastnn.linalg.gemm import NOTHING, TARGET, panel_product
from fastnn.linalg.packing import padded, panel_count, panel_start
from fastnn.units import unit

# Which products skip inactive columns: none; the gradient alone, because a weight is not finite; or both.
NEVER, GRADIENT, ALWAYS = range(3)

# Elements before the first index: the flags, and the numbers of active columns of all groups that a row block can have.
USED, USED_IN_GRADIENT, _COUNTS, _HEADER = 0, 1, 2, 66

_append_nonzero = nonzero_columns(MR)
_one_vector, _two_vectors, _three_vectors = (
    micro_tile(MR, min(vectors, NR_VECTORS), fetch_ahead=True, active_columns=True, in_order=True)
    for vectors in (1, 2, 3)
)
_update_one, _update_two, _update_three = (sparse_rank_update(MR, min(vectors, NR_VECTORS)) for vectors in (1, 2, 3))


def active_columns_size(rows: int, inner: int) -> int:
    """The elements of the array of active columns for a row block of `rows` rows; ValueError for too many."""
    if rows // MR > _HEADER - _COUNTS:
        raise ValueError(f"rows: got {rows}, expected less than {(_HEADER - _COUNTS + 1) * MR}")
    return _HEADER + rows // MR * inner


@inline_ir
def _indices(active, group, inner):
    return offset(active, _HEADER + group * inner)


@unit("real* int int int -> int")
def all_finite(numbers, rows, row, columns):
    """Whether none of the first `columns` numbers of so many rows, `row` elements apart, is infinite or NaN.

    What pads a row does not count: an update without eps makes it 0 / 0. Elsewhere it is finite, and all numbers in a
    row take less time than some.
    """
    finite = True
    for k in range(rows * row):
        finite &= np.isfinite(numbers[k])
    if not finite and columns < row:
        finite = True
        for r in range(rows):
            for k in range(columns):
                finite &= np.isfinite(numbers[r * row + k])
    return np.int64(finite)


@inline_ir
def _panels_finite(inner, panels, columns):
    """Whether all weights in the panels of a matrix (inner, columns) are finite: only the last panel is padded."""
    lanes = lanes_of(panels)
    vectors = padded(columns, lanes) // lanes
    n_panels = panel_count(vectors)
    last = panel_start(n_panels - 1, n_panels, vectors) * lanes
    before, width = last * inner, vectors * lanes - last
    return all_finite(panels, 1, before, before) and all_finite(offset(panels, before), inner, width, columns - last)


@unit("real* int int real* int -> int")
def sparsity_of(x, n, inner, panels, columns):
    """NEVER, GRADIENT or ALWAYS for n rows x (n, inner) and the first layer's weights (inner, columns) in panels.

    Fewer than MR rows leave out zeros in their gradient alone (`few_rows_gradient.py`): looking whether all weights are
    finite takes as long as their product. Only the first row is examined: a group of rows has at least as many active
    columns as each of its rows.
    """
    if n == 1 or columns == 0:
        return NEVER
    nonzero = 0
    for k in range(inner):
        nonzero += x[k] != 0
    if 2 * nonzero > inner:
        return NEVER
    return ALWAYS if n >= MR and _panels_finite(inner, panels, columns) else GRADIENT


@unit("int int int int real* int int32* -> none")
def find_active_columns(begin, end, inner, lanes, a, a_row, active):
    """active ← the active columns of the groups of rows of a from row `begin` to `end`; `begin` is the first of one."""
    active[USED_IN_GRADIENT] = 1
    full = inner // lanes * lanes
    for group in range(begin // MR, end // MR):
        rows, indices = offset(a, group * MR * a_row), _indices(active, group, inner)
        found = 0
        for k in range(0, full, lanes):
            found += _append_nonzero(rows, a_row, k, offset(indices, found))
        for k in range(full, inner):
            indices[found] = k
            nonzero = False
            for r in range(MR):
                nonzero |= rows[r * a_row + k] != 0
            found += nonzero
        active[_COUNTS + group] = found


@inline_ir
def skipping_pays(m, inner, active):
    """Whether the active columns of m rows are few enough: above three quarters, skipping saves less than it may
    cost."""
    groups, total = m // MR, np.int64(0)
    for group in range(groups):
        total += active[_COUNTS + group]
    return groups > 0 and 4 * total <= 3 * groups * inner


@force_inline
def used_in_gradient(active):
    """Whether the gradient leaves out the other columns: unless some delta is not finite."""
    return active[USED] != 0 and active[USED_IN_GRADIENT] != 0


@unit("int int int int int int int real* int real* real* real* int int32* -> none")
def sparse_forward(
    first_group, m, inner, vectors, begin_panel, end_panel, lanes, a, a_row, panels, start, c, c_row, active
):  # fmt: skip
    """c ← start + a w: m rows a with the active columns from those of `first_group` on, w (inner, columns) packed in
    panels; rows of c are padded to full vectors. Only the columns of the panels from `begin_panel` to `end_panel`."""
    groups, n_panels = m // MR, panel_count(vectors)
    done = groups * MR
    for p in range(begin_panel, end_panel):
        first, last = panel_start(p, n_panels, vectors), panel_start(p + 1, n_panels, vectors)
        column, width = first * lanes, (last - first) * lanes
        b, begin = offset(panels, column * inner), offset(start, column)
        size = inner * width
        for group in range(groups):
            rows, out = offset(a, group * MR * a_row), offset(c, group * MR * c_row + column)
            own = first_group + group
            indices, found = _indices(active, own, inner), np.int64(active[_COUNTS + own])
            # Each group prefetches its part of the next panel, which lies behind this one; with the last panel, the
            # same group of the next row block, m rows on.
            ahead = offset(b, size + group * (size // groups)) if p < n_panels - 1 else offset(rows, m * a_row)
            if last - first == 3:
                _three_vectors(rows, a_row, 1, b, width, begin, 0, out, c_row, found, ahead, indices)
            elif last - first == 2:
                _two_vectors(rows, a_row, 1, b, width, begin, 0, out, c_row, found, ahead, indices)
            else:
                _one_vector(rows, a_row, 1, b, width, begin, 0, out, c_row, found, ahead, indices)
        if done < m:
            panel_product(
                m - done, last - first, offset(a, done * a_row), a_row, 1, b, width, begin, 0,
                offset(c, done * c_row + column), c_row, inner, NOTHING, b, 0,
            )  # fmt: skip


@inline_ir
def _position(indices, found, k):
    """How many of the indices are below k."""
    low, high = 0, found
    while low < high:
        middle = (low + high) // 2
        if indices[middle] < k:
            low = middle + 1
        else:
            high = middle
    return low


@unit("int int int int int int real* int real* int real* int32* -> none")
def sparse_gradient(top, bottom, m, inner, vectors, lanes, a, a_row, dy, dy_row, c, active):
    """One panel of w ← w + aᵀ dy, its rows from `top` to `bottom`, at c: m rows of a with these active columns, and the
    panel's columns of as many rows of dy."""
    width, groups = vectors * lanes, m // MR
    for group in range(groups):
        rows, own = offset(a, group * MR * a_row), offset(dy, group * MR * dy_row)
        indices, found = _indices(active, group, inner), np.int64(active[_COUNTS + group])
        begin = _position(indices, found, top)
        selected, n_selected = offset(indices, begin), _position(indices, found, bottom) - begin
        if vectors == 3:
            _update_three(rows, a_row, own, dy_row, c, width, selected, n_selected)
        elif vectors == 2:
            _update_two(rows, a_row, own, dy_row, c, width, selected, n_selected)
        else:
            _update_one(rows, a_row, own, dy_row, c, width, selected, n_selected)
    done = groups * MR
    if done < m:
        target = offset(c, top * width)
        panel_product(
            bottom - top, vectors, offset(a, done * a_row + top), 1, a_row, offset(dy, done * dy_row), dy_row, target,
            width, target, width, m - done, TARGET, target, 0,
        )  # fmt: skip


@inline_ir
def sparse_gradient_panels(
    top, bottom, m, inner, vectors, begin_panel, end_panel, lanes, a, a_row, dy, dy_row, panels, active
):  # fmt: skip
    """`sparse_gradient` of each panel of w ← w + aᵀ dy from `begin_panel` to `end_panel`, its rows from `top` to
    `bottom`."""
    n_panels = panel_count(vectors)
    for p in range(begin_panel, end_panel):
        first, last = panel_start(p, n_panels, vectors), panel_start(p + 1, n_panels, vectors)
        column = first * lanes
        sparse_gradient(
            top, bottom, m, inner, last - first, lanes, a, a_row, offset(dy, column), dy_row,
            offset(panels, column * inner), active,
        )  # fmt: skip
