"""The vector math functions: their documented error bounds, special values, and signed zero.

The default run samples. `pytest -m exhaustive -s tests/kernels/test_vecmath.py` takes all 2**32 float32 inputs and
10**8 random float64 ones, tells how far it has come, and prints the largest errors, which vecmath's docstring records;
with NUMBA_CPU_NAME=generic it does so without fused multiply-add.
"""

from __future__ import annotations

import itertools
import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from types import SimpleNamespace

import numba
import numpy as np
import pytest

from fastnn.kernels import vecmath

# Units in the last place that the documentation allows.
BOUNDS = {"exp": 1.5, "log": 1.5, "expm1": 2.0, "log1p": 2.0, "tanh": 2.0, "sigmoid": 2.0, "erf": 2.0}

# float64 is judged in a wider type, which some machines do not have.
needs_wider_type = pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="longdouble is no wider than float64")


@numba.vectorize
def libm_erf(x):
    return math.erf(x)


@numba.vectorize
def libm_erfc(x):
    return math.erfc(x)


def erf(x: np.ndarray) -> np.ndarray:
    """erf. In the wider type, from 2 on, it is 1 - erfc, for the rounding errors of a float64 erfc are small beside 1;
    below, the series 2/√π exp(-x²) Σ 2ⁿ x²ⁿ⁺¹ / (1·3···(2n+1)), whose terms all have one sign."""
    if x.dtype == np.float64:
        return libm_erf(x)
    near = np.where(np.abs(x) < 2, x, 0)
    term = near * (2 / np.sqrt(np.longdouble("3.14159265358979323846264338327950288"))) * np.exp(-near * near)
    total = term.copy()
    for n in range(1, 60):
        term = term * (2 * near * near / (2 * n + 1))
        total += term
    beyond = 1 - libm_erfc(np.minimum(np.abs(x), 40).astype(np.float64)).astype(np.longdouble)
    return np.where(np.abs(x) < 2, total, np.copysign(beyond, x))


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


EXACT = {
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "erf": erf,
}
WIDER = {"float32": np.float64, "float64": np.longdouble}


def loop_over(function: Callable) -> Callable:
    @numba.njit(error_model="numpy")
    def loop(x, y):
        for k in range(x.size):
            y[k] = function(x[k])

    return loop


@cache
def loop_by_name(name: str) -> Callable:
    return loop_over(getattr(vecmath, name))


def evaluate(loop: Callable, x: np.ndarray) -> np.ndarray:
    y = np.empty_like(x)
    loop(x, y)
    return y


