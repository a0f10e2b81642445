"""The arguments of the training step that are Python objects: looked at by their `id`, without Python.

Only integers cross the Python boundary: unboxing one array would cost 0.1 microseconds and an allocation, and looking
at small batches in Python a quarter of the step. The caller holds the objects meanwhile.
"""

from __future__ import annotations

import numpy as np

from fastnn.intrinsics import ndarray_layout, pointer
from fastnn.jit import force_inline, inline_ir


@force_inline
def _int64_at(address):
    return pointer(address, np.int64(0))[0]


@force_inline
def _int32_at(address):
    return pointer(address, np.int32(0))[0]


@force_inline
def _is_ordinary(array, kind, dimensions, dtype):
    """Whether the object with that `id` is an array (its type by the `id`) of so many dimensions, that data type (by
    its `id`), and aligned elements in C order."""
    return (
        _int64_at(array + ndarray_layout.TYPE) == kind
        and _int32_at(array + ndarray_layout.DIMENSIONS) == dimensions
        and _int64_at(array + ndarray_layout.DTYPE) == dtype
        and _int32_at(array + ndarray_layout.FLAGS) & ndarray_layout.READABLE == ndarray_layout.READABLE
    )


@force_inline
def _length(array, axis):
    """The length of the array with that `id` along an axis that it has."""
    return _int64_at(_int64_at(array + ndarray_layout.SHAPE) + 8 * axis)


@force_inline
def data_of(array):
    """The address of the first element of the array with that `id`."""
    return _int64_at(array + ndarray_layout.DATA)


@inline_ir
def rows_like_last(x, t, plan, inputs, outputs):
    """How many rows x has, if x and t, whatever they are, are arrays like the last ones; else 0. Less than 0, by as
    many, where they are too many for a step that Python has not prepared."""
    kind, dimensions = plan.array_type, plan.t_dimensions
    if not _is_ordinary(x, kind, 2, plan.x_dtype) or not _is_ordinary(t, kind, dimensions, plan.t_dtype):
        return 0
    n = _length(x, 0)
    if _length(x, 1) != inputs or _length(t, 0) != n:
        return 0
    if dimensions == 2 and _length(t, 1) != outputs:
        return 0
    if n > plan.most_rows or (n > plan.max_rows and plan.shares[0] != 0):
        return -n
    return n
