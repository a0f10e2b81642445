"""Losses that are a mean over elements, generated from scalar functions of an output and its target."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from fastnn.intrinsics import element, like, pointer
from fastnn.jit import force_inline, inner_kernel, kernel, named
from fastnn.losses.item import Loss, loss
from fastnn.ops.declare import declare, stub
from fastnn.reference.precision import in_float64


def elementwise_loss(
    name: str,
    *,
    formula: str,
    gradient: str,
    value: Callable[..., Any],
    slope: Callable[..., Any],
    reference: Callable[[NDArray, NDArray], tuple[Any, NDArray]],
    flops: int,
    ulps: float,
    magnitude: Callable[..., Any],
) -> Loss:
    """Declare the mean of value(y, t) over all elements, with its public function.

    formula, gradient : of the mean and of its gradient, for the docs. value : nopython scalar function of an output y
    and its target t, in float64. slope : of it with respect to y, in the precision of y. reference : in NumPy, (y, t)
    to the mean and its gradient. flops : per element. ulps, magnitude : see `fastnn.ops.declaration`.
    """

    @force_inline
    def sum_of(y, y_row, m, columns, t, dy, dy_row, scale):
        total = 0.0
        for r in range(m):
            for c in range(columns):
                a, b = y[r * y_row + c], t[r * columns + c]
                total += value(a, b)
                dy[r * dy_row + c] = slope(a, b) * like(a, scale)
            for c in range(columns, dy_row):
                dy[r * dy_row + c] = 0
        return total

    def row_sum(z, m, columns, row, targets, dz, scale):
        t = pointer(targets, z[0])
        return sum_of(z, row, m, columns, t, dz, row, scale)

    def mean(y, t, dy):
        n = y.size
        total = sum_of(element(y, 0), n, 1, n, element(t, 0), element(dy, 0), n, 1.0 / n)
        return y.dtype.type(total / n)

    computed = in_float64(reference)
    item = loss(
        name,
        label_sum=None,
        row_sum=inner_kernel(named(f"{name}_step", row_sum)),
        output="identity",
        mean_over="elements",
        reference=computed,
    )
    about = (
        f"{formula} over all elements, and its gradient",
        "",
        f"dy = {gradient} / size. y, t : float32 or float64, of one shape. Returns (loss, dy): a number, summed in",
        "float64, and a new array, both of y's dtype. Raises TypeError for other dtypes, ValueError for shapes that",
        "differ or no elements.",
    )
    declare(
        "(n,o),(n,o)->(),(n,o)",
        "(n),(n)->(),(n)",
        kernel=kernel(named(name, mean)),
        reference=computed,
        flops=lambda size: flops * size,
        sum_length=lambda size: (size, 0),
        ulps=ulps,
        magnitude=magnitude,
    )(stub(name, ("y", "t"), about))
    return item
