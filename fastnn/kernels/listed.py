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

from fastnn.kernels.jit import address_of, expanded, inlined, kernel
from fastnn.kernels.layer import panel_vectors, weights_size
from fastnn.kernels.matmul import NOTHING, TARGET, panel_product
from fastnn.kernels.panels import panel_count, panel_start
from fastnn.kernels.simd import (
    TILE_ROWS,
    add_listed_products,
    indirect_call,
    moved,
    nonzero_columns,
    tile_product,
)

# What `listing` is told: whether nothing is listed, or for the gradient alone, where a weight is not finite, or always;
# and where the products are, which are called by their address, for Numba would compile them anew with every caller.
WHAT, TIMES, ADD, LISTING_SIZE = range(4)
NEVER, GRADIENT, ALWAYS = range(3)

# Elements of a list before its first place: as many parts as a tile may have, and one more.
_HEAD = 32

_append_nonzero = nonzero_columns(TILE_ROWS)
_times_one, _times_two, _times_three = (
    tile_product(TILE_ROWS, vectors, fetch_ahead=True, listed=True) for vectors in (1, 2, 3)
)
_add_one, _add_two, _add_three = (add_listed_products(TILE_ROWS, vectors) for vectors in (1, 2, 3))


def list_size(rows: int, inner: int) -> int:
    """Elements of the list of so many rows."""
    return _HEAD + rows // TILE_ROWS * inner


@inlined
def _places(listed, part, inner):
    return moved(listed, _HEAD + part * inner)


@kernel
def all_finite(numbers):
    """Whether no number is infinite or NaN."""
    finite = True
    for k in range(numbers.size):
        finite &= np.isfinite(numbers[k])
    return finite


@kernel
def what_to_list(x, sizes, parameters, lanes):
    """What a step on the rows x is to list.

    The first row is to tell whether the others are worth looking at: of all rows of a part fewer inputs are zero.
    """
    n, inner = x.shape
    if n < TILE_ROWS or panel_vectors(inner, sizes[1], lanes) == 0:
        return NEVER
    nonzero = 0
    for k in range(inner):
        nonzero += x[0, k] != 0
    if 2 * nonzero > inner:
        return NEVER
    return ALWAYS if all_finite(parameters[: weights_size(inner, sizes[1], lanes)]) else GRADIENT


@kernel
def list_inputs(m, inner, lanes, a, a_row, listed):
    """listed ← the list of m rows of a."""
    parts = m // TILE_ROWS
    whole = inner // lanes * lanes
    total = 0
    for part in range(parts):
        rows, places = moved(a, part * TILE_ROWS * a_row), _places(listed, part, inner)
        found = 0
        for k in range(0, whole, lanes):
            found += _append_nonzero(rows, a_row, k, moved(places, found))
        for k in range(whole, inner):
            places[found] = k
            nonzero = False
            for r in range(TILE_ROWS):
                nonzero |= rows[r * a_row + k] != 0
            found += nonzero
        listed[1 + part] = found
        total += found
    # Else what the list saves is less than it may cost.
    listed[0] = parts > 0 and 4 * total <= 3 * parts * inner


@kernel
def _times_panels(m, inner, vectors, lanes, a, a_row, panels, start, c, c_row, listed):
    """`times_listed_panels`."""
    parts, count = m // TILE_ROWS, panel_count(vectors)
    done = parts * TILE_ROWS
    for p in range(count):
        first, last = panel_start(p, count, vectors), panel_start(p + 1, count, vectors)
        column, width = first * lanes, (last - first) * lanes
        b, begin = moved(panels, column * inner), moved(start, column)
        size = inner * width
        for part in range(parts):
            rows, out = moved(a, part * TILE_ROWS * a_row), moved(c, part * TILE_ROWS * c_row + column)
            places, found = _places(listed, part, inner), np.int64(listed[1 + part])
            # The next panel lies behind this one, and each part fetches its share of it; with the last one, what the
            # part of the next tile has, as many rows on.
            ahead = moved(b, size + part * (size // parts)) if p < count - 1 else moved(rows, m * a_row)
            if last - first == 3:
                _times_three(rows, a_row, 1, b, width, begin, 0, out, c_row, found, ahead, places)
            elif last - first == 2:
                _times_two(rows, a_row, 1, b, width, begin, 0, out, c_row, found, ahead, places)
            else:
                _times_one(rows, a_row, 1, b, width, begin, 0, out, c_row, found, ahead, places)
        if done < m:
            panel_product(
                m - done, last - first, moved(a, done * a_row), a_row, 1, b, width, begin, 0,
                moved(c, done * c_row + column), c_row, inner, NOTHING,
            )  # fmt: skip


@inlined
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
    width, parts = vectors * lanes, m // TILE_ROWS
    for part in range(parts):
        rows, own = moved(a, part * TILE_ROWS * a_row), moved(dy, part * TILE_ROWS * dy_row)
        places, found = _places(listed, part, inner), np.int64(listed[1 + part])
        begin = _position(places, found, top)
        some, count = moved(places, begin), _position(places, found, bottom) - begin
        if vectors == 3:
            _add_three(rows, a_row, own, dy_row, c, width, some, count)
        elif vectors == 2:
            _add_two(rows, a_row, own, dy_row, c, width, some, count)
        else:
            _add_one(rows, a_row, own, dy_row, c, width, some, count)
    done = parts * TILE_ROWS
    if done < m:
        target = moved(c, top * width)
        panel_product(
            bottom - top, vectors, moved(a, done * a_row + top), 1, a_row, moved(dy, done * dy_row), dy_row, target,
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


@inlined
def times_listed_panels(m, inner, vectors, lanes, a, a_row, panels, start, c, c_row, listed, listing):
    """c ← start + a w: m rows of a, as listed, a matrix w in panels, rows of c padded to whole vectors."""
    _call(listing[TIMES], (m, inner, vectors, lanes, a, a_row, panels, start, c, c_row, listed))


@inlined
def add_listed_panel(top, bottom, m, inner, vectors, lanes, a, a_row, dy, dy_row, c, listed, listing):
    """The rows from `top` to `bottom` of one panel c ← c + aᵀ dy: m rows of a, as listed, and that panel's columns of
    as many rows of dy."""
    _call(listing[ADD], (top, bottom, m, inner, vectors, lanes, a, a_row, dy, dy_row, c, listed))


@expanded
def add_listed_product(top, bottom, m, inner, vectors, lanes, a, a_row, dy, dy_row, panels, listed, listing):
    """The rows from `top` to `bottom` of the panels of w ← w + aᵀ dy: m rows of a, as listed."""
    count = panel_count(vectors)
    for p in range(count):
        first, last = panel_start(p, count, vectors), panel_start(p + 1, count, vectors)
        column = first * lanes
        add_listed_panel(
            top, bottom, m, inner, last - first, lanes, a, a_row, moved(dy, column), dy_row,
            moved(panels, column * inner), listed, listing,
        )  # fmt: skip