def ulps(found: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Errors in units in the last place of the exact value; infinite for a wrong sign, infinity or NaN."""
    info = np.finfo(found.dtype)
    nearest = exact.astype(found.dtype)
    exponent = np.maximum(np.frexp(exact)[1] - 1, info.minexp)
    error = np.abs(found - exact) * np.ldexp(exact.dtype.type(1), info.nmant - exponent)
    finite, undefined = np.isfinite(nearest), np.isnan(exact)
    right = np.where(finite, np.isfinite(found), found == nearest) & (np.signbit(found) == np.signbit(exact))
    right |= undefined & np.isnan(found)
    return np.where(right, np.where(finite, error, 0), np.inf)


def largest_error(name: str, loop: Callable, chunks: Iterable[np.ndarray]) -> tuple[float, np.floating]:
    """The largest error in units in the last place, and where it is."""
    worst, where = -1.0, None
    for x in chunks:
        with np.errstate(all="ignore"):
            error = ulps(evaluate(loop, x), EXACT[name](x.astype(WIDER[x.dtype.name])))
        k = np.argmax(error)
        if error[k] > worst:
            worst, where = float(error[k]), x[k]
    return worst, where


def borders(dtype: str) -> np.ndarray:
    """Where range reductions switch, functions change their formula, and results become infinite, subnormal or zero."""
    info = np.finfo(dtype)
    c = {"float32": vecmath.FLOAT32, "float64": vecmath.FLOAT64}[dtype]
    exponents = np.arange(info.minexp - info.nmant, info.maxexp + 1)
    points = [
        exponents * (math.log(2) / 2),
        (exponents - 0.42) * (math.log(2) / 2),  # tanh's shifted reduction
        np.ldexp(1.0, exponents[:-1]),
        np.ldexp(math.sqrt(0.5), exponents),
        np.ldexp(math.sqrt(0.5), exponents) - 1,
        [math.log(info.max), math.log(info.tiny), *np.log(info.smallest_subnormal) + np.log([1, 0.5])],
        [*c.exp_range, c.tanh_is_one, c.erf_is_one, c.erf_split, c.expm1_is_minus_one, 0.0, 0.55, 1.0, info.max],
    ]
    with np.errstate(all="ignore"):
        x = np.concatenate(points).astype(dtype)
        x = np.concatenate([x, -x])
        steps = [x]
        for direction in (-np.inf, np.inf):
            step = x
            for _ in range(3):
                step = np.nextafter(step, step.dtype.type(direction))
                steps.append(step)
    return np.concatenate([*steps, np.array([np.nan, -np.nan, np.inf, -np.inf], dtype)])


def random_float64(rng: np.random.Generator, count: int) -> np.ndarray:
    """Any bits, any magnitude that matters, and the neighbourhood of 1 and -1."""
    quarter = count // 4
    anything = rng.integers(0, 2**64 - 1, quarter, np.uint64, endpoint=True).view(np.float64)
    signed = rng.choice([-1.0, 1.0], quarter) * np.exp2(rng.uniform(-60, 10, quarter))
    near_one = rng.choice([-1.0, 1.0], quarter) * np.exp2(rng.uniform(-1, 1, quarter))
    return np.concatenate([anything, signed, near_one, rng.uniform(-30, 30, quarter)])


def all_float32(step: int = 1, chunk: int = 2**16) -> Iterator[np.ndarray]:
    for start in range(0, 2**32, chunk * step):
        bits = np.arange(start, min(start + chunk * step, 2**32), step, dtype=np.uint64)
        yield bits.astype(np.uint32).view(np.float32)


@pytest.mark.parametrize("name", BOUNDS)
def test_float32_error_bound_on_a_sample(name: str) -> None:
    worst, where = largest_error(name, loop_by_name(name), [borders("float32"), *all_float32(step=4099)])
    assert worst <= BOUNDS[name], f"{name}({where!r}) is {worst} units off"


@needs_wider_type
@pytest.mark.parametrize("name", BOUNDS)
def test_float64_error_bound_on_a_sample(name: str, rng: np.random.Generator) -> None:
    worst, where = largest_error(name, loop_by_name(name), [borders("float64"), random_float64(rng, 200_000)])
    assert worst <= BOUNDS[name], f"{name}({where!r}) is {worst} units off"


def test_error_bounds_without_fused_multiply_add() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "on_a_sample", __file__]
    environment = os.environ | {"NUMBA_CPU_NAME": "generic"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def with_progress(chunks: Iterable[np.ndarray], total: int, title: str) -> Iterator[np.ndarray]:
    """The chunks, with a line now and then on how many are done."""
    for k, chunk in enumerate(chunks):
        if k * 8 % total < 8:
            print(f"{title}: {100 * k // total}%", file=sys.stderr, flush=True)
        yield chunk


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", BOUNDS)
def test_float32_error_bound_on_all_inputs(name: str) -> None:
    worst, where = largest_error(name, loop_by_name(name), with_progress(all_float32(), 2**16, f"{name} float32"))
    print(f"{name} float32: {worst:.4f} at {where!r}", file=sys.stderr, flush=True)
    assert worst <= BOUNDS[name]


@needs_wider_type
@pytest.mark.exhaustive
@pytest.mark.parametrize("name", BOUNDS)
def test_float64_error_bound_on_many_inputs(name: str, rng: np.random.Generator) -> None:
    chunks = with_progress((random_float64(rng, 2**16) for _ in range(1526)), 1526, f"{name} float64")
    worst, where = largest_error(name, loop_by_name(name), itertools.chain([borders("float64")], chunks))
    print(f"{name} float64: {worst:.4f} at {where!r}", file=sys.stderr, flush=True)
    assert worst <= BOUNDS[name]


@pytest.mark.parametrize(
    ("name", "table", "power"),
    [
        ("exp", "exp", 2),
        ("expm1", "expm1", 1),
        ("tanh", "tanh", 1),
        ("log", "log", 0),
        ("erf", "erf_small", 1),
        ("erf", "erf_large", 2),
    ],
)
def test_bounds_notice_a_slightly_wrong_coefficient(name: str, table: str, power: int) -> None:
    wrong = list(getattr(vecmath.FLOAT32, table))
    wrong[-1 - power] *= 1 + 1e-5
    loop = loop_over(vecmath.functions(SimpleNamespace(**vars(vecmath.FLOAT32) | {table: wrong}))[name])
    worst, _ = largest_error(name, loop, all_float32(step=4099))
    assert worst > BOUNDS[name]


@needs_wider_type
def test_reference_of_erf() -> None:
    mpmath = pytest.importorskip("mpmath")
    x = np.concatenate([np.linspace(-6.5, 6.5, 301), np.exp2(np.linspace(-1050, 1, 100)), [1.9999, 2.0, 2.0001]])
    with mpmath.workdps(40):
        exact = [mpmath.erf(mpmath.mpf(float(v))) for v in x]
        found = [mpmath.mpf(np.format_float_scientific(v, unique=True)) for v in erf(x.astype(np.longdouble))]
        assert all(abs(f - e) <= abs(e) * mpmath.mpf(2) ** -59 for f, e in zip(found, exact, strict=True))


@pytest.mark.parametrize("name", BOUNDS)
def test_special_values_are_those_of_numpy(name: str, dtype: str) -> None:
    x = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, -1e-45, 1.0, -1.0, 1e30, -1e30], dtype)
    with np.errstate(all="ignore"):
        expected = EXACT[name](x.astype(np.float64)).astype(dtype)
    found = evaluate(loop_by_name(name), x)
    np.testing.assert_allclose(found, expected, rtol=4 * np.finfo(dtype).eps, atol=0)
    known = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(found[known]), np.signbit(expected[known]))


@pytest.mark.parametrize("name", BOUNDS)
def test_nan_with_any_payload_stays_nan(name: str, dtype: str) -> None:
    bits = {"float32": np.uint32, "float64": np.uint64}[dtype]
    quiet = np.array([np.nan, -np.nan], dtype).view(bits)
    x = np.concatenate([quiet + bits(2**k) - bits(1) for k in range(np.finfo(dtype).nmant - 1)]).view(dtype)
    assert np.isnan(x).all()
    assert np.isnan(evaluate(loop_by_name(name), x)).all()


def test_python_call_says_what_to_do() -> None:
    with pytest.raises(TypeError, match="nopython"):
        vecmath.exp(1.0)


@pytest.mark.parametrize("name", BOUNDS)
def test_loops_are_vectorised(name: str, dtype: str) -> None:
    loop = loop_by_name(name)
    evaluate(loop, np.ones(8, dtype))
    ir = "".join(loop.inspect_llvm().values())
    assert any(f"<{lanes} x {kind}>" in ir for lanes in (2, 4, 8, 16) for kind in ("float", "double"))
