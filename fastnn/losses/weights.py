"""The weights of rows: those of samples, and of labels by their classes."""

from __future__ import annotations

import numpy as np

from fastnn.intrinsics import pointer
from fastnn.jit import force_inline, inner_kernel


@force_inline
def row_weight(t, r, options, first):
    """The weight of row r of a row block, that of the sample, whatever its targets t."""
    return options.sample_weights[(first + r) * options.sample_stride]


@force_inline
def label_weight(t, r, options, first):
    """The weight of row r of a row block with labels t: that of the sample, or 0 where the label is ignored."""
    weight = options.sample_weights[(first + r) * options.sample_stride]
    return 0.0 if options.ignores and t[r] == options.ignored else weight


@inner_kernel
def sum_row_weights(targets, n, options):
    """The sum of the weights of n rows."""
    total = 0.0
    for r in range(n):
        total += row_weight(targets, r, options, 0)
    return total


@inner_kernel
def sum_label_weights(targets, n, options):
    """The sum of the weights of n rows, each times that of its label's class."""
    labels = pointer(targets, np.int64(0))
    total = 0.0
    for r in range(n):
        weight = label_weight(labels, r, options, 0)
        if weight != 0:
            total += weight * options.class_weights[labels[r]]
    return total
