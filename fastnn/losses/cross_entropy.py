"""The softmax cross-entropy of logits, and the cross-entropy of probabilities.

Targets are labels (n,) or rows (n, c), one-hot or soft. Sums are in float64.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn.intrinsics import element, lanes_of, like, offset, pointer, scale_row, sum_row
from fastnn.jit import force_inline, inner_kernel, kernel, named
from fastnn.kernels import vecmath
from fastnn.kernels.softmax import exponentiate, rows_of_block, shift_rows
from fastnn.linalg.packing import padded
from fastnn.losses.item import loss
from fastnn.ops.arguments import LabelsOrRows, Probabilities, not_negative
from fastnn.ops.declare import declare
from fastnn.reference.precision import in_float64
from fastnn.reference.softmax import log_softmax, softmax

# Three functions of the targets of row r, once for labels and once for rows of targets: the sum of the targets times
# the shifted logits (log-probabilities but for the normaliser), the sum of the targets, and dz ← dz - factor t.


@force_inline
def _label_times(shifted, t, r, classes):
    return shifted[t[r]]


@force_inline
def _label_weight(shifted, t, r, classes):
    return like(shifted[0], 1)


@force_inline
def _subtract_label(dz, t, r, classes, factor):
    dz[t[r]] -= factor


@force_inline
def _row_times(shifted, t, r, classes):
    total = 0.0
    for c in range(classes):
        if t[r * classes + c] != 0:
            total += t[r * classes + c] * shifted[c]
    return total


@force_inline
def _row_weight(shifted, t, r, classes):
    return sum_row(offset(t, r * classes), classes)


@force_inline
def _subtract_row(dz, t, r, classes, factor):
    for c in range(classes):
        dz[c] -= t[r * classes + c] * factor


def _sum_of(times: Callable, weight: Callable, subtract: Callable) -> Callable:
    @force_inline
    def sum_of(z, z_row, m, classes, block, t, dz, dz_row, scale):
        """Returns the sum of the losses of m rows z; dz ← (softmax(z) Σ t - t) scale, and 0 in its padding.

        `block` is workspace for m padded rows, and may be z if the rows of z are padded.
        """
        row = padded(classes, lanes_of(z))
        total, factor = 0.0, like(z[0], scale)
        shift_rows(z, z_row, m, classes, block, row)
        for r in range(m):
            total -= times(offset(block, r * row), t, r, classes)
        exponentiate(block, m * row)
        for r in range(m):
            exponentials, own = offset(block, r * row), offset(dz, r * dz_row)
            normaliser, mass = sum_row(exponentials, row), weight(exponentials, t, r, classes)
            total += mass * vecmath.log(normaliser)
            scale_row(exponentials, mass * (factor / normaliser), dz_row, own)
            subtract(own, t, r, classes, factor)
        return total

    return sum_of


_label_sum = _sum_of(_label_times, _label_weight, _subtract_label)
_row_sum = _sum_of(_row_times, _row_weight, _subtract_row)


def _step_label_sum(z, m, classes, row, targets, dz, scale):
    return _label_sum(z, row, m, classes, z, pointer(targets, np.int64(0)), dz, row, scale)


def _step_row_sum(z, m, classes, row, targets, dz, scale):
    return _row_sum(z, row, m, classes, z, pointer(targets, z[0]), dz, row, scale)


@kernel
def softmax_cross_entropy_kernel(z, t, dz):
    """The cross-entropy of softmax(z); dz ← its gradient (softmax(z) Σ t - t) / n."""
    n, classes = z.shape
    width = padded(classes, lanes_of(z))
    rows = rows_of_block(n, width)
    workspace = np.empty(rows * width, z.dtype)
    total = 0.0
    for first in range(0, n, rows):
        m = min(rows, n - first)
        own, dz_own = element(z, first * classes), element(dz, first * classes)
        block = element(workspace, 0)  # in the loop, so that the array lives as long
        if t.ndim == 1:
            # Labels may have any layout.
            labels = t[first : first + m]
            total += _label_sum(own, classes, m, classes, block, labels, dz_own, classes, 1.0 / n)
        else:
            total += _row_sum(own, classes, m, classes, block, element(t, first * classes), dz_own, classes, 1.0 / n)
    return z.dtype.type(total / n)


@kernel
def cross_entropy_kernel(p, t, eps):
    """-Σ t log(p + eps) / n, where a target of 0 counts nothing."""
    total = 0.0
    small = p.dtype.type(eps)
    if t.ndim == 1:
        for r in range(p.shape[0]):
            total -= vecmath.log(p[r, t[r]] + small)
    else:
        for r in range(p.shape[0]):
            for c in range(p.shape[1]):
                if t[r, c] != 0:
                    total -= t[r, c] * vecmath.log(p[r, c] + small)
    return p.dtype.type(total / p.shape[0])


def _rows(t: NDArray, classes: int) -> NDArray:
    """Labels (n,) as one-hot rows (n, c); rows stay as they are."""
    return t if t.ndim == 2 else np.eye(classes)[t]


@in_float64
def softmax_cross_entropy_reference(z: NDArray, t: NDArray) -> tuple[np.floating, NDArray]:
    """The cross-entropy of softmax(z), and its gradient (softmax(z) Σ t - t) / n."""
    targets = _rows(t, z.shape[1])
    shifted = z - z.max(axis=-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    mean = -np.where(targets == 0, 0, targets * log_p).sum() / len(z)
    return mean, (np.exp(log_p) * targets.sum(axis=-1, keepdims=True) - targets) / len(z)


@in_float64
def cross_entropy_reference(p: NDArray, t: NDArray, eps: float = 0.0) -> np.floating:
    """-Σ t log(p + eps) / n, where a target of 0 counts nothing, whatever its probability."""
    targets = _rows(t, p.shape[1])
    return -np.where(targets == 0, 0, targets * np.log(p + eps)).sum() / len(p)


def _softmax_cross_entropy_magnitude(z: NDArray, t: NDArray) -> tuple[NDArray, NDArray]:
    targets, n = np.abs(_rows(t, z.shape[1])), len(z)
    log_p = np.abs(log_softmax(z))
    mean = np.where(targets == 0, 0, targets * (1 + log_p)).sum() / n
    return mean, (softmax(z) * (1 + np.minimum(log_p, 750)) * targets.sum(axis=-1, keepdims=True) + targets) / n


def _cross_entropy_magnitude(p: NDArray, t: NDArray, eps: float = 0.0) -> NDArray:
    # log(p + eps) is off by a rounding of its argument, whatever the logarithm.
    targets = _rows(t, p.shape[1])
    return np.where(targets == 0, 0, targets * (1 + np.abs(np.log(p + eps)))).sum() / len(p)


@declare(
    "(n,c),(n)->()",
    "(n,c),(n,c)->()",
    kernel=cross_entropy_kernel,
    reference=cross_entropy_reference,
    arrays={"p": Probabilities(), "t": LabelsOrRows()},
    numbers={"eps": not_negative},
    flops=lambda n, c: 3 * n,
    sum_length=lambda c: c,
    ulps=3,
    magnitude=_cross_entropy_magnitude,
    strided=True,
)
def cross_entropy(p: ArrayLike, t: ArrayLike, *, eps: float = 0.0) -> np.floating:
    """-Σ t log(p + eps) / n: the mean cross-entropy of probabilities.

    p : probabilities, float32 or float64. t : integer labels (n,), or rows (n, c) of p's dtype, one-hot or soft; a
    target of 0 counts nothing, whatever its probability. eps : kept the logarithm finite in the teaching notes, which
    add 1e-7; 0 is exact. Returns a number of p's dtype, summed in float64. Raises TypeError for other dtypes,
    ValueError for shapes that do not fit, no rows, or labels outside 0..c-1.
    """


@declare(
    "(n,c),(n)->(),(n,c)",
    "(n,c),(n,c)->(),(n,c)",
    kernel=softmax_cross_entropy_kernel,
    reference=softmax_cross_entropy_reference,
    arrays={"t": LabelsOrRows()},
    flops=lambda n, c: 7 * n * c,
    sum_length=lambda c: c,
    ulps=5,
    magnitude=_softmax_cross_entropy_magnitude,
)
def softmax_cross_entropy(z: ArrayLike, t: ArrayLike, *, out: NDArray | None = None) -> tuple[np.floating, NDArray]:
    """The mean cross-entropy of softmax(z) and its gradient, as `torch.nn.functional.cross_entropy`.

    loss = -Σ t log softmax(z) / n; dz = (softmax(z) Σ t - t) / n. z : logits, float32 or float64. t : integer labels
    (n,), or rows (n, c) of z's dtype, one-hot or soft. Returns (loss, dz): a number, summed in float64, and a new
    array, both of z's dtype. Raises TypeError for other dtypes, ValueError for shapes that do not fit, no rows, or
    labels outside 0..c-1.
    """


loss(
    "softmax_cross_entropy",
    label_sum=inner_kernel(named("softmax_cross_entropy_step_labels", _step_label_sum)),
    row_sum=inner_kernel(named("softmax_cross_entropy_step_rows", _step_row_sum)),
    output="softmax",
    mean_over="rows",
    reference=softmax_cross_entropy_reference,
)
