"""Every declared kernel against its reference; and proof that a wrong kernel would be seen."""

from __future__ import annotations

import numpy as np
import pytest

import fastnn
from fastnn.ops import DECLARED
from fastnn.ops.verify import comparisons


@pytest.mark.parametrize("name", DECLARED)
def test_kernel_equals_reference(name: str, dtype: str) -> None:
    for found in comparisons(DECLARED[name], dtype):
        assert found.error_ratio <= 1, f"{name}: {found}"


def _without_bias(x, w, b):
    return x @ w


def _bias_gradient_of_one_row(dy, x, w):
    return dy @ w.T, x.T @ dy, dy[-1]


def _softmax_without_maximum(z):
    with np.errstate(all="ignore"):
        e = np.exp(z)
        return e / e.sum(axis=-1, keepdims=True)


def _gradient_of_the_sum(z, t):
    loss, dz = fastnn.softmax_cross_entropy.reference(z, t)
    return loss, dz * z.dtype.type(len(z))


def _adam_without_correction(w, g, m, v, *, step, **numbers):
    fastnn.adam_update.reference(w, g, m, v, step=10**9, **numbers)


def _times(x, factor):
    return x * x.dtype.type(factor)


def _absolute_error_that_slopes_at_zero(y, t):
    return fastnn.mean_absolute_error.reference(y, t)[0], np.where(y >= t, 1, -1).astype(y.dtype) / y.dtype.type(y.size)


def _log_cosh_that_overflows(y, t):
    return y.dtype.type(np.log(np.cosh(y - t)).mean()), fastnn.log_cosh.reference(y, t)[1]


def _squared_hinge_without_two(y, t):
    loss, dy = fastnn.squared_hinge.reference(y, t)
    return loss, dy / dy.dtype.type(2)


WRONG = {
    "hard_sigmoid": lambda x: np.clip(_times(x, 0.2) + x.dtype.type(0.5), 0, 1),  # as Keras once had it
    "hard_sigmoid_backward": lambda dy, y: _times(dy, 1 / 6),
    "relu6_backward": lambda dy, y: np.where(y <= 0, y.dtype.type(0), dy),
    "leaky_relu": lambda x, negative_slope: fastnn.leaky_relu.reference(x),  # the default whatever is given
    "elu_backward": lambda dy, y, alpha: fastnn.elu_backward.reference(dy, y, alpha=1.0),
    "selu": lambda x: fastnn.elu.reference(x, alpha=1.6732632),
    "celu": lambda x, alpha: fastnn.elu.reference(x, alpha=alpha),
    "gelu": lambda x: fastnn.gelu_tanh.reference(x),
    "gelu_tanh_backward": lambda dy, x: fastnn.gelu_backward.reference(dy, x),
    "silu_backward": lambda dy, x: dy * fastnn.sigmoid.reference(x),
    "hard_swish_backward": lambda dy, x: np.where((x > -3) & (x < 3), dy * (x / 3 + x.dtype.type(0.5)), 0),
    "softplus": lambda x, beta: fastnn.softplus.reference(x),
    "softsign_backward": lambda dy, y: dy * (1 - abs(y)),
    "mish_backward": lambda dy, x: fastnn.silu_backward.reference(dy, x),
    "affine_forward": _without_bias,
    "affine_backward": _bias_gradient_of_one_row,
    "softmax": _softmax_without_maximum,
    "softmax_cross_entropy": _gradient_of_the_sum,
    "adam_update": _adam_without_correction,
    "relu": lambda x: np.where(x < 0, x * x.dtype.type(0.01), x),
    "relu_backward": lambda dy, y: np.where(y < 0, y.dtype.type(0), dy),
    "sigmoid_backward": lambda dy, y: dy * y * (1 + y),
    "tanh_backward": lambda dy, y: dy * (1 - y),
    "softmax_backward": lambda dp, p: p * (dp + (dp * p).sum(axis=-1, keepdims=True)),
    "log_softmax_backward": lambda dlp, lp: dlp + np.exp(lp) * dlp.sum(axis=-1, keepdims=True),
    "cross_entropy": lambda p, t: -fastnn.cross_entropy.reference(p, t),
    "mean_squared_error": lambda y, t: fastnn.half_squared_error.reference(y, t),
    "half_squared_error": lambda y, t: fastnn.sum_squared_error.reference(y, t),
    "sum_squared_error": lambda y, t: fastnn.sum_squared_error.reference(y, t, reduction="sum"),
    "root_mean_squared_error": lambda y, t: fastnn.mean_squared_error.reference(y, t),
    "mean_absolute_error": _absolute_error_that_slopes_at_zero,
    "huber": lambda y, t, delta: fastnn.huber.reference(y, t, delta=1.0),
    "log_cosh": _log_cosh_that_overflows,
    "hinge": lambda y, t: ((1 - t * y).mean(), -t / t.dtype.type(t.size)),
    "squared_hinge": _squared_hinge_without_two,
    "poisson": lambda y, t: (fastnn.poisson.reference(y, t)[0], fastnn.poisson.reference(y, t * 0)[1]),
    "kl_divergence": lambda z, t: fastnn.softmax_cross_entropy.reference(z, t),
    "sigmoid_cross_entropy": lambda y, t, label_smoothing: fastnn.sigmoid_cross_entropy.reference(y, t),
    "binary_cross_entropy": lambda p, t: fastnn.binary_cross_entropy.reference(1 - p, t),
    "cross_entropy_backward": lambda p, t: fastnn.cross_entropy_backward.reference(p, t) * p.dtype.type(len(p)),
    "accuracy": lambda z, t: z.dtype.type((z.argmin(axis=1) == t).mean()),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_kernel_is_seen(name: str, dtype: str) -> None:
    class Wrong:
        declaration = DECLARED[name].declaration

        def __call__(self, *arrays, **numbers):
            return WRONG[name](*arrays, **numbers)

    with np.errstate(all="ignore"):
        assert max(found.error_ratio for found in comparisons(Wrong(), dtype)) > 1


@pytest.mark.parametrize("name", sorted(n for n, f in DECLARED.items() if "backward" in n))
def test_swapped_sign_is_seen(name: str, dtype: str) -> None:
    class Swapped:
        declaration = DECLARED[name].declaration

        def __call__(self, *arrays, **numbers):
            results = DECLARED[name](*arrays, **numbers)
            return tuple(-r for r in results) if isinstance(results, tuple) else -results

    assert max(found.error_ratio for found in comparisons(Swapped(), dtype)) > 1
