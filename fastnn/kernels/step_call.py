"""A training step as Python calls it: with numbers alone, for an array costs Numba a tenth of a microsecond and an
allocation to take.

What a net and its optimizer hold is told in a table of int64, addresses and numbers of elements; the rows and targets
by the `id` of their arrays, which the caller must hold meanwhile.
"""

from __future__ import annotations

import numpy as np
from numba import carray
from numba.core import types

from fastnn.kernels.encoding import first_out_of_range
from fastnn.kernels.jit import inlined, inlined_by_type, kernel
from fastnn.kernels.simd import data_address, pointer
from fastnn.kernels.train_step import parallel_train_step, train_step

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


def _wrong_label(t, classes):
    """The position of the first label out of range, or -1; rows have no labels."""
    raise TypeError("for nopython code")


def _wrong_label_by_type(t, classes):
    if t.ndim == 1:
        return lambda t, classes: first_out_of_range(t, classes)
    return lambda t, classes: -1


inlined_by_type(_targets, _targets_by_type)
inlined_by_type(_wrong_label, _wrong_label_by_type)


@inlined
def _arrays(x, t, n, like, target_like, table):
    """The arrays and codes of a step."""
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


@kernel
def call_train_step(x, t, n, like, target_like, table, optimizer, step, tile, workers):
    """`train_step` on n rows; x and t are given by `id`, `like` and `target_like` have the types of their elements.

    Returns the mean loss before the update and -1; or, with nothing changed, where the first label out of range is.
    """
    x, t, parameters, moments, gradients, workspace, transposed, sizes, hyper, _, activation, loss = _arrays(
        x, t, n, like, target_like, table
    )
    wrong = _wrong_label(t, sizes[-1])
    if wrong >= 0:
        return np.nan, wrong
    mean = train_step(
        x, t, parameters, moments, gradients, workspace, transposed, sizes, activation, loss, optimizer, step, hyper,
        tile, workers,
    )  # fmt: skip
    return mean, wrong


@kernel
def call_parallel_train_step(x, t, n, like, target_like, table, optimizer, step, tile, workers):
    """The same of `parallel_train_step`."""
    x, t, parameters, moments, gradients, workspace, transposed, sizes, hyper, losses, activation, loss = _arrays(
        x, t, n, like, target_like, table
    )
    wrong = _wrong_label(t, sizes[-1])
    if wrong >= 0:
        return np.nan, wrong
    mean = parallel_train_step(
        x, t, parameters, moments, gradients, workspace, transposed, sizes, activation, loss, optimizer, step, hyper,
        tile, workers, losses,
    )  # fmt: skip
    return mean, wrong
