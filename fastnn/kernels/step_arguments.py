"""What a training step is told: numbers alone, for an array costs Numba a tenth of a microsecond and an allocation to
take.

What a net and its optimizer hold is told in a table of int64, addresses and numbers of elements; the rows and targets
by the `id` of their arrays, which the caller must hold meanwhile.
"""

from __future__ import annotations

import numpy as np
from numba import carray
from numba.core import types

from fastnn.kernels.encoding import first_out_of_range
from fastnn.kernels.jit import inlined, inlined_by_type
from fastnn.kernels.simd import data_address, pointer

# The places of the table: addresses of arrays, their sizes where they do not follow from others, and codes.
(
    PARAMETERS,
    PARAMETERS_SIZE,
    MOMENTS,
    GRADIENTS,
    WORKSPACE,
    WORKSPACE_ROWS,
    WORKSPACE_COLUMNS,
    TRANSPOSED,
    TRANSPOSED_SIZE,
    SIZES,
    LAYERS,
    HYPER,
    LOSSES,
    ACTIVATION,
    LOSS,
    TABLE_SIZE,
) = range(16)

# Numbers of an optimizer, at most.
HYPER_SIZE = 8


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


inlined_by_type(_targets, _targets_by_type)
inlined_by_type(wrong_label, _wrong_label_by_type)


@inlined
def arrays_of(x, t, n, like, target_like, table):
    """The arrays and codes of a step on n rows; `like` and `target_like` have the types of elements of x and t."""
    whole, real = np.int64(0), np.float64(0)
    told = carray(pointer(table, whole), (TABLE_SIZE,))
    size, workers = told[PARAMETERS_SIZE], told[WORKSPACE_ROWS] - 1
    sizes = carray(pointer(told[SIZES], whole), (told[LAYERS] + 1,))
    return (
        carray(pointer(data_address(x), like), (n, sizes[0])),
        _targets(data_address(t), n, sizes[-1], target_like),
        carray(pointer(told[PARAMETERS], like), (size,)),
        carray(pointer(told[MOMENTS], like), (2, size)),
        carray(pointer(told[GRADIENTS], like), (workers, size)),
        carray(pointer(told[WORKSPACE], like), (told[WORKSPACE_ROWS], told[WORKSPACE_COLUMNS])),
        carray(pointer(told[TRANSPOSED], like), (told[TRANSPOSED_SIZE],)),
        sizes,
        carray(pointer(told[HYPER], real), (HYPER_SIZE,)),
        carray(pointer(told[LOSSES], real), (workers,)),
        told[ACTIVATION],
        told[LOSS],
    )
