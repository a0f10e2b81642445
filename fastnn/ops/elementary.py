"""The exponential function and the logarithm, element by element."""

from __future__ import annotations

from numpy.typing import ArrayLike, NDArray

from fastnn.kernels import elementary as kernels
from fastnn.ops.declare import declare
from fastnn.reference import elementary as reference


@declare(
    "()->()",
    kernel=kernels.exp,
    reference=reference.exp,
    flops=lambda size: size,
    ulps=2,
    flattens_leading=True,
    strided=True,
)
def exp(x: ArrayLike, *, out: NDArray | None = None) -> NDArray:
    """eˣ, as `numpy.exp`, at most 1.5 units in the last place off.

    x : float32 or float64 of any shape. Returns a new array of its shape and dtype. Raises TypeError for other dtypes.
    """


@declare(
    "()->()",
    kernel=kernels.log,
    reference=reference.log,
    flops=lambda size: size,
    ulps=2,
    flattens_leading=True,
    strided=True,
)
def log(x: ArrayLike, *, out: NDArray | None = None) -> NDArray:
    """The natural logarithm, as `numpy.log`, at most 1.5 units in the last place off; NaN below 0, -infinity at 0.

    x : float32 or float64 of any shape. Returns a new array of its shape and dtype. Raises TypeError for other dtypes.
    """
