"""The rows of a batch that do not lie one after another, loaded into a row block: gathered, or out of compressed rows.

Nothing is copied but the rows of the row blocks in progress: a few hundred kilobytes per worker, whatever the data set.
"""

from __future__ import annotations

from numba.core import types

from fastnn.intrinsics import fetch_ahead, lanes_of, load, offset, pointer, store
from fastnn.jit import force_inline
from fastnn.step.plan import layer_of, source_of
from fastnn.units import unit

# How many rows ahead of the one that is copied are fetched.
_ROWS_AHEAD = 4


@force_inline
def _index(plan, source, r):
    """Which row of the source is the r-th of the batch."""
    return source.order[plan.position + r] if source.is_ordered else plan.position + r


@unit("StepPlan int int int BlockPlan -> none")
def gather_rows(plan, first, begin, end, block):
    """`inputs` ← the rows from `begin` to `end` of the row block, whose first one is the row `first` of the batch."""
    source, inputs = source_of(plan.source, 0, plan), layer_of(plan.layers, 0, plan).inputs
    base, lanes = pointer(source.x, plan.zeros[0]), lanes_of(plan.zeros)
    full = inputs // lanes * lanes
    for r in range(begin, end):
        row, target = offset(base, _index(plan, source, first + r) * inputs), offset(block.inputs, r * inputs)
        # Rows drawn at random are in no cache, and the hardware cannot know which is next.
        last = min(plan.position + first + r + _ROWS_AHEAD, source.n - 1)
        ahead = offset(base, source.order[last] * inputs)
        for k in range(0, full, lanes):
            fetch_ahead(offset(ahead, k))
            store(load(offset(row, k)), offset(target, k))
        for k in range(full, inputs):
            target[k] = row[k]


@unit("StepPlan int int int BlockPlan -> none")
def scatter_rows(plan, first, begin, end, block):
    """The same of compressed rows, as a matrix."""
    source, inputs = source_of(plan.source, 0, plan), layer_of(plan.layers, 0, plan).inputs
    for r in range(begin, end):
        row, target = _index(plan, source, first + r), offset(block.inputs, r * inputs)
        for k in range(inputs):
            target[k] = 0
        for k in range(source.starts[row], source.starts[row + 1]):
            target[source.columns[k]] = source.values[k]


@unit("StepPlan int int int BlockPlan -> none")
def point_to_rows(plan, first, begin, end, block):
    """The places of compressed rows, those from `begin` to `end` of the row block; nothing of them is copied.

    But a batch of one row is written to `inputs` as well, for an update by its outer product. `inputs` is zero but for
    what the last row left, which is cleared first: no more elements are written than are stored.
    """
    source = source_of(plan.source, 0, plan)
    if plan.n == 1:
        for k in range(block.begins[0], block.ends[0]):
            block.inputs[source.columns[k]] = 0
    for r in range(begin, end):
        row = _index(plan, source, first + r)
        block.begins[r], block.ends[r] = source.starts[row], source.starts[row + 1]
    if plan.n == 1:
        for k in range(block.begins[0], block.ends[0]):
            block.inputs[source.columns[k]] = source.values[k]


def gather_address(real: types.Float) -> int:
    """Where `gather_rows` is in memory, compiled for that precision."""
    return gather_rows.unit.link(real)


def compressed_loading(real: types.Float, as_matrix: bool) -> dict[str, int]:
    """The fields of a plan for compressed rows: the address of what loads them, compiled for that precision."""
    load = scatter_rows if as_matrix else point_to_rows
    return {"load_rows": load.unit.link(real), "compressed": int(not as_matrix)}
