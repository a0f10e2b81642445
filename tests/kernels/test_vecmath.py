"""The vector math functions: their documented error bounds, special values, and signed zero."""

from __future__ import annotations

from functools import cache

import numba
import numpy as np
import pytest

from fastnn.kernels import vecmath

# Units in the last place that the documentation allows.
BOUNDS = {"exp": 1.5, "expm1": 2.0, "log": 1.5, "tanh": 3.0, "sigmoid": 3.0}


def _exact_sigmoid(x):
    return 1 / (1 + np.exp(-x))


EXACT = {"exp": np.exp, "expm1": np.expm1, "log": np.log, "tanh": np.tanh, "sigmoid": _exact_sigmoid}


@cache
def loop_over(name: str):
    function = getattr(vecmath, name)

    @numba.njit
    def loop(x, y):
        for k in range(x.size):
            y[k] = function(x[k])

    return loop


def evaluate(name: str, x: np.ndarray) -> np.ndarray:
    y = np.empty_like(x)
    loop_over(name)(x, y)
    return y


def arguments(name: str, dtype: str, rng: np.random.Generator) -> np.ndarray:
    """Every magnitude, dense where the functions bend, and the borders of their ranges."""
    info = np.finfo(dtype)
    bits = {"float32": np.uint32, "float64": np.uint64}[dtype]
    anything = rng.integers(0, np.iinfo(bits).max, 400_000, bits, endpoint=True).view(dtype)
    near = np.concatenate([rng.standard_normal(100_000) * scale for scale in (1e-3, 0.3, 1, 10, 60, 500)])
    borders = np.array([np.log(info.max), np.log(info.tiny), np.log(info.smallest_subnormal), 0.5, 1, 2, info.max])
    with np.errstate(all="ignore"):
        around = np.concatenate([borders * (1 + k * info.eps) for k in range(-3, 4)])
        x = np.concatenate([anything, near, around, -around]).astype(dtype)
    return np.abs(x) if name == "log" else x


@pytest.mark.parametrize("name", BOUNDS)
def test_error_bound(name: str, dtype: str, rng: np.random.Generator) -> None:
    x = arguments(name, dtype, rng)
    found = evaluate(name, x)
    with np.errstate(all="ignore"):
        exact = EXACT[name](x.astype(np.longdouble))
        nearest = exact.astype(dtype)
        # sigmoid overflows inside, as NumPy's does, where its value is subnormal.
        step = np.maximum(np.spacing(np.abs(nearest)), np.finfo(dtype).tiny if name == "sigmoid" else 0)
        ulps = np.abs(found.astype(np.longdouble) - exact) / step
    finite = np.isfinite(nearest)
    worst = np.argmax(np.where(finite, ulps, 0))
    assert ulps[worst] <= BOUNDS[name], f"{name}({x[worst]!r}) = {found[worst]!r}, exactly {exact[worst]!r}"
    np.testing.assert_array_equal(found[~finite], nearest[~finite])


SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, 1e30, -1e30]


@pytest.mark.parametrize("name", BOUNDS)
def test_special_values_are_those_of_numpy(name: str, dtype: str) -> None:
    x = np.array(SPECIAL, dtype)
    with np.errstate(all="ignore"):
        expected = EXACT[name](x)
    found = evaluate(name, x)
    np.testing.assert_allclose(found, expected, rtol=4 * np.finfo(dtype).eps, atol=0)
    known = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(found[known]), np.signbit(expected[known]))


def test_python_call_says_what_to_do() -> None:
    with pytest.raises(TypeError, match="nopython"):
        vecmath.exp(1.0)


@pytest.mark.parametrize("name", BOUNDS)
def test_loops_are_vectorised(name: str, dtype: str) -> None:
    evaluate(name, np.ones(8, dtype))
    loop = loop_over(name)
    ir = "".join(loop.inspect_llvm().values())
    assert any(f"<{lanes} x {kind}>" in ir for lanes in (2, 4, 8, 16) for kind in ("float", "double"))
