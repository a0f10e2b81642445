"""One-hot encoding of labels, and the check of their range."""

from __future__ import annotations

from fastnn.jit import force_inline, kernel


@kernel
def one_hot(t, rows):
    """rows (n, classes) ← 1 in column t[r] of row r, and 0 elsewhere."""
    for r in range(rows.shape[0]):
        for c in range(rows.shape[1]):
            rows[r, c] = 0
        rows[r, t[r]] = 1


@force_inline
def first_label_out_of_range(labels, n, classes, ignores, ignored):
    """The position of the first of n labels outside [0, classes), or -1. `labels` is an address or an array.

    If `ignores`, the label `ignored` passes too.
    """
    wrong = 0
    for k in range(n):  # without `break`, so that the loop vectorises
        wrong |= (labels[k] < 0) | (labels[k] >= classes)
    if not wrong:
        return -1
    for k in range(n):
        if (labels[k] < 0 or labels[k] >= classes) and not (ignores and labels[k] == ignored):
            return k
    return -1


@kernel
def first_out_of_range(labels, classes):
    """The position of the first label outside [0, classes), or -1."""
    return first_label_out_of_range(labels, labels.size, classes, False, 0)
