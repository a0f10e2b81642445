"""Products with inputs of which many are zero, as of images: what is zero in all rows of a micro-kernel's tile is left
out, forward and in the gradient.

A list of a tile of the batch says which inputs are not zero, for every TILE_ROWS rows: int32, first whether there is
one at all, then how many inputs each part has, then their places, part by part, in order. Rows that fill no part are
multiplied whole. Only finite numbers may be left out, for zero times another is NaN.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numba import from_dtype
from numba.core import types

from fastnn.intrinsics import (
    MR,
    indirect_call,
    micro_tile,
    nonzero_columns,
    offset,
    sparse_rank_update,
)
from fastnn.jit import address_of, force_inline, inline_ir, kernel
from fastnn.linalg.gemm import NOTHING, TARGET, panel_product
from fastnn.linalg.layout import panel_vectors, weights_size
from fastnn.linalg.packing import panel_count, panel_start

# What `listing` is told: whether nothing is listed, or for the gradient alone, where a weight is not finite, or always;
# and where the products are, which are called by their address, for Numba would compile them anew with every caller.
WHAT, TIMES, ADD, LISTING_SIZE = range(4)
NEVER, GRADIENT, ALWAYS = range(3)

# Elements of a list before its first place: as many parts as a tile may have, and one more.
_HEAD = 32

_append_nonzero = nonzero_columns(MR)
_times_one, _times_two, _times_three = (micro_tile(MR, vectors, fetch_ahead=True, listed=True) for vectors in (1, 2, 3))
_add_one, _add_two, _add_three = (sparse_rank_update(MR, vectors) for vectors in (1, 2, 3))


def list_size(rows: int, inner: int) -> int:
    """Elements of the list of so many rows."""
    return _HEAD + rows // MR * inner


@force_inline
def _places(listed, part, inner):
    return offset(listed, _HEAD + part * inner)


@kernel
def all_finite(numbers):
    """Whether no number is infinite or NaN."""
    finite = True
    for k in range(numbers.size):
        finite &= np.isfinite(numbers[k])
    return finite


@kernel
def sparsity_of(x, sizes, parameters, lanes):
    """What a step on the rows x is to list.

    The first row is to tell whether the others are worth looking at: of all rows of a part fewer inputs are zero.
    """
    n, inner = x.shape
    if n < MR or panel_vectors(inner, sizes[1], lanes) == 0:
        return NEVER
    nonzero = 0
    for k in range(inner):
        nonzero += x[0, k] != 0
    if 2 * nonzero > inner:
        return NEVER
    return ALWAYS if all_finite(parameters[: weights_size(inner, sizes[1], lanes)]) else GRADIENT


@kernel
def find_active_columns(m, inner, lanes, a, a_row, listed):
    """listed ← the list of m rows of a."""
    parts = m // MR
    whole = inner // lanes * lanes
    total = 0
    for part in range(parts):
        rows, places = offset(a, part * MR * a_row), _places(listed, part, inner)
        found = 0
        for k in range(0, whole, lanes):
            found += _append_nonzero(rows, a_row, k, offset(places, found))
        for k in range(whole, inner):
            places[found] = k
            nonzero = False
            for r in range(MR):
                nonzero |= rows[r * a_row + k] != 0
            found += nonzero
        listed[1 + part] = found
        total += found
    # Else what the list saves is less than it may cost.
    listed[0] = parts > 0 and 4 * total <= 3 * parts * inner


@kernel
def _times_panels(m, inner, vectors, lanes, a, a_row, panels, start, c, c_row, listed):
    """`times_listed_panels`."""
    parts, count = m // MR, panel_count(vectors)
    done = parts * MR
    for p in range(count):
        first, last = panel_start(p, count, vectors), panel_start(p + 1, count, vectors)
        column, width = first * lanes, (last - first) * lanes
        b, begin = offset(panels, column * inner), offset(start, column)
        size = inner * width
        for part in range(parts):
            rows, out = offset(a, part * MR * a_row), offset(c, part * MR * c_row + column)
            places, found = _places(listed, part, inner), np.int64(listed[1 + part])
            # The next panel lies behind this one, and each part fetches its share of it; with the last one, what the
            # part of the next tile has, as many rows on.
            ahead = offset(b, size + part * (size // parts)) if p < count - 1 else offset(rows, m * a_row)
            if last - first == 3:
                _times_three(rows, a_row, 1, b, width, begin, 0, out, c_row, found, ahead, places)
            elif last - first == 2:
                _times_two(rows, a_row, 1, b, width, begin, 0, out, c_row, found, ahead, places)
            else:
                _times_one(rows, a_row, 1, b, width, begin, 0, out, c_row, found, ahead, places)
        if done < m:
            panel_product(
                m - done, last - first, offset(a, done * a_row), a_row, 1, b, width, begin, 0,
                offset(c, done * c_row + column), c_row, inner, NOTHING,
            )  # fmt: skip


@force_inline
def _position(places, found, k):
    """How many of the places come before k."""
    low, high = 0, found
    while low < high:
        middle = (low + high) // 2
        if places[middle] < k:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def _add_panel(top, bottom, m, inner, vectors, lanes, a, a_row, dy, dy_row, c, listed):
    """`add_listed_panel`."""
    width, parts = vectors * lanes, m // MR
    for part in range(parts):
        rows, own = offset(a, part * MR * a_row), offset(dy, part * MR * dy_row)
        places, found = _places(listed, part, inner), np.int64(listed[1 + part])
        begin = _position(places, found, top)
        some, count = offset(places, begin), _position(places, found, bottom) - begin
        if vectors == 3:
            _add_three(rows, a_row, own, dy_row, c, width, some, count)
        elif vectors == 2:
            _add_two(rows, a_row, own, dy_row, c, width, some, count)
        else:
            _add_one(rows, a_row, own, dy_row, c, width, some, count)
    done = parts * MR
    if done < m:
        target = offset(c, top * width)
        panel_product(
            bottom - top, vectors, offset(a, done * a_row + top), 1, a_row, offset(dy, done * dy_row), dy_row, target,
            width, target, width, m - done, TARGET,
        )  # fmt: skip


_call = indirect_call(types.none)


@cache
def addresses(real: type) -> tuple[int, int]:
    """Where both products are in memory, compiled for numbers of that type, for `listing`."""
    whole, number, place = types.int64, types.CPointer(from_dtype(np.dtype(real))), types.CPointer(types.int32)
    return (
        address_of(_times_panels, (whole,) * 4 + (number, whole) + (number,) * 3 + (whole, place)),
        address_of(_add_panel, (whole,) * 6 + (number, whole, number, whole, number, place)),
    )


@force_inline
def sparse_forward(m, inner, vectors, lanes, a, a_row, panels, start, c, c_row, listed, listing):
    """c ← start + a w: m rows of a, as listed, a matrix w in panels, rows of c padded to whole vectors."""
    _call(listing[TIMES], (m, inner, vectors, lanes, a, a_row, panels, start, c, c_row, listed))


@force_inline
def sparse_gradient_panel(top, bottom, m, inner, vectors, lanes, a, a_row, dy, dy_row, c, listed, listing):
    """The rows from `top` to `bottom` of one panel c ← c + aᵀ dy: m rows of a, as listed, and that panel's columns of
    as many rows of dy."""
    _call(listing[ADD], (top, bottom, m, inner, vectors, lanes, a, a_row, dy, dy_row, c, listed))


@inline_ir
def sparse_gradient(top, bottom, m, inner, vectors, lanes, a, a_row, dy, dy_row, panels, listed, listing):
    """The rows from `top` to `bottom` of the panels of w ← w + aᵀ dy: m rows of a, as listed."""
    count = panel_count(vectors)
    for p in range(count):
        first, last = panel_start(p, count, vectors), panel_start(p + 1, count, vectors)
        column = first * lanes
        sparse_gradient_panel(
            top, bottom, m, inner, last - first, lanes, a, a_row, offset(dy, column), dy_row,
            offset(panels, column * inner), listed, listing,
        )  # fmt: skip
