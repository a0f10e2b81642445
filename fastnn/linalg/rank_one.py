"""The rank-one update of a matrix that is packed in panels: the gradient of a batch of one row."""

from __future__ import annotations

import numpy as np

from fastnn.intrinsics import broadcast, load, nonzero_columns, offset, pointer, stack_alloc, store
from fastnn.linalg.packing import panel_count, panel_start
from fastnn.units import unit

# Elements of a row whose nonzero positions are found at once.
_POSITIONS = 1024
_alloc_positions = stack_alloc(_POSITIONS)
_append_nonzero = nonzero_columns(1)


@unit("int int int int int real* real* real* -> none")
def accumulate_rank_one(top, bottom, inner, vectors, lanes, a, dy, panels):
    """w ← w + aᵀ dy, its rows from `top` to `bottom`, w in panels, for one row a and one row dy.

    Rows of w whose a is zero are not read. But where dy is not finite none is left out: 0 times infinity is NaN.
    """
    n_panels = panel_count(vectors)
    if n_panels == 0:
        return
    positions = _alloc_positions(pointer(0, np.int32(0)))
    finite = True
    for c in range(vectors * lanes):
        finite &= np.isfinite(dy[c])
    for start in range(top, bottom, _POSITIONS):
        end = min(bottom, start + _POSITIONS)
        full = start + (end - start) // lanes * lanes if finite else start
        found = 0
        for k in range(start, full, lanes):
            found += _append_nonzero(a, 0, k, offset(positions, found))
        for k in range(full, end):
            positions[found] = k
            found += a[k] != 0 or not finite
        for p in range(n_panels):
            first, last = panel_start(p, n_panels, vectors), panel_start(p + 1, n_panels, vectors)
            width, d = last - first, offset(dy, first * lanes)
            for position in range(found):
                k = np.int64(positions[position])
                factor = broadcast(a[k])
                row = offset(panels, (first * inner + k * width) * lanes)
                store(load(row) + factor * load(d), row)
                if width > 1:
                    row = offset(row, lanes)
                    store(load(row) + factor * load(offset(d, lanes)), row)
                if width > 2:
                    row = offset(row, lanes)
                    store(load(row) + factor * load(offset(d, 2 * lanes)), row)
