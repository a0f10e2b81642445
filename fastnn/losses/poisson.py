"""The loss of counts, whose logarithmic rates a net gives."""

from __future__ import annotations

import numpy as np

from fastnn.jit import scalar
from fastnn.kernels import vecmath
from fastnn.losses.elementwise import elementwise_loss
from fastnn.ops.arguments import NotNegative

# In float64 also for float32: exp(y) may be beyond float32 where the mean, or the gradient, is not.


@scalar
def _poisson(y, t):
    z = np.float64(y)
    return vecmath.exp(z) - np.float64(t) * z


@scalar
def _poisson_slope(y, t):
    return vecmath.exp(np.float64(y)) - np.float64(t)


poisson = elementwise_loss(
    "poisson",
    formula="The mean of exp(y) - t y, as `torch.nn.functional.poisson_nll_loss` with log_input,",
    gradient="(exp(y) - t)",
    value=_poisson,
    slope=_poisson_slope,
    reference=lambda y, t: (np.exp(y) - t * y, np.exp(y) - t),
    flops=4,
    ulps=4,
    magnitude=lambda y, t: (np.exp(y) + np.abs(t * y), np.exp(y) + np.abs(t)),
    output="exp",
    targets=NotNegative(),
)
