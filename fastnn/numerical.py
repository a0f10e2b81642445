"""The numerical tools of the teaching notes: central differences, gradients by them, and gradient descent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn import scalar_checks
from fastnn.ops import checks

_FLOAT64 = np.dtype(np.float64)

_H = 1e-4


def numerical_diff(f: Callable[[float], Any], x: float, h: float = _H) -> float:
    """The derivative of a function of one number by central differences: (f(x + h) - f(x - h)) / 2h.

    f : from a float to a number. x : a finite number. h : above 0; it is rounded so that float64 has x + h and x - h.
    The result is off by about h² f'''/6, and by eps |f| / h because f is rounded: 2e-9 f''' and 2e-12 |f| with
    h = 1e-4. Where f is computed in float32 the latter is 1e-3 |f|: there h = 1e-2 is better.

    Raises TypeError for what is no number or no function, ValueError for an h that is not above 0, or so small that it
    is lost beside x.
    """
    _function("f", f)
    lower, upper = _points(_finite("x", x), _positive("h", h), _FLOAT64)
    return (_value(f, upper) - _value(f, lower)) / (upper - lower)


def numerical_gradient(f: Callable[[NDArray], Any], x: ArrayLike, h: float = _H) -> NDArray:
    """The gradient of a scalar function of an array, by central differences of one element after the other.

    f : from a float64 array of the shape of x to a number. While f is called, x itself holds the same numbers, so that
    f may read them there: the loss of a net, whose weights are x. But f must use its argument where x is of integers,
    read-only, or a list. x is afterwards as it was, also if f raises. h : as in `numerical_diff`, rounded so that the
    dtype of x has x + h and x - h.

    Returns an array of the shape of x: of its dtype, or float64 where x is of integers. Differences are taken in
    float64. A float32 x costs no digits where f uses its argument; where f reads x itself and computes in float32, give
    a larger h, such as 1e-2.

    Raises TypeError if x is not of real numbers or f not a function that returns a number, ValueError if f returns an
    array of several, for an x that is not finite, and for an h that is not above 0, or so small that it is lost beside
    an element of x.
    """
    _function("f", f)
    step, given = _positive("h", h), _real_array("x", x)
    written = given.dtype.kind == "f" and given.flags.writeable
    dtype = given.dtype if given.dtype.kind == "f" else _FLOAT64
    start = given.copy()
    point = given if written and dtype == _FLOAT64 else given.astype(_FLOAT64)
    seen = (point, given) if written else (point,)
    gradient = np.empty(given.shape, dtype)

    def value_at(k: tuple[int, ...], moved: float) -> float:
        for array in seen:
            array[k] = moved
        value = _value(f, point)
        for array in seen:
            array[k] = start[k]
        return value

    try:
        for k in np.ndindex(given.shape):
            lower, upper = _points(float(start[k]), step, dtype)
            gradient[k] = (value_at(k, upper) - value_at(k, lower)) / (upper - lower)
    finally:
        if written:
            given[...] = start
    return gradient


class Descent(NamedTuple):
    """The end point of a descent, and the path (steps + 1, ...) to it, both ends included."""

    x: NDArray
    path: NDArray


def gradient_descent(
    f: Callable[[NDArray], Any],
    x0: ArrayLike,
    lr: float = 0.1,
    steps: int = 100,
    *,
    gradient: Callable[[NDArray], ArrayLike] | None = None,
) -> Descent:
    """Minimise a scalar function of an array from x0: `steps` times x ← x - lr gradient(x).

    f : from a float64 array of the shape of x0 to a number. lr : at least 0. gradient : of f, from such an array to
    another; without it f's `numerical_gradient`, with h = 1e-4, or 6e-6 of the largest |x| where that is more.

    Returns a named tuple (x, path): the end point, and all points from x0 to x in their order, (steps + 1, ...); both
    float64. x0 stays as it is. So `x, path = gradient_descent(f, x0)`, and `plt.plot(*path.T)` for points in the plane.

    Raises TypeError or ValueError as `numerical_gradient` does, for a gradient of another shape than x0, and for lr
    where x is no longer finite.
    """
    _function("f", f)
    if gradient is not None:
        _function("gradient", gradient)
    rate, count = scalar_checks.number("lr", lr, 0), scalar_checks.count("steps", steps, 0)
    start = _real_array("x0", x0).astype(_FLOAT64)
    path = np.empty((count + 1, *start.shape))
    path[0] = start
    for k in range(count):
        # A copy: what the functions keep of it stays as it was.
        x = np.array(path[k])
        path[k + 1] = x - rate * (_gradient_of(f, x) if gradient is None else _given_gradient(gradient, x))
        if not np.isfinite(path[k + 1]).all():
            raise ValueError(f"lr: got {lr!r}, with which x is not finite after {k + 1} steps, expected a smaller one")
    return Descent(np.array(path[-1]), path)


def _gradient_of(f: Callable[[NDArray], Any], x: NDArray) -> NDArray:
    # A descent with too large a step reaches points beside which 1e-4 is lost. The cube root of eps is the part of x at
    # which truncation and rounding are about equal.
    return numerical_gradient(f, x, max(_H, float(np.cbrt(np.finfo(_FLOAT64).eps) * np.abs(x).max(initial=0))))


def _given_gradient(gradient: Callable[[NDArray], ArrayLike], x: NDArray) -> NDArray:
    found = checks.converted("gradient", gradient(x), _FLOAT64)
    if found.shape != x.shape:
        raise ValueError(f"gradient: returned an array of shape {found.shape}, expected {x.shape}, that of x0")
    return found


def _points(x: float, h: float, dtype: np.dtype) -> tuple[float, float]:
    """x - h and x + h, with h rounded so that `dtype` has both."""
    # The one further from zero is rounded: what lies as far on the other side of x has no more digits than that.
    with np.errstate(over="ignore"):
        away = float(dtype.type(x + np.copysign(h, x)))
    toward = x - (away - x)
    if away == x or not np.isfinite(away):
        raise ValueError(f"h: got {h:g}, which is lost beside {x:g} in {dtype}, expected a larger one")
    return min(away, toward), max(away, toward)


def _value(f: Callable[[Any], Any], x: Any) -> float:
    value = f(x)
    if isinstance(value, np.ndarray):
        if value.ndim > 0:
            raise ValueError(f"f: returned an array of shape {value.shape}, expected a number, such as their sum")
        value = value[()]
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"f: returned {value!r}, expected a number")
    return float(value)


def _function(name: str, value: Any) -> None:
    if not callable(value):
        raise TypeError(f"{name}: got {value!r}, expected a function")


def _positive(name: str, value: Any) -> float:
    real = scalar_checks.number(name, value, 0)
    if real == 0:
        raise ValueError(f"{name}: got {value!r}, expected a number above 0")
    return real


def _finite(name: str, value: Any) -> float:
    if isinstance(value, np.ndarray) and value.ndim > 0:
        raise TypeError(f"{name}: got an array of shape {value.shape}, expected a number; use numerical_gradient")
    return scalar_checks.number(name, value, float(np.finfo(_FLOAT64).min))


def _real_array(name: str, value: Any) -> NDArray:
    array = checks.plain_array(name, value)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name}: got dtype {array.dtype}, expected real numbers")
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: got {array[~np.isfinite(array)][0]}, expected finite numbers")
    return array
