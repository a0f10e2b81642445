"""Cross-entropies of answers that are yes or no: of logits, and of probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn.intrinsics import element, like
from fastnn.jit import force_inline_reassociated, kernel, scalar
from fastnn.kernels import vecmath
from fastnn.losses.elementwise import elementwise_loss
from fastnn.ops.arguments import Fractions, ZerosAndOnes, fraction_or_one, not_negative
from fastnn.ops.declare import declare
from fastnn.reference.logistic import sigmoid
from fastnn.reference.precision import in_float64


@scalar
def _shares(t, smoothing, weight):
    """What log(1 + exp(-y)) and log(1 + exp(y)) are multiplied by."""
    smooth = (1.0 - smoothing) * np.float64(t) + 0.5 * smoothing
    return weight * smooth, 1.0 - smooth


@scalar
def _sigmoid_cross_entropy(y, t, smoothing, weight):
    yes, no = _shares(t, smoothing, weight)
    logarithm, z = np.float64(vecmath.log1p(vecmath.exp(-abs(y)))), np.float64(y)
    of_yes = 0.0 if yes == 0 else yes * (logarithm + (-z if z < 0 else 0.0))
    of_no = 0.0 if no == 0 else no * (logarithm + (z if z > 0 else 0.0))
    return of_yes + of_no


@scalar
def _sigmoid_cross_entropy_slope(y, t, smoothing, weight):
    yes, no = _shares(t, smoothing, weight)
    e = vecmath.exp(-abs(y))
    # 1 / (1 + exp(-|y|)) and the rest of it to 1, without cancellation.
    larger = like(y, 1) / (like(y, 1) + e)
    smaller = e * larger
    p, q = (smaller, larger) if y < 0 else (larger, smaller)
    return like(y, no) * p - like(y, yes) * q


def _softplus(z):
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def _sigmoid_cross_entropy_reference(y, t, smoothing, weight):
    smooth = (1 - smoothing) * t + smoothing / 2
    yes, no = weight * smooth, 1 - smooth
    losses = np.where(yes == 0, 0, yes * _softplus(-y)) + np.where(no == 0, 0, no * _softplus(y))
    return losses, no * sigmoid(y) - yes * sigmoid(-y)


def _sigmoid_cross_entropy_magnitude(y, t, smoothing, weight):
    smooth = (1 - smoothing) * t + smoothing / 2
    yes, no = weight * smooth, 1 - smooth
    losses = np.where(yes == 0, 0, yes * _softplus(-y)) + np.where(no == 0, 0, no * _softplus(y))
    return losses, np.abs(no) * sigmoid(y) + np.abs(yes) * sigmoid(-y)


sigmoid_cross_entropy = elementwise_loss(
    "sigmoid_cross_entropy",
    formula="With p = sigmoid(y) the mean of -t log p - (1 - t) log(1 - p), as\n"
    "`torch.nn.functional.binary_cross_entropy_with_logits`,",
    gradient="(p - t)",
    value=_sigmoid_cross_entropy,
    slope=_sigmoid_cross_entropy_slope,
    reference=_sigmoid_cross_entropy_reference,
    numbers={"label_smoothing": fraction_or_one},
    defaults={"label_smoothing": 0.0},
    example={"label_smoothing": 0.125},
    flops=14,
    ulps=6,
    magnitude=_sigmoid_cross_entropy_magnitude,
    output="sigmoid",
    targets=ZerosAndOnes(),
    labels=2,
    weighs_classes=True,
    about=(
        "t : 0, 1 or a probability for each output, or integers 0 and 1. label_smoothing : s in [0, 1]; targets are\n"
        "(1 - s) t + s / 2, as in Keras. class_weight : (outputs,), the weight of t = 1 against t = 0 for each\n"
        "output, as PyTorch's pos_weight; the divisor of the mean knows nothing of it. A term whose factor is 0\n"
        "counts nothing, also where its logarithm is infinite."
    ),
)


@scalar
def _binary(p, t, eps):
    one = like(p, 1)
    yes, no = t * vecmath.log(p + eps), (one - t) * vecmath.log((one - p) + eps)
    return -(np.float64(like(p, 0) if t == 0 else yes) + np.float64(like(p, 0) if t == one else no))


@force_inline_reassociated
def _sum_of_binary(p, t, size, eps):
    total = 0.0
    for k in range(size):
        total += _binary(p[k], t[k], eps)
    return total


@kernel
def binary_cross_entropy_kernel(p, t, eps):
    """The mean of -t log(p + eps) - (1 - t) log(1 - p + eps), where a factor of 0 counts nothing."""
    total = _sum_of_binary(element(p, 0), element(t, 0), p.size, p.dtype.type(eps))
    return p.dtype.type(total / p.size)


@kernel
def binary_cross_entropy_backward_kernel(p, t, eps, dp):
    """dp ← ((1 - t) / (1 - p + eps) - t / (p + eps)) / size, where a factor of 0 counts nothing."""
    probabilities, targets, gradient, size = element(p, 0), element(t, 0), element(dp, 0), p.size
    for k in range(size):
        # In float64: a quotient may be beyond float32 where its share of the mean is not.
        a, b = np.float64(probabilities[k]), np.float64(targets[k])
        yes = 0.0 if b == 0 else b / (a + eps)
        no = 0.0 if b == 1 else (1.0 - b) / ((1.0 - a) + eps)
        gradient[k] = (no - yes) / size


@in_float64
def binary_cross_entropy_reference(p: NDArray, t: NDArray, eps: float = 0.0) -> np.floating:
    """The mean of -t log(p + eps) - (1 - t) log(1 - p + eps), where a factor of 0 counts nothing."""
    return -(np.where(t == 0, 0, t * np.log(p + eps)) + np.where(t == 1, 0, (1 - t) * np.log(1 - p + eps))).mean()


@in_float64
def binary_cross_entropy_backward_reference(p: NDArray, t: NDArray, eps: float = 0.0) -> NDArray:
    """((1 - t) / (1 - p + eps) - t / (p + eps)) / size, where a factor of 0 counts nothing."""
    return (np.where(t == 1, 0, (1 - t) / (1 - p + eps)) - np.where(t == 0, 0, t / (p + eps))) / p.size


def _binary_cross_entropy_magnitude(p: NDArray, t: NDArray, eps: float = 0.0) -> NDArray:
    # A logarithm is off by the roundings of its argument, whatever it is.
    yes, no = 1 + np.abs(np.log(p + eps)), 1 + np.abs(np.log(1 - p + eps))
    return (np.where(t == 0, 0, np.abs(t) * yes) + np.where(t == 1, 0, np.abs(1 - t) * no)).mean()


def _binary_cross_entropy_backward_magnitude(p: NDArray, t: NDArray, eps: float = 0.0) -> NDArray:
    return (np.where(t == 1, 0, np.abs(1 - t) / (1 - p + eps)) + np.where(t == 0, 0, np.abs(t) / (p + eps))) / p.size


@declare(
    "(n,o),(n,o)->()",
    "(n),(n)->()",
    kernel=binary_cross_entropy_kernel,
    reference=binary_cross_entropy_reference,
    arrays={"p": Fractions(), "t": ZerosAndOnes()},
    numbers={"eps": not_negative},
    flops=lambda size: 8 * size,
    sum_length=lambda size: size,
    ulps=4,
    magnitude=_binary_cross_entropy_magnitude,
)
def binary_cross_entropy(p: ArrayLike, t: ArrayLike, *, eps: float = 0.0) -> np.floating:
    """The mean of -t log(p + eps) - (1 - t) log(1 - p + eps), as `torch.nn.functional.binary_cross_entropy`.

    p : probabilities in [0, 1], float32 or float64, (n, outputs) or (n,). t : 0, 1 or a probability, of p's shape and
    dtype, or integers 0 and 1. eps : kept the logarithms finite in the teaching notes, which add 1e-7; 0 is exact,
    where PyTorch holds logarithms at -100 and above. Returns a number of p's dtype, summed in float64; a factor t or
    1 - t of 0 counts nothing. Raises TypeError for other dtypes, ValueError for shapes that differ or no elements.
    """


@declare(
    "(n,o),(n,o)->(n,o)",
    "(n),(n)->(n)",
    kernel=binary_cross_entropy_backward_kernel,
    reference=binary_cross_entropy_backward_reference,
    arrays={"p": Fractions(), "t": ZerosAndOnes()},
    numbers={"eps": not_negative},
    flops=lambda size: 8 * size,
    ulps=2,
    magnitude=_binary_cross_entropy_backward_magnitude,
)
def binary_cross_entropy_backward(
    p: ArrayLike, t: ArrayLike, *, eps: float = 0.0, out: NDArray | None = None
) -> NDArray:
    """The gradient of `binary_cross_entropy`: dp = ((1 - t) / (1 - p + eps) - t / (p + eps)) / size.

    Arguments as there; a factor t or 1 - t of 0 counts nothing. Returns a new array of p's shape and dtype. Raises
    TypeError for other dtypes, ValueError for shapes that differ or no elements.
    """
