"""The panel product, and products with matrices that are packed in panels.

A panel has at most NR_VECTORS vectors of columns. `panel_product` multiplies a matrix by one panel, micro-tile by
micro-tile. It compiles to more code than anything else here, which is why it is a unit (`fastnn/units.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from math import lcm

from fastnn.intrinsics import (
    CACHE_LINE,
    LINES_AHEAD,
    LINES_AHEAD_OF_AN_UPDATE,
    MR,
    NR_VECTORS,
    VECTOR_BYTES,
    lanes_of,
    load,
    micro_tile,
    offset,
    sets_of_sums,
    store,
    tile_rows,
)
from fastnn.jit import force_inline, inline_ir
from fastnn.linalg.packing import padded, panel_count, panel_start, transpose_panel
from fastnn.units import unit

# What a product prefetches beside what its caller names; `panel_product` explains each.
NOTHING, ROWS, TARGET, UPDATE, IN_ORDER = range(5)


@force_inline
def _most_ahead(lines, lanes):
    """Elements that are prefetched for each k, where so many lines are for every two."""
    return lines * CACHE_LINE * lanes // (2 * VECTOR_BYTES)


def _micro_tiles(vectors: int) -> Callable:
    """The micro-kernels for a panel of `vectors` vectors: one per number of rows, and for full ones one per kind of
    prefetching.

    Each one costs 0.6 to 0.9 seconds of compile time. Prefetching what is in the cache already costs little, so that
    there is none for full ones without prefetching.
    """
    most_rows = tile_rows(vectors)
    full = micro_tile(most_rows, vectors, fetch_ahead=True, along_rows=True)
    # Of what an update reads, so little belongs to narrow panels that they need no micro-kernel of their own.
    widest, several = vectors == NR_VECTORS, sets_of_sums(most_rows, vectors) > 1
    four, two, one = (micro_tile(rows, vectors) for rows in (4, 2, 1))
    fetching_rows = micro_tile(
        most_rows, vectors, fetch_ahead=True, fetch_rows=True, fetch_target=True, along_rows=True
    )
    fetching_target = micro_tile(most_rows, vectors, fetch_columns=True, fetch_target=True)
    before_update = micro_tile(most_rows, vectors, fetch_ahead=True, fetch_columns=True)
    in_order = micro_tile(most_rows, vectors, fetch_ahead=True, in_order=True, along_rows=True)

    @inline_ir
    def product(rows, a, a_row, a_k, b, b_k, start, start_row, c, c_row, k, fetch, ahead, ahead_k):
        most = _most_ahead(LINES_AHEAD, lanes_of(a))
        if rows == most_rows and fetch == ROWS:
            fetching_rows(a, a_row, a_k, b, b_k, start, start_row, c, c_row, k, ahead, most)
        elif rows == most_rows and widest and fetch == UPDATE:
            before_update(a, a_row, a_k, b, b_k, start, start_row, c, c_row, k, ahead, ahead_k)
        elif rows == most_rows and fetch in (TARGET, UPDATE):
            fetching_target(a, a_row, a_k, b, b_k, start, start_row, c, c_row, k, ahead, 0)
        elif rows == most_rows and several and fetch == IN_ORDER:
            in_order(a, a_row, a_k, b, b_k, start, start_row, c, c_row, k, ahead, most)
        elif rows == most_rows:
            full(a, a_row, a_k, b, b_k, start, start_row, c, c_row, k, ahead, most)
        elif rows == 4:
            four(a, a_row, a_k, b, b_k, start, start_row, c, c_row, k, ahead, 0)
        elif rows == 2:
            two(a, a_row, a_k, b, b_k, start, start_row, c, c_row, k, ahead, 0)
        else:
            one(a, a_row, a_k, b, b_k, start, start_row, c, c_row, k, ahead, 0)

    return product


_tiles = [_micro_tiles(vectors) for vectors in range(1, NR_VECTORS + 1)]
_one_vector, _two_vectors, _three_vectors = _tiles[0], _tiles[1], _tiles[-1]
_HAS_THREE, _ROWS_OF_TWO_VECTORS = NR_VECTORS == 3, tile_rows(2)
_WHOLE_GROUPS = lcm(MR, _ROWS_OF_TWO_VECTORS)


@unit("int int real* int int real* int real* int real* int int int real* int -> none")
def panel_product(m, vectors, a, a_row, a_k, b, b_k, start, start_row, c, c_row, k, fetch, ahead, ahead_row):
    """c[r, :] ← start[r, :] + Σ a[r, k] b[k, :] for m rows and one panel of `vectors` vectors.

    a, b, start, c are addresses; `a_row`, `a_k`, ... are the elements from one row, or one k, to the next. With
    `start_row` 0 every row has the same start.

    `fetch` is what is prefetched meanwhile. With `a_k` 1: NOTHING more than what lies from the address `ahead` on, into
    the second-level cache, `ahead_row` elements for each row of c; or that, the next ROWS of a, and each micro-tile of
    c. IN_ORDER is NOTHING, but for micro-tiles whose sums would not be added up in the order of k. With `a_row` 1: the
    TARGET, which is each micro-tile of c and what of a lies a cache line further on, and pays if one of both is not in
    a near cache; or before an UPDATE the latter and what lies ahead, as much as there is time for.
    """
    r, rows = 0, MR
    # Tiles of MR rows and of more, which add up in the same order, take all whole groups of MR rows, and no other row:
    # so a worker's part of the rows, which begins with a group, has the sums of a single worker.
    higher = m // _WHOLE_GROUPS * _WHOLE_GROUPS if _ROWS_OF_TWO_VECTORS > MR and vectors == 2 else 0
    most, ahead_k = _most_ahead(LINES_AHEAD_OF_AN_UPDATE, lanes_of(a)), 0
    if fetch == UPDATE:
        ahead_k = most if MR * ahead_row > most * k else (MR * ahead_row + k - 1) // k
    while r < m:
        rows = _ROWS_OF_TWO_VECTORS if r < higher else min(rows, MR)
        while rows > m - r:
            rows //= 2
        x, y, z = offset(a, r * a_row), offset(start, r * start_row), offset(c, r * c_row)
        own = offset(ahead, r * ahead_row)
        if _HAS_THREE and vectors == 3:
            _three_vectors(rows, x, a_row, a_k, b, b_k, y, start_row, z, c_row, k, fetch, own, ahead_k)
        elif vectors == 2:
            _two_vectors(rows, x, a_row, a_k, b, b_k, y, start_row, z, c_row, k, fetch, own, ahead_k)
        else:
            _one_vector(rows, x, a_row, a_k, b, b_k, y, start_row, z, c_row, k, fetch, own, ahead_k)
        r += rows


@inline_ir
def product_before_update(
    m, vectors, a, a_row, b, width, start, start_row, c, k, arrays, w, moments, moment_stride
):  # fmt: skip
    """The gradient of an update block, c[r, :] ← start[r, :] + Σ a[k, r] b[k, :], while what its update reads is
    prefetched: so many arrays like c, first the weights at w, then their moments, `moment_stride` elements apart. Rows
    of b and c are `width` elements."""
    ahead, row = w, 0
    for array in range(arrays):
        end = m if array == arrays - 1 else m // MR * (array + 1) // arrays * MR
        panel_product(
            end - row, vectors, offset(a, row), 1, a_row, b, width, offset(start, row * start_row), start_row,
            offset(c, row * width), width, k, UPDATE, ahead, arrays * width,
        )  # fmt: skip
        row, ahead = end, offset(moments, array * moment_stride)


# Whether sums of a panel of one vector are added up in another order than that of k, unless it is asked for.
_NARROW_OUT_OF_ORDER = sets_of_sums(MR, 1) > 1


@inline_ir
def multiply_panels(
    m, inner, vectors, begin_panel, end_panel, lanes, a, a_row, panels, start, start_row, c, c_row, depth, in_order
):  # fmt: skip
    """c ← start + a w: a (m, inner), w packed in panels; rows of c and start are padded to full vectors. Only the
    columns of the panels from `begin_panel` to `end_panel`.

    At most `depth` rows of a panel are multiplied at a time, for all rows of a: so that they stay in the first-level
    cache where that is large enough (fastnn/blocking.py). in_order : whether sums are those of `sparse_forward`, which
    leaves zeros out.
    """
    n_panels = panel_count(vectors)
    blocks = (inner + depth - 1) // depth
    for p in range(begin_panel, end_panel):
        first, last = panel_start(p, n_panels, vectors), panel_start(p + 1, n_panels, vectors)
        column, width = first * lanes, (last - first) * lanes
        out, begin, begin_row = offset(c, column), offset(start, column), start_row
        fetch = ROWS if p == begin_panel else NOTHING
        if _NARROW_OUT_OF_ORDER and in_order and last - first == 1:
            fetch = IN_ORDER
        for block in range(blocks):
            top, bottom = inner * block // blocks, inner * (block + 1) // blocks
            b, size = offset(panels, column * inner + top * width), (bottom - top) * width
            panel_product(
                m, last - first, offset(a, top), a_row, 1, b, width, begin, begin_row, out, c_row, bottom - top, fetch,
                offset(b, size), size // m,
            )  # fmt: skip
            begin, begin_row = out, c_row


@inline_ir
def multiply_transposed_panels(
    m, inner, columns, begin_panel, end_panel, lanes, dy, dy_row, panels, zeros, dx, dx_row, depth, copy
):  # fmt: skip
    """dx ← dy wᵀ: dy (m, columns), w (inner, columns) in panels, each panel of wᵀ copied before it is used; `copy` has
    room for one. Only the columns of dx that the panels of wᵀ from `begin_panel` to `end_panel` have."""
    vectors = padded(inner, lanes) // lanes
    n_panels = panel_count(vectors)
    blocks = (columns + depth - 1) // depth
    for q in range(begin_panel, end_panel):
        first, last = panel_start(q, n_panels, vectors), panel_start(q + 1, n_panels, vectors)
        transpose_panel(panels, inner, columns, q, copy, lanes)
        width, out, begin, begin_row = (last - first) * lanes, offset(dx, first * lanes), zeros, 0
        for block in range(blocks):
            top, bottom = columns * block // blocks, columns * (block + 1) // blocks
            # What is prefetched is the copy itself, which is in a near cache: what lies behind it is another's.
            b = offset(copy, top * width)
            panel_product(
                m, last - first, offset(dy, top), dy_row, 1, b, width, begin, begin_row, out, dx_row, bottom - top,
                NOTHING, b, 0,
            )  # fmt: skip
            begin, begin_row = out, dx_row


@inline_ir
def copy_columns(rows, columns, source, source_row, target, target_row):
    """target ← the first `columns` columns of so many rows of the source."""
    lanes = lanes_of(source)
    whole = columns // lanes * lanes
    for r in range(rows):
        row, copy = offset(source, r * source_row), offset(target, r * target_row)
        for c in range(0, whole, lanes):
            store(load(offset(row, c)), offset(copy, c))
        for c in range(whole, columns):
            copy[c] = row[c]


@unit("int int int int int real* int real* -> none")
def pack_rows(m, begin, end, vectors, lanes, rows, row, packed):
    """packed ← the columns of m rows that panels have, panel behind panel, each as m rows of its own: those of the rows
    from `begin` to `end`.

    As they lie, all rows of one panel fall into a few sets of the first-level cache, for the lengths of rows tend to be
    multiples of powers of two.
    """
    n_panels = panel_count(vectors)
    for p in range(n_panels):
        first, last = panel_start(p, n_panels, vectors) * lanes, panel_start(p + 1, n_panels, vectors) * lanes
        own, copy = offset(rows, begin * row + first), offset(packed, m * first + begin * (last - first))
        copy_columns(end - begin, last - first, own, row, copy, last - first)


@unit("int int int int int int int int real* int int real* real* real* -> none")
def accumulate_transposed(
    top, bottom, m, inner, vectors, begin_panel, end_panel, lanes, a, a_row, strip, dy, panels, copies
):  # fmt: skip
    """w ← w + aᵀ dy, its rows from `top` to `bottom` of the panels from `begin_panel` to `end_panel`, w in panels:
    a (m, inner), dy (m, columns) by `pack_rows`.

    "Transposed" means that columns of a are read as rows. They are read where they are, or `strip` columns at a time
    are first copied to `copies`, which has room for m rows of so many: 0 for none.
    """
    n_panels = panel_count(vectors)
    height, columns, columns_row = bottom - top, offset(a, top), a_row
    if strip > 0:
        height, columns, columns_row = strip, copies, strip
    row = top
    while row < bottom:
        rows = min(height, bottom - row)
        if strip > 0:
            copy_columns(m, rows, offset(a, row), a_row, copies, strip)
        for p in range(begin_panel, end_panel):
            first, last = panel_start(p, n_panels, vectors) * lanes, panel_start(p + 1, n_panels, vectors) * lanes
            width = last - first
            c = offset(panels, first * inner + row * width)
            panel_product(
                rows, width // lanes, columns, 1, columns_row, offset(dy, m * first), width, c, width, c, width, m,
                TARGET, c, 0,
            )  # fmt: skip
        row += rows
