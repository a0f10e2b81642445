"""The rows of a batch that do not lie one after another, loaded into a row block: gathered, or out of compressed rows.

Nothing is copied but the rows of the row blocks in progress: a few hundred kilobytes per worker, whatever the data set.
"""

from __future__ import annotations

import numpy as np
from numba.core import types

from fastnn.intrinsics import MR, fetch_ahead, lanes_of, load, offset, pointer, stack_alloc, store
from fastnn.jit import force_inline
from fastnn.linalg.sparse_inputs import clear_active, merge_active_columns, use_active_columns
from fastnn.step.plan import layer_of, source_of
from fastnn.units import unit

_alloc_positions = stack_alloc(MR)

# How many rows ahead of the one that is copied are fetched.
_ROWS_AHEAD = 4


@force_inline
def _index(plan, source, r):
    """Which row of the source is the r-th of the batch."""
    return source.order[plan.position + r] if source.is_ordered else plan.position + r


@unit("StepPlan int int BlockPlan -> int")
def gather_rows(plan, first, m, block):
    """`inputs` ← m rows of the batch from `first` on."""
    source, inputs = source_of(plan.source, 0, plan), layer_of(plan.layers, 0, plan).inputs
    base, lanes = pointer(source.x, plan.zeros[0]), lanes_of(plan.zeros)
    full = inputs // lanes * lanes
    for r in range(m):
        row, target = offset(base, _index(plan, source, first + r) * inputs), offset(block.inputs, r * inputs)
        # Rows drawn at random are in no cache, and the hardware cannot know which is next.
        last = min(plan.position + first + r + _ROWS_AHEAD, source.n - 1)
        ahead = offset(base, source.order[last] * inputs)
        for k in range(0, full, lanes):
            fetch_ahead(offset(ahead, k))
            store(load(offset(row, k)), offset(target, k))
        for k in range(full, inputs):
            target[k] = row[k]
    return np.int64(0)


@unit("StepPlan int int BlockPlan -> int")
def scatter_rows(plan, first, m, block):
    """`inputs` ← m compressed rows of the batch from `first` on, and their active columns.

    `inputs` is zero but for what the last rows left, which is cleared first: no more elements are written than are
    stored.
    """
    source, inputs = source_of(plan.source, 0, plan), layer_of(plan.layers, 0, plan).inputs
    clear_active(block.scattered, inputs, block.inputs, block.active)
    block.scattered = m
    for r in range(m):
        row, target = _index(plan, source, first + r), offset(block.inputs, r * inputs)
        for k in range(source.starts[row], source.starts[row + 1]):
            target[source.columns[k]] = source.values[k]
    groups, total = m // MR, 0
    heads, ends = _alloc_positions(source.starts), _alloc_positions(source.starts)
    for group in range(groups):
        for r in range(MR):
            row = _index(plan, source, first + group * MR + r)
            heads[r], ends[r] = source.starts[row], source.starts[row + 1]
        total += merge_active_columns(group, inputs, source.columns, heads, ends, block.active)
    use_active_columns(groups, inputs, total, block.active)
    return np.int64(1)


def gather_address(real: types.Float) -> int:
    """Where `gather_rows` is in memory, compiled for that precision."""
    return gather_rows.unit.link(real)


def scatter_address(real: types.Float) -> int:
    """Where `scatter_rows` is in memory, compiled for that precision."""
    return scatter_rows.unit.link(real)
