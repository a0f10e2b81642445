"""The whole training step of a multi-layer perceptron, tile of rows by tile of rows.

Each worker takes its tiles through forward, loss and backward while they are in the second-level cache; nothing grows
with the batch. Then each updates its share of the parameters.

Parameters live packed in one flat array, layer by layer (`layer.py`); gradients and optimizer moments have the same
layout. Padding starts as zero, its gradient is zero, and it is never read as data.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numba import from_dtype, prange
from numba.core import types

from fastnn.intrinsics import (
    element,
    enter_parallel_region,
    flush_subnormals,
    indirect_call,
    lanes_of,
    leave_parallel_region,
    restore_subnormals,
    try_lock,
    unlock,
)
from fastnn.jit import address_of, force_inline, inline_ir, kernel, parallel_kernel
from fastnn.kernels.losses import MEAN_SQUARED_ERROR
from fastnn.kernels.optimizers import is_plain_descent, numbers_of
from fastnn.linalg.packing import padded
from fastnn.linalg.sparse_inputs import WHAT, all_finite, sparsity_of
from fastnn.step.forward_backward import TILE, few_rows, forward_tile, tile_deltas, transpose_weights
from fastnn.step.plan import arrays_of, net_lock, rows_like_last, wrong_label
from fastnn.step.update import add_gradient, reduce_and_update, room_of, update_share

# Where the first wrong label is: there is none, arrays are not such as the last ones, or another thread trains the net.
NOWHERE, UNLIKE_LAST, IN_USE_ELSEWHERE = -1, -2, -3


@force_inline
def rows_of_a_tile(n, workers):
    """The batch as evenly shared as it goes, in eights; but no more than a tile has room for."""
    return min(TILE, (n + 8 * workers - 1) // (8 * workers) * 8)


@force_inline
def one_tile_each(n, tile, workers):
    """Whether no worker has more than one tile of rows: then no gradient is stored."""
    return n <= tile * workers


@inline_ir
def worker_step(
    worker, workers, tile, x, t, parameters, gradients, sizes, activation, loss, optimizer, hyper, scale, transposed,
    workspace, listed, listing
):  # fmt: skip
    """Forward, loss and backward of the worker's share of the tiles; returns the sum of their losses.

    The worker's gradient ← the sum of theirs; but with one tile each it is left alone, and the k-th row of the
    workspace is left with the outputs and deltas of the k-th tile, for plain descent times -rate, and that of `listed`
    with its list, if all deltas are finite.
    """
    n, room = x.shape[0], room_of(workspace)
    scratch, zeros = workspace[worker, 2 * room :], workspace[-1]
    gradient = gradients[worker]
    one_each = one_tile_each(n, tile, workers)
    if not one_each:
        gradient[:] = 0
    tiles = (n + tile - 1) // tile
    few = few_rows(n, lanes_of(x))
    total = 0.0
    before = flush_subnormals()
    for k in range(tiles * worker // workers, tiles * (worker + 1) // workers):
        first = k * tile
        m = min(tile, n - first)
        row = k if one_each else worker
        own, own_list = workspace[row], element(listed[row], 0)
        outputs, deltas = own[:room], own[room : 2 * room]
        total += tile_deltas(
            x, t, first, m, few, parameters, sizes, activation, loss, scale, transposed, outputs, deltas, zeros,
            scratch, own_list, listing,
        )  # fmt: skip
        if one_each and is_plain_descent(optimizer, hyper):
            rate = parameters.dtype.type(hyper[0])
            for c in range(m * (room // TILE)):
                deltas[c] *= -rate
        if own_list[0] != 0 and not all_finite(deltas[: m * padded(sizes[1], lanes_of(x))]):
            own_list[0] = 0
        if not one_each:
            add_gradient(first, m, x, sizes, outputs, deltas, gradient, scratch, own_list, listing)
    restore_subnormals(before)
    return total


@force_inline
def mean_divisor(loss, n, classes):
    """The mean squared error is a mean over elements, the cross-entropy over rows."""
    return n * classes if loss == MEAN_SQUARED_ERROR else n


@inline_ir
def update_part(
    worker, workers, tile, x, parameters, gradients, state, sizes, optimizer, step, hyper, workspace, listed, listing
):  # fmt: skip
    """Update the worker's part of the parameters, after everybody's `worker_step`."""
    numbers = numbers_of(optimizer, step, hyper)
    before = flush_subnormals()
    if one_tile_each(x.shape[0], tile, workers):
        update_share(worker, workers, tile, x, parameters, state, sizes, optimizer, numbers, workspace, listed, listing)
    else:
        count = lanes_of(parameters)
        vectors = parameters.size // count
        first, last = vectors * worker // workers * count, vectors * (worker + 1) // workers * count
        reduce_and_update(first, last, workers, optimizer, parameters, gradients, state, numbers)
    restore_subnormals(before)


# The parts of a step: the whole of it, its beginning and its end; and 2 worker + TILES, or + UPDATE.
WHOLE, BEGINNING, END = -1, -2, -3
TILES, UPDATE = 0, 1


@kernel
def train_step(x, t, n, like, target_like, table, workers, part):
    """Forward, loss, backward, update, or a part of that; the other arguments are those of `step_arguments`.

    Returns the mean loss before the update, in float64, and NOWHERE; or, with nothing changed, where the first label
    out of range is. The loss is there when all tiles are: of the WHOLE, and at the END. Sums are those of so many
    workers. With n of 0 the arrays themselves say how many rows there are; but where they are not such as the table
    says, nothing is changed, and UNLIKE_LAST returned; and IN_USE_ELSEWHERE where the net's lock is taken. The WHOLE
    and the BEGINNING take it, the WHOLE and the END free it.
    """
    if n == 0:
        n = rows_like_last(x, t, table)
        if n == 0:
            return np.nan, UNLIKE_LAST
    (
        x, t, parameters, state, steps, gradients, workspace, listed, transposed, sizes, hyper, losses, activation,
        loss, optimizer, listing,
    ) = arrays_of(x, t, n, like, target_like, table)  # fmt: skip
    divisor, tile = mean_divisor(loss, n, sizes[-1]), rows_of_a_tile(n, workers)
    if part in (WHOLE, BEGINNING):
        wrong = wrong_label(t, sizes[-1])
        if wrong >= 0:
            return np.nan, wrong
        if not try_lock(net_lock(table)):
            return np.nan, IN_USE_ELSEWHERE
        if not few_rows(n, lanes_of(x)):
            transpose_weights(parameters, sizes, transposed)
        listing[WHAT] = sparsity_of(x, sizes, parameters, lanes_of(x))
    first, last = (part // 2, part // 2 + 1) if part >= 0 else (0, workers if part == WHOLE else 0)
    if part < 0 or part % 2 == TILES:
        for worker in range(first, last):
            losses[worker] = worker_step(
                worker, workers, tile, x, t, parameters, gradients, sizes, activation, loss, optimizer, hyper,
                1.0 / divisor, transposed, workspace, listed, listing,
            )  # fmt: skip
    if part < 0 or part % 2 == UPDATE:
        for worker in range(first, last):
            update_part(
                worker, workers, tile, x, parameters, gradients, state, sizes, optimizer, steps[0] + 1, hyper,
                workspace, listed, listing,
            )  # fmt: skip
    if part in (WHOLE, END):
        steps[0] += 1
    total = 0.0
    for worker in range(workers):
        total += losses[worker]
    if part in (WHOLE, END):
        unlock(net_lock(table))
    return total / divisor, NOWHERE


# `train_step` at some address.
call_step = indirect_call(types.Tuple((types.float64, types.int64)))


@parallel_kernel
def for_each_worker(address, x, t, n, like, target_like, table, workers, of_worker):
    """The tiles of all workers, or their updates, each worker on a thread.

    `train_step` is called by its address, because Numba would compile it anew for each parallel region. One region is
    a function of its own, because Numba would make one loop of two that have no array in common.
    """
    for worker in prange(workers):
        call_step(address, (x, t, n, like, target_like, table, workers, 2 * worker + of_worker))


@kernel
def parallel_train_step(address, x, t, n, like, target_like, table, workers, region):
    """`train_step`, which is at that address, to the bit, each worker on a thread of the parallel region."""
    _, wrong = call_step(address, (x, t, n, like, target_like, table, workers, np.int64(BEGINNING)))
    if wrong != NOWHERE:
        return np.nan, wrong
    threads = enter_parallel_region(region)
    for_each_worker(address, x, t, n, like, target_like, table, workers, TILES)
    for_each_worker(address, x, t, n, like, target_like, table, workers, UPDATE)
    leave_parallel_region(region, threads)
    return call_step(address, (x, t, n, like, target_like, table, workers, np.int64(END)))


@cache
def step_address(like: type, target_like: type) -> int:
    """Where `train_step` is in memory, compiled for rows and targets of these types of elements."""
    like_type, target_type = (from_dtype(np.dtype(kind)) for kind in (like, target_like))
    whole = types.int64
    return address_of(train_step, (whole, whole, whole, like_type, target_type, whole, whole, whole))


@kernel
def forward(x, parameters, sizes, activation, outputs, listed, listing, tile, z):
    """z (n, outputs) ← the last layer's output, tile by tile."""
    n, classes = z.shape
    o = padded(classes, lanes_of(x))
    listing[WHAT] = sparsity_of(x, sizes, parameters, lanes_of(x))
    for first in range(0, n, tile):
        m = min(tile, n - first)
        out = forward_tile(x, first, m, parameters, sizes, activation, outputs, element(listed, 0), listing)
        for r in range(m):
            for c in range(classes):
                z[first + r, c] = outputs[out + r * o + c]
