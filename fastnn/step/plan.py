"""What a training step is told: numbers alone, for an array costs Numba a tenth of a microsecond and an allocation to
take.

What a net and its optimizer hold is told in a table of int64, addresses and numbers of elements; the rows and targets
by the `id` of their arrays, which the caller must hold meanwhile.
"""

from __future__ import annotations

import numpy as np
from numba import carray
from numba.core import types

from fastnn.intrinsics import ndarray_layout, pointer
from fastnn.jit import force_inline, overload_by_type
from fastnn.kernels.encoding import first_out_of_range
from fastnn.linalg.sparse_inputs import LISTING_SIZE

# The places of the table: addresses of arrays, their sizes where they do not follow from others, and codes; then what
# arrays the next step expects, by the `id` of their type and data type, and how many rows at most it looks at itself;
# the address of the net's lock; and last what `listed.py` is told.
(
    PARAMETERS,
    PARAMETERS_SIZE,
    MOMENTS,
    MOMENTS_ROW,
    STEPS,
    GRADIENTS,
    WORKSPACE,
    WORKSPACE_ROWS,
    WORKSPACE_COLUMNS,
    LISTED,
    LISTED_COLUMNS,
    TRANSPOSED,
    TRANSPOSED_SIZE,
    SIZES,
    LAYERS,
    HYPER,
    LOSSES,
    ACTIVATION,
    LOSS,
    OPTIMIZER,
    ARRAY_TYPE,
    DTYPE,
    TARGET_DTYPE,
    TARGET_DIMENSIONS,
    MOST_ROWS,
    IN_USE,
    LISTING,
) = range(27)
TABLE_SIZE = LISTING + LISTING_SIZE

# Numbers of an optimizer, at most.
HYPER_SIZE = 8


@force_inline
def _is_ordinary(array, kind, dimensions, dtype):
    """Whether the object with that `id` is an array (its type by the `id`) of so many dimensions, that data type (by
    its `id`), and elements in order."""
    like_int64, like_int32 = np.int64(0), np.int32(0)
    return (
        pointer(array + ndarray_layout.TYPE, like_int64)[0] == kind
        and pointer(array + ndarray_layout.DIMENSIONS, like_int32)[0] == dimensions
        and pointer(array + ndarray_layout.DTYPE, like_int64)[0] == dtype
        and pointer(array + ndarray_layout.FLAGS, like_int32)[0] & ndarray_layout.ORDINARY == ndarray_layout.ORDINARY
    )


@force_inline
def _length(array, axis):
    """How long the array with that `id` is along an axis that it has."""
    like_int64 = np.int64(0)
    return pointer(pointer(array + ndarray_layout.SHAPE, like_int64)[0], like_int64)[axis]


@force_inline
def _elements(array):
    """Where the elements of the array with that `id` begin."""
    return pointer(array + ndarray_layout.DATA, np.int64(0))[0]


@force_inline
def rows_like_last(x, t, table):
    """How many rows x has, if x and t, whatever they are, are such arrays as the table says that they were last, and
    not too many; or 0."""
    like_int64 = np.int64(0)
    told = pointer(table, like_int64)
    sizes = pointer(told[SIZES], like_int64)
    dimensions = told[TARGET_DIMENSIONS]
    kind = told[ARRAY_TYPE]
    if not _is_ordinary(x, kind, 2, told[DTYPE]) or not _is_ordinary(t, kind, dimensions, told[TARGET_DTYPE]):
        return 0
    n = _length(x, 0)
    if _length(x, 1) != sizes[0] or _length(t, 0) != n or n > told[MOST_ROWS]:
        return 0
    if dimensions == 2 and _length(t, 1) != sizes[told[LAYERS]]:
        return 0
    return n


def _targets(address, n, outputs, like):
    """Labels (n,) or rows (n, outputs), by the type of `like`."""
    raise TypeError("for nopython code")


def _targets_by_type(address, n, outputs, like):
    if isinstance(like, types.Integer):
        return lambda address, n, outputs, like: carray(pointer(address, like), (n,))
    return lambda address, n, outputs, like: carray(pointer(address, like), (n, outputs))


def wrong_label(t, classes):
    """The position of the first label out of range, or -1; rows have no labels."""
    raise TypeError("for nopython code")


def _wrong_label_by_type(t, classes):
    if t.ndim == 1:
        return lambda t, classes: first_out_of_range(t, classes)
    return lambda t, classes: -1


overload_by_type(_targets, _targets_by_type)
overload_by_type(wrong_label, _wrong_label_by_type)


@force_inline
def net_lock(table):
    """The address of the lock of the net: at most one step changes it at a time."""
    like_int64 = np.int64(0)
    return pointer(pointer(table, like_int64)[IN_USE], like_int64)


@force_inline
def arrays_of(x, t, n, like, target_like, table):
    """The arrays and codes of a step on n rows, and last the `listing` of `listed.py`; `like` and
    `target_like` have the types of elements of x and t."""
    like_int64, like_int32, like_float64 = np.int64(0), np.int32(0), np.float64(0)
    told = carray(pointer(table, like_int64), (TABLE_SIZE,))
    size, workers = told[PARAMETERS_SIZE], told[WORKSPACE_ROWS] - 1
    sizes = carray(pointer(told[SIZES], like_int64), (told[LAYERS] + 1,))
    return (
        carray(pointer(_elements(x), like), (n, sizes[0])),
        _targets(_elements(t), n, sizes[-1], target_like),
        carray(pointer(told[PARAMETERS], like), (size,)),
        carray(pointer(told[MOMENTS], like), (2, told[MOMENTS_ROW])),
        carray(pointer(told[STEPS], like_int64), (1,)),
        carray(pointer(told[GRADIENTS], like), (workers, size)),
        carray(pointer(told[WORKSPACE], like), (told[WORKSPACE_ROWS], told[WORKSPACE_COLUMNS])),
        carray(pointer(told[LISTED], like_int32), (workers, told[LISTED_COLUMNS])),
        carray(pointer(told[TRANSPOSED], like), (told[TRANSPOSED_SIZE],)),
        sizes,
        carray(pointer(told[HYPER], like_float64), (HYPER_SIZE,)),
        carray(pointer(told[LOSSES], like_float64), (workers,)),
        told[ACTIVATION],
        told[LOSS],
        told[OPTIMIZER],
        told[LISTING : LISTING + LISTING_SIZE],
    )
