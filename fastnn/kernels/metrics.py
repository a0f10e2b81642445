"""Metrics of predictions."""

from __future__ import annotations

import numpy as np

from fastnn.jit import kernel


@kernel
def argmax_rows(z, labels):
    """labels[r] ← the first column that holds the row's maximum; a NaN counts as the maximum, as in NumPy."""
    for r in range(z.shape[0]):
        best = 0
        for c in range(z.shape[1]):
            if np.isnan(z[r, c]):
                best = c
                break
            if z[r, c] > z[r, best]:
                best = c
        labels[r] = best


@kernel
def accuracy(z, t):
    """The fraction of rows whose first largest column is the label."""
    labels = np.empty_like(t)
    argmax_rows(z, labels)
    hits = 0
    for r in range(t.size):
        hits += labels[r] == t[r]
    return z.dtype.type(hits / t.size)
