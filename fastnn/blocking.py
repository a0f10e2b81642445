"""How large the blocks of a training step are, by the caches of this CPU and the registers that Numba compiles for.

docs/fast_path.md has the reasons, and docs/lab_notebook.md what was measured.
"""

from __future__ import annotations

import numpy as np

from fastnn.caches import first_level_bytes, second_level_bytes
from fastnn.intrinsics import CACHE_LINE, MR, NR_VECTORS, VECTOR_BYTES
from fastnn.linalg.packing import panel_count
from fastnn.step.plan import BLOCK_ROWS, UPDATE_BLOCK

# More rows than any panel has.
ALL = 2**40

# Terms of a sum below which adding up through memory costs more than panels in the first-level cache save.
_LEAST_DEPTH = 160

# Rows of an input so many bytes apart, or a multiple of them, fall into at most two sets of a first-level cache.
_CONFLICTS = 2048

# How often a cache line of the input must be read, by panels and micro-tiles, for copying it to pay.
_READS_WORTH_COPYING = 16


def rows_of_a_block(widest: int, dtype: np.dtype) -> int:
    """The most rows of a row block for a net whose widest row of inputs or outputs has so many elements: BLOCK_ROWS,
    or half as many where BLOCK_ROWS of these rows would fill more than half of the second-level cache."""
    fits = 2 * BLOCK_ROWS * widest * dtype.itemsize <= second_level_bytes()
    return BLOCK_ROWS if fits else BLOCK_ROWS // 2


def depth_of_a_product() -> int:
    """The most rows of a panel that are multiplied at a time (`multiply_panels`): those that fill half of the
    first-level cache, or all if these are few."""
    fit = first_level_bytes() // 2 // (NR_VECTORS * VECTOR_BYTES)
    return fit if fit >= _LEAST_DEPTH else ALL


def widest_panel(dtype: np.dtype) -> int:
    """The most columns of a panel."""
    return NR_VECTORS * VECTOR_BYTES // dtype.itemsize


def rows_of_an_update(dtype: np.dtype) -> int:
    """Rows of a panel in an update block."""
    return UPDATE_BLOCK // widest_panel(dtype) // MR * MR


def fetching_pays(elements: int, dtype: np.dtype) -> bool:
    """Whether what an update reads, weights and moments of so many elements, is prefetched while their gradient is
    formed: where it is more than twice the second-level cache, and little of it is still there from the last step."""
    return elements * dtype.itemsize > 2 * second_level_bytes()


def each_panel_pays(elements: int, dtype: np.dtype) -> bool:
    """Whether transposed weights of so many elements are formed panel by panel by each worker, and not all at first by
    one: where they are more than half of the second-level cache."""
    return 2 * elements * dtype.itemsize > second_level_bytes()


def strips_pay(input_row: int, panel_vectors: int, dtype: np.dtype) -> bool:
    """Whether the gradient of a layer's panels copies columns of its input before it reads them as rows.

    As they lie, a micro-tile reads a part of one cache line of each row, and the next one the part behind it; where
    rows are a large power of two apart, all these lines fall into few sets of the first-level cache, and are not there
    any more. Copying costs as much for one panel as for many.
    """
    conflicts = input_row * dtype.itemsize % _CONFLICTS == 0
    tiles_on_a_line = CACHE_LINE // (MR * dtype.itemsize)
    return conflicts and panel_count(panel_vectors) * tiles_on_a_line >= _READS_WORTH_COPYING


def columns_of_strips(count: int, strip: int, inputs: int) -> int:
    """How many columns strips of `count` row blocks may have together, where a strip has so many at the most and a
    layer so many inputs: those of whole strips, but no more than are copied where as many workers share the inputs."""
    return max(strip, min(count * strip, inputs + count * MR)) if strip > 0 else 0
