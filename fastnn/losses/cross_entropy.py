"""The softmax cross-entropy of logits, and the cross-entropy of probabilities.

Targets are labels (n,) or rows (n, c), one-hot or soft. Sums are in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn.intrinsics import element, lanes_of, like, offset, pointer, scale_row, sum_row
from fastnn.jit import force_inline, inner_kernel, kernel, named
from fastnn.kernels import vecmath
from fastnn.kernels.softmax import exponentiate, rows_of_block, shift_rows
from fastnn.linalg.packing import padded
from fastnn.losses.item import loss
from fastnn.losses.options import options_of, parameters_of, with_parameters
from fastnn.losses.reduction import reduced, weights_of
from fastnn.losses.weights import label_weight, row_weight
from fastnn.ops.arguments import LabelsOrRows, Probabilities, fraction_or_one, not_negative
from fastnn.ops.declare import declare
from fastnn.reference.precision import in_float64
from fastnn.reference.softmax import log_softmax, softmax
from fastnn.step.plan import loss_of

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
def row_weight_of(shifted, t, r, classes):
    return sum_row(offset(t, r * classes), classes)


@force_inline
def subtract_row_of(dz, t, r, classes, factor):
    for c in range(classes):
        dz[c] -= t[r * classes + c] * factor


def sum_of(times: Callable, weight: Callable, subtract: Callable) -> Callable:
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
            # Targets of zero count nothing, whatever the logits.
            total += mass * vecmath.log(normaliser) if mass != 0 else 0.0
            scale_row(exponentials, mass * (factor / normaliser), dz_row, own)
            subtract(own, t, r, classes, factor)
        return total

    return sum_of


_label_sum = sum_of(_label_times, _label_weight, _subtract_label)
_row_sum = sum_of(_row_times, row_weight_of, subtract_row_of)


def _step_label_sum(z, m, classes, row, targets, dz, scale, options, first):
    return _label_sum(z, row, m, classes, z, pointer(targets, np.int64(0)), dz, row, scale)


def _step_row_sum(z, m, classes, row, targets, dz, scale, options, first):
    return _row_sum(z, row, m, classes, z, pointer(targets, z[0]), dz, row, scale)


# With options each target is smoothed, and multiplied by the weight of its class: what is left is a row of targets.


@force_inline
def _label_target(t, r, c, classes, options):
    smoothing = options.numbers[0]
    of_label = 1.0 - smoothing if t[r] == c else 0.0
    return options.class_weights[c] * (of_label + smoothing / classes)


@force_inline
def _row_target(t, r, c, classes, options):
    smoothing = options.numbers[0]
    return options.class_weights[c] * ((1.0 - smoothing) * t[r * classes + c] + smoothing / classes)


def weighted_sum_of(target: Callable, row_weight: Callable, from_targets: Callable) -> Callable:
    """The sum of the losses of m rows with weights.

    target : (t, r, c, classes, options) to the target of class c in row r. row_weight : (t, r, options, first) to the
    weight of row r. from_targets : of a target, what its loss is times it beside the negative log-probability.
    """

    @force_inline
    def sum_of(z, z_row, m, classes, block, t, dz, dz_row, scale, options, first):
        row = padded(classes, lanes_of(z))
        total = 0.0
        shift_rows(z, z_row, m, classes, block, row)
        for r in range(m):
            weight, shifted = row_weight(t, r, options, first), offset(block, r * row)
            if weight != 0:
                for c in range(classes):
                    share = target(t, r, c, classes, options)
                    if share != 0:
                        total += weight * share * (from_targets(share) - shifted[c])
        exponentiate(block, m * row)
        for r in range(m):
            exponentials, own = offset(block, r * row), offset(dz, r * dz_row)
            weight = row_weight(t, r, options, first)
            if weight == 0:
                for c in range(dz_row):
                    own[c] = 0
                continue
            mass = 0.0
            for c in range(classes):
                mass += target(t, r, c, classes, options)
            normaliser = sum_row(exponentials, row)
            total += weight * mass * vecmath.log(normaliser) if mass != 0 else 0.0
            scale_row(exponentials, like(z[0], weight * mass * scale / normaliser), dz_row, own)
            for c in range(classes):
                own[c] -= like(z[0], weight * scale * target(t, r, c, classes, options))
        return total

    return sum_of


@force_inline
def _nothing(target):
    return 0.0


_weighted_label_sum = weighted_sum_of(_label_target, label_weight, _nothing)
_weighted_row_sum = weighted_sum_of(_row_target, row_weight, _nothing)


def _weighted_step_label_sum(z, m, classes, row, targets, dz, scale, options, first):
    return _weighted_label_sum(z, row, m, classes, z, pointer(targets, np.int64(0)), dz, row, scale, options, first)


def _weighted_step_row_sum(z, m, classes, row, targets, dz, scale, options, first):
    return _weighted_row_sum(z, row, m, classes, z, pointer(targets, z[0]), dz, row, scale, options, first)


def row_kernels(name: str, sums: tuple[Callable, Callable], weighted: tuple[Callable, Callable]) -> tuple[Any, Any]:
    """The kernels of a public function, without options and with them.

    sums : for labels and for rows of targets, as `sum_of` makes them; weighted : as `weighted_sum_of` does.
    """
    (label_sum, row_sum), (weighted_label_sum, weighted_row_sum) = sums, weighted

    def mean(z, t, dz):
        """The mean of the losses of the rows; dz ← its gradient."""
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
                total += label_sum(own, classes, m, classes, block, labels, dz_own, classes, 1.0 / n)
            else:
                targets = element(t, first * classes)
                total += row_sum(own, classes, m, classes, block, targets, dz_own, classes, 1.0 / n)
        return z.dtype.type(total / n)

    def with_options(z, t, address, scale, losses, dz):
        """losses (n, 1) ← the weighted loss of each row; dz ← the gradient of their sum, times the scale."""
        n, classes = z.shape
        options = loss_of(address, 0, z.dtype.type(0))
        workspace = np.empty(padded(classes, lanes_of(z)), z.dtype)
        for r in range(n):
            own, dz_own = element(z, r * classes), element(dz, r * classes)
            block = element(workspace, 0)  # in the loop, so that the array lives as long
            # As a block of one row, which is the r-th of the batch.
            if t.ndim == 1:
                losses[r, 0] = weighted_label_sum(
                    own, classes, 1, classes, block, element(t, r), dz_own, classes, scale, options, r
                )
            else:
                losses[r, 0] = weighted_row_sum(
                    own, classes, 1, classes, block, element(t, r * classes), dz_own, classes, scale, options, r
                )

    return kernel(named(f"{name}_kernel", mean)), kernel(named(f"{name}_with_options_kernel", with_options))


softmax_cross_entropy_kernel, softmax_cross_entropy_with_options_kernel = row_kernels(
    "softmax_cross_entropy", (_label_sum, _row_sum), (_weighted_label_sum, _weighted_row_sum)
)


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


@kernel
def cross_entropy_backward_kernel(p, t, eps, dp):
    """dp ← -t / (p + eps) / n, where a target of 0 has no gradient."""
    n, classes = p.shape
    # In float64: a quotient may be beyond float32 where its share of the mean is not.
    if t.ndim == 1:
        for r in range(n):
            for c in range(classes):
                dp[r, c] = 0
            dp[r, t[r]] = -(1.0 / (np.float64(p[r, t[r]]) + eps)) / n
    else:
        for r in range(n):
            for c in range(classes):
                quotient = np.float64(t[r, c]) / (np.float64(p[r, c]) + eps)
                dp[r, c] = 0.0 if t[r, c] == 0 else -quotient / n


def _rows(t: NDArray, classes: int) -> NDArray:
    """Labels (n,) as one-hot rows (n, c); rows stay as they are."""
    return t if t.ndim == 2 else np.eye(classes)[t]


def softmax_terms(
    of: Callable[[NDArray, NDArray], tuple[NDArray, NDArray]], smoothed: bool, options: Collection[str]
) -> Callable[..., tuple[Any, NDArray]]:
    """The loss and its gradient in NumPy.

    of : logits and rows of targets to the losses of rows, and their slopes. smoothed : whether `label_smoothing` is a
    number of the loss. options : those that it takes.
    """

    def terms(
        z: NDArray, t: NDArray, label_smoothing: float = 0.0, *, class_weight: Any = None, sample_weight: Any = None,
        ignore_label: int | None = None, reduction: str = "mean",
    ) -> tuple[Any, NDArray]:  # fmt: skip
        n, classes = z.shape
        by_class = np.ones(classes) if class_weight is None else np.asarray(class_weight, np.float64)
        weights = weights_of(sample_weight, n)
        counted = weights
        if t.ndim == 1:
            kept = np.ones(n, bool) if ignore_label is None else t != ignore_label
            t = np.where(kept, t, 0)
            weights = np.where(kept, weights, 0)
            counted = weights * by_class[t]
        targets = by_class * ((1 - label_smoothing) * _rows(t, classes) + label_smoothing / classes)
        losses, slopes = of(z, targets)
        found, moved = reduced(losses[:, np.newaxis], slopes, weights, counted, reduction)
        return found[:, 0] if reduction == "none" else found, moved

    numbers = {"label_smoothing": 0.0} if smoothed else {}
    return with_parameters(terms, ("z", "t"), parameters_of(numbers, numbers, options), of.__module__)


def _softmax_cross_entropy_of(z: NDArray, targets: NDArray) -> tuple[NDArray, NDArray]:
    shifted = z - z.max(axis=-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    losses = -np.where(targets == 0, 0, targets * log_p).sum(axis=-1)
    return losses, np.exp(log_p) * targets.sum(axis=-1, keepdims=True) - targets


def _softmax_cross_entropy_magnitude_of(z: NDArray, targets: NDArray) -> tuple[NDArray, NDArray]:
    log_p, targets = np.abs(log_softmax(z)), np.abs(targets)
    losses = np.where(targets == 0, 0, targets * (1 + log_p)).sum(axis=-1)
    return losses, softmax(z) * (1 + np.minimum(log_p, 750)) * targets.sum(axis=-1, keepdims=True) + targets


_OPTIONS = ("class_weight", "sample_weight", "ignore_label", "reduction")

softmax_cross_entropy_reference = in_float64(softmax_terms(_softmax_cross_entropy_of, True, _OPTIONS))
_softmax_cross_entropy_magnitude = softmax_terms(_softmax_cross_entropy_magnitude_of, True, _OPTIONS)


@in_float64
def cross_entropy_reference(p: NDArray, t: NDArray, eps: float = 0.0) -> np.floating:
    """-Σ t log(p + eps) / n, where a target of 0 counts nothing, whatever its probability."""
    targets = _rows(t, p.shape[1])
    return -np.where(targets == 0, 0, targets * np.log(p + eps)).sum() / len(p)


@in_float64
def cross_entropy_backward_reference(p: NDArray, t: NDArray, eps: float = 0.0) -> NDArray:
    """-t / (p + eps) / n, where a target of 0 has no gradient, whatever its probability."""
    targets = _rows(t, p.shape[1])
    return -np.where(targets == 0, 0, targets / (p + eps)) / len(p)


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
    "(n,c),(n)->(n,c)",
    "(n,c),(n,c)->(n,c)",
    kernel=cross_entropy_backward_kernel,
    reference=cross_entropy_backward_reference,
    arrays={"p": Probabilities(), "t": LabelsOrRows()},
    numbers={"eps": not_negative},
    flops=lambda n, c: 3 * n * c,
    ulps=2,
    strided=True,
)
def cross_entropy_backward(p: ArrayLike, t: ArrayLike, *, eps: float = 0.0, out: NDArray | None = None) -> NDArray:
    """The gradient of `cross_entropy`: dp = -t / (p + eps) / n.

    Arguments as there; a target of 0 has the gradient 0, whatever its probability. Returns a new array of p's shape and
    dtype. Raises TypeError for other dtypes, ValueError for shapes that do not fit, no rows, or labels outside 0..c-1.
    """


softmax_cross_entropy_item = loss(
    "softmax_cross_entropy",
    label_sum=inner_kernel(named("softmax_cross_entropy_step_labels", _step_label_sum)),
    row_sum=inner_kernel(named("softmax_cross_entropy_step_rows", _step_row_sum)),
    weighted_label_sum=inner_kernel(named("softmax_cross_entropy_weighted_step_labels", _weighted_step_label_sum)),
    weighted_row_sum=inner_kernel(named("softmax_cross_entropy_weighted_step_rows", _weighted_step_row_sum)),
    output="softmax",
    mean_over="rows",
    reference=softmax_cross_entropy_reference,
    numbers={"label_smoothing": fraction_or_one},
    defaults={"label_smoothing": 0.0},
    plain_takes_numbers=False,
    options=_OPTIONS,
    weighs_labels=True,
    targets=LabelsOrRows(),
    magnitude=_softmax_cross_entropy_magnitude,
)


@declare(
    "(n,c),(n)->(),(n,c)",
    "(n,c),(n,c)->(),(n,c)",
    kernel=softmax_cross_entropy_kernel,
    reference=softmax_cross_entropy_reference,
    arrays={"t": softmax_cross_entropy_item.targets},
    flops=lambda n, c: 7 * n * c,
    sum_length=lambda c: c,
    ulps=5,
    magnitude=_softmax_cross_entropy_magnitude,
    options=options_of(softmax_cross_entropy_item, softmax_cross_entropy_with_options_kernel),
)
def softmax_cross_entropy(
    z: ArrayLike,
    t: ArrayLike,
    *,
    label_smoothing: float = 0.0,
    class_weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    ignore_label: int | None = None,
    reduction: str = "mean",
    out: NDArray | None = None,
) -> tuple[np.floating, NDArray]:
    """The mean cross-entropy of softmax(z) and its gradient, as `torch.nn.functional.cross_entropy`.

    loss = -Σ t' log softmax(z) / divisor; dz = (softmax(z) Σ t' - t') / divisor, where t' are the targets after the
    options, and the divisor is n without any. z : logits, float32 or float64. t : integer labels (n,), or rows (n, c)
    of z's dtype, one-hot or soft. Returns (loss, dz): a number, summed in float64, and a new array, both of z's dtype.

    label_smoothing : s in [0, 1]; targets are (1 - s) t + s / c. class_weight : (c,), by which targets are multiplied
    then. sample_weight : (n,), by which the losses of rows are: a row of weight 2 counts as two.
    ignore_label : rows with this label, which need not be one of a class, count nothing. reduction : "mean", "sum", or
    "none" for the losses (n,) of the rows, with the gradient of their sum. The divisor of the mean is the sum of the
    weights of samples, for labels each times the weight of the label's class; of rows that count. Where it is 0, the
    loss is NaN and the gradient 0. Weights are finite and at least 0; a row of weight 0 counts nothing, whatever its
    logits.

    Raises TypeError for other dtypes, ValueError for shapes that do not fit, no rows, labels outside 0..c-1 but for
    `ignore_label`, or options out of range.
    """
