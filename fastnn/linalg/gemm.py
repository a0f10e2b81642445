"""The matrix product on panels: tiles of the micro-kernel over rows and panels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fastnn.intrinsics import (
    MR,
    broadcast,
    dot_tile,
    element,
    load,
    micro_tile,
    nonzero_columns,
    offset,
    pointer,
    stack_alloc,
    store,
)
from fastnn.jit import inline_ir, kernel
from fastnn.linalg.packing import panel_count, panel_start

# What a product fetches before it is needed.
NOTHING, ROWS, PANEL, ROWS_AND_PANEL, TARGET = range(5)


def _tiles(vectors: int) -> Callable:
    """The micro-kernels for a panel of so many vectors: one per number of rows, and for most rows others that
    fetch more.

    One more for each width costs 0.6 to 0.9 seconds of compiling, so that there is none that fetches nothing: fetching
    what is near is cheap.
    """
    whole = micro_tile(MR, vectors, fetch_ahead=True)
    four, two, one = (micro_tile(rows, vectors) for rows in (4, 2, 1))
    fetching_rows = micro_tile(MR, vectors, fetch_ahead=True, fetch_rows=True)
    fetching_target = micro_tile(MR, vectors, fetch_target=True)

    @inline_ir
    def product(rows, a, a_row, a_k, b, b_k, start, start_row, c, c_row, k, fetch, ahead):
        if rows == MR and fetch in (ROWS, ROWS_AND_PANEL):
            fetching_rows(a, a_row, a_k, b, b_k, start, start_row, c, c_row, k, ahead)
        elif rows == MR and fetch == TARGET:
            fetching_target(a, a_row, a_k, b, b_k, start, start_row, c, c_row, k, ahead)
        elif rows == MR:
            whole(a, a_row, a_k, b, b_k, start, start_row, c, c_row, k, ahead)
        elif rows == 4:
            four(a, a_row, a_k, b, b_k, start, start_row, c, c_row, k, ahead)
        elif rows == 2:
            two(a, a_row, a_k, b, b_k, start, start_row, c, c_row, k, ahead)
        else:
            one(a, a_row, a_k, b, b_k, start, start_row, c, c_row, k, ahead)

    return product


_one_vector, _two_vectors, _three_vectors = _tiles(1), _tiles(2), _tiles(3)


@kernel
def panel_product(m, vectors, a, a_row, a_k, b, b_k, start, start_row, c, c_row, k, fetch):
    """c[r, :] ← start[r, :] + Σ a[r, k] b[k, :] for m rows and one panel of that many vectors.

    Arguments are addresses, and steps in elements from one row, or one k, to the next; a step of 0 gives every row
    the same start.

    `fetch` says what is fetched before it is needed: NOTHING; ROWS of a, whose step from k to k must then be 1; the
    PANEL that lies behind b, a share with each tile of rows; ROWS_AND_PANEL; or the TARGET of each tile in c, which is
    worth it where that lies far away, and the next k elements of each row of a, where the step from row to row is 1.
    """
    r = 0
    rows = MR
    size = k * b_k if fetch in (PANEL, ROWS_AND_PANEL) else 0
    share = size // m if size else 0
    while r < m:
        while rows > m - r:
            rows //= 2
        x, y, z = offset(a, r * a_row), offset(start, r * start_row), offset(c, r * c_row)
        ahead = offset(b, size + r * share)
        if vectors == 3:
            _three_vectors(rows, x, a_row, a_k, b, b_k, y, start_row, z, c_row, k, fetch, ahead)
        elif vectors == 2:
            _two_vectors(rows, x, a_row, a_k, b, b_k, y, start_row, z, c_row, k, fetch, ahead)
        else:
            _one_vector(rows, x, a_row, a_k, b, b_k, y, start_row, z, c_row, k, fetch, ahead)
        r += rows


@inline_ir
def times_panels(m, inner, vectors, lanes, a, a_row, panels, start, start_row, c, c_row):
    """c ← start + a w: m rows of a (m, inner), a matrix w in panels, rows of c and start padded to whole vectors."""
    count = panel_count(vectors)
    for p in range(count):
        first, last = panel_start(p, count, vectors), panel_start(p + 1, count, vectors)
        column, width = first * lanes, (last - first) * lanes
        panel_product(
            m, last - first, a, a_row, 1, offset(panels, column * inner), width,
            offset(start, column), start_row, offset(c, column), c_row, inner, ROWS_AND_PANEL if p == 0 else PANEL,
        )  # fmt: skip


# From so many vectors in a row of dy on, its columns are gathered before the product.
_GATHERS = 16


@kernel
def gather_columns(m, lanes, width, dy, dy_row, gathered):
    """One panel's columns of dy (m, ...), and the step from row to row: in `gathered`, one row after the other, or
    where they are if rows are short.

    Long rows, of which the lengths tend to be powers of two, share a few places of the first-level cache.
    """
    if dy_row < _GATHERS * lanes:
        return dy, dy_row
    for r in range(m):
        for c in range(width):
            gathered[r * width + c] = dy[r * dy_row + c]
    return gathered, width


@inline_ir
def add_transposed_product(top, bottom, m, inner, vectors, lanes, a, a_row, dy, dy_row, panels, gathered):
    """The rows from `top` to `bottom` of the panels of w ← w + aᵀ dy: a (m, inner), dy (m, columns) with rows padded to
    whole vectors.

    `gathered` is room for m rows of a panel.
    """
    count = panel_count(vectors)
    for p in range(count):
        first, last = panel_start(p, count, vectors), panel_start(p + 1, count, vectors)
        column, width = first * lanes, (last - first) * lanes
        b, b_row = gather_columns(m, lanes, width, offset(dy, column), dy_row, gathered)
        c = offset(panels, column * inner + top * width)
        panel_product(bottom - top, last - first, offset(a, top), 1, a_row, b, b_row, c, width, c, width, m, TARGET)


# Elements of a row whose places are written down together.
_PLACES = 1024
_room_for_places = stack_alloc(_PLACES)
_append_nonzero = nonzero_columns(1)


@kernel
def add_outer_product(top, bottom, inner, vectors, lanes, a, dy, panels):
    """The rows from `top` to `bottom` of the panels of w ← w + aᵀ dy for one row a.

    Those whose a is zero stay as they are, and are not read, where dy is finite; else 0 times infinity is NaN.
    """
    count = panel_count(vectors)
    if count == 0:
        return
    places = _room_for_places(pointer(0, np.int32(0)))
    finite = True
    for c in range(vectors * lanes):
        finite &= np.isfinite(dy[c])
    for start in range(top, bottom, _PLACES):
        end = min(bottom, start + _PLACES)
        whole = start + (end - start) // lanes * lanes if finite else start
        found = 0
        for k in range(start, whole, lanes):
            found += _append_nonzero(a, 0, k, offset(places, found))
        for k in range(whole, end):
            places[found] = k
            found += a[k] != 0 or not finite
        for p in range(count):
            first, last = panel_start(p, count, vectors), panel_start(p + 1, count, vectors)
            width, d = last - first, offset(dy, first * lanes)
            for place in range(found):
                k = np.int64(places[place])
                factor = broadcast(a[k])
                row = offset(panels, (first * inner + k * width) * lanes)
                store(load(row) + factor * load(d), row)
                if width > 1:
                    row = offset(row, lanes)
                    store(load(row) + factor * load(offset(d, lanes)), row)
                if width > 2:
                    row = offset(row, lanes)
                    store(load(row) + factor * load(offset(d, 2 * lanes)), row)


# Rows of w that one row is multiplied by at once: their sums fill half of the registers.
_ROWS_ALONG = 2 * MR
_many_along, _one_along = dot_tile(1, _ROWS_ALONG), dot_tile(1, 1)
_room_along = stack_alloc(_ROWS_ALONG)


@inline_ir
def row_times_transposed_panels(inner, vectors, lanes, dy, panels, dx, dx_row):
    """dx ← dy wᵀ for one row: products along each row of w, panel by panel.

    dy and dx are padded to whole vectors. The panels come in reverse: the last ones are still near, where the forward
    product has just read them.
    """
    products = _room_along(dx)
    for k in range(dx_row):
        dx[k] = 0
    count = panel_count(vectors)
    for p in range(count - 1, -1, -1):
        first, last = panel_start(p, count, vectors) * lanes, panel_start(p + 1, count, vectors) * lanes
        d, width = offset(dy, first), last - first
        r = 0
        while r < inner:
            w = offset(panels, first * inner + r * width)
            rows = _ROWS_ALONG if inner - r >= _ROWS_ALONG else 1
            if rows == 1:
                _one_along(d, width, w, width, width, products)
            else:
                _many_along(d, width, w, width, width, products)
            for k in range(rows):
                dx[r + k] += products[k]
            r += rows


@inline_ir
def times_transposed_panels(m, inner, columns, lanes, dy, dy_row, panels, dx, dx_row, zeros, scratch):
    """dx ← dy wᵀ for a few rows, without transposing w: dxᵀ = w dyᵀ, with a row of the batch in each lane.

    dy (m, columns), dx (m, inner) in padded rows; `scratch` holds at least a block of dyᵀ and of dxᵀ.
    """
    vectors = (columns + lanes - 1) // lanes
    count = panel_count(vectors)
    block = scratch.size // (2 * lanes)
    turned_dx = element(scratch, block * lanes)
    for first_row in range(0, m, lanes):
        rows = min(lanes, m - first_row)
        for first in range(0, inner, block):
            height = min(block, inner - first)
            for p in range(count):
                start, end = panel_start(p, count, vectors) * lanes, panel_start(p + 1, count, vectors) * lanes
                width = end - start
                used = min(end, columns) - start
                source = offset(dy, first_row * dy_row + start)
                for c in range(used):
                    for r in range(lanes):
                        scratch[c * lanes + r] = source[r * dy_row + c] if r < rows else 0
                w = offset(panels, start * inner + first * width)
                begin, begin_row = (zeros, 0) if p == 0 else (turned_dx, lanes)
                panel_product(
                    height, 1, w, width, 1, element(scratch, 0), lanes, begin, begin_row, turned_dx, lanes, used,
                    NOTHING,
                )  # fmt: skip
            for r in range(rows):
                out = offset(dx, (first_row + r) * dx_row + first)
                for k in range(height):
                    out[k] = scratch[(block + k) * lanes + r]
    for r in range(m):
        out = offset(dx, r * dx_row)
        for k in range(inner, dx_row):
            out[k] = 0
