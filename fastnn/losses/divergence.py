"""The Kullback-Leibler divergence of the softmax of logits from rows of probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn.intrinsics import pointer
from fastnn.jit import force_inline, inner_kernel, named
from fastnn.kernels import vecmath
from fastnn.losses.cross_entropy import (
    row_kernels,
    row_weight_of,
    softmax_terms,
    subtract_row_of,
    sum_of,
    weighted_sum_of,
)
from fastnn.losses.item import loss
from fastnn.losses.options import options_of
from fastnn.losses.weights import row_weight
from fastnn.ops.arguments import Probabilities
from fastnn.ops.declare import declare
from fastnn.reference.precision import in_float64
from fastnn.reference.softmax import log_softmax, softmax

# The divergence is the cross-entropy without that of the targets themselves, and so has the same gradient.


@force_inline
def _row_times(shifted, t, r, classes):
    total = 0.0
    for c in range(classes):
        target = t[r * classes + c]
        if target != 0:
            total += target * (shifted[c] - vecmath.log(target))
    return total


@force_inline
def _target(t, r, c, classes, options):
    return t[r * classes + c]


_row_sum = sum_of(_row_times, row_weight_of, subtract_row_of)
_weighted_row_sum = weighted_sum_of(_target, row_weight, vecmath.log)


def _step_row_sum(z, m, classes, row, targets, dz, scale, options, first):
    return _row_sum(z, row, m, classes, z, pointer(targets, z[0]), dz, row, scale)


def _weighted_step_row_sum(z, m, classes, row, targets, dz, scale, options, first):
    return _weighted_row_sum(z, row, m, classes, z, pointer(targets, z[0]), dz, row, scale, options, first)


# There are no labels here.
kl_divergence_kernel, kl_divergence_with_options_kernel = row_kernels(
    "kl_divergence", (_row_sum, _row_sum), (_weighted_row_sum, _weighted_row_sum)
)


def _kl_divergence_of(z: NDArray, targets: NDArray) -> tuple[NDArray, NDArray]:
    shifted = z - z.max(axis=-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    losses = np.where(targets == 0, 0, targets * (np.log(targets) - log_p)).sum(axis=-1)
    return losses, np.exp(log_p) * targets.sum(axis=-1, keepdims=True) - targets


def _kl_divergence_magnitude_of(z: NDArray, targets: NDArray) -> tuple[NDArray, NDArray]:
    log_p = np.abs(log_softmax(z))
    losses = np.where(targets == 0, 0, targets * (1 + log_p + np.abs(np.log(targets)))).sum(axis=-1)
    return losses, softmax(z) * (1 + np.minimum(log_p, 750)) * targets.sum(axis=-1, keepdims=True) + targets


_OPTIONS = ("sample_weight", "reduction")
_reference = in_float64(softmax_terms(_kl_divergence_of, False, _OPTIONS))
_magnitude = softmax_terms(_kl_divergence_magnitude_of, False, _OPTIONS)

kl_divergence_item = loss(
    "kl_divergence",
    label_sum=None,
    row_sum=inner_kernel(named("kl_divergence_step", _step_row_sum)),
    weighted_row_sum=inner_kernel(named("kl_divergence_weighted_step", _weighted_step_row_sum)),
    output="softmax",
    mean_over="rows",
    reference=_reference,
    options=_OPTIONS,
    targets=Probabilities(),
    magnitude=_magnitude,
)


@declare(
    "(n,c),(n,c)->(),(n,c)",
    kernel=kl_divergence_kernel,
    reference=_reference,
    arrays={"t": kl_divergence_item.targets},
    flops=lambda n, c: 9 * n * c,
    sum_length=lambda c: c,
    ulps=5,
    magnitude=_magnitude,
    options=options_of(kl_divergence_item, kl_divergence_with_options_kernel),
)
def kl_divergence(
    z: ArrayLike,
    t: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    reduction: str = "mean",
    out: NDArray | None = None,
) -> tuple[np.floating, NDArray]:
    """The mean divergence of softmax(z) from the probabilities t, and its gradient, as
    `torch.nn.functional.kl_div(log_softmax(z), t, reduction="batchmean")`.

    loss = Σ t (log t - log softmax(z)) / n, where a target of 0 counts nothing; dz = (softmax(z) Σ t - t) / n.
    z : logits, float32 or float64, (n, c). t : rows of probabilities, of z's shape and dtype. Returns (loss, dz): a
    number, summed in float64, and a new array, both of z's dtype.

    sample_weight : (n,), finite, of at least 0: a row of weight 2 counts as two, also in the mean. reduction : "mean",
    "sum", or "none" for the losses (n,) of the rows, with the gradient of their sum. Raises TypeError for other dtypes;
    ValueError for shapes that differ, no rows, and options out of range.
    """
