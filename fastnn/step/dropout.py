"""Dropout (Srivastava et al., 2014): elements become zero at random, and the others larger by as much.

No mask is stored. The factor of an element follows from the net's key, the number of its step, the layer, the row and
the column; the backward pass computes it again. So it does not depend on the CPU, nor on the number of threads.
`fastnn/reference/dropout.py` says which random word decides on which element.
"""

from __future__ import annotations

import numpy as np

from fastnn.intrinsics import (
    lanes_of,
    like,
    load,
    masked_load,
    masked_store,
    offset,
    prefer_full_vectors,
    stack_alloc,
    store,
)
from fastnn.jit import force_inline
from fastnn.kernels.philox import philox
from fastnn.step.plan import layer_of
from fastnn.units import unit

# Columns whose factors are computed at once: the four words of 16 counters, a full register of the widest kind.
_COLUMNS, _COUNTERS = 64, 16

_alloc_factors = stack_alloc(_COLUMNS)


@force_inline
def _write_factors(factors, first_counter, row, stream, step, key, rate):
    """The factors of one row's `_COLUMNS` columns."""
    factor, zero = like(factors[0], 1 / (1 - rate)), like(factors[0], 0)
    threshold = np.uint32(np.int64(rate * 4294967296.0))
    keys = np.uint32(key), np.uint32(key >> 32)
    for k in range(_COUNTERS):
        words = philox((np.uint32(first_counter + k), np.uint32(row), np.uint32(stream), np.uint32(step)), keys)
        factors[k] = factor if words[0] >= threshold else zero
        factors[_COUNTERS + k] = factor if words[1] >= threshold else zero
        factors[2 * _COUNTERS + k] = factor if words[2] >= threshold else zero
        factors[3 * _COUNTERS + k] = factor if words[3] >= threshold else zero


@unit("StepPlan real* real* int int int int int -> none")
def drop(plan, source, target, first, m, begin, end, stream):
    """target ← source times its factors: m rows, of which `first` is the first row's index in the batch; only the
    columns from `begin`, whole vectors, to `end`. stream : 0 for the input of the net, k for its k-th hidden layer.
    target may be source."""
    prefer_full_vectors()
    layer = layer_of(plan.layers, max(0, stream - 1), plan)
    row, rate = (layer.row, layer.dropout) if stream > 0 else (layer.inputs, plan.input_dropout)
    lanes, factors, step = lanes_of(source), _alloc_factors(source), plan.net_steps[0]
    for r in range(m):
        for start in range(begin // _COLUMNS * _COLUMNS, end, _COLUMNS):
            _write_factors(factors, start // 4, first + r, stream, step, plan.dropout_key, rate)
            size, position = min(_COLUMNS, end - start), r * row + start
            full = size // lanes * lanes
            for k in range(max(0, begin - start), full, lanes):
                store(load(offset(source, position + k)) * load(offset(factors, k)), offset(target, position + k))
            if full < size:
                rest, position = size - full, position + full
                values = masked_load(offset(source, position), rest) * load(offset(factors, full))
                masked_store(values, offset(target, position), rest)
