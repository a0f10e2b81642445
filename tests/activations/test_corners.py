"""Every activation where random inputs do not lead: zeros, kinks and beside them, saturation, NaN, infinities. Against
PyTorch, where it is installed, and against the reference."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

import fastnn

ACTIVATIONS = list(fastnn.Activation.by_name)
INF, NAN = np.inf, np.nan


def grid(dtype: str) -> np.ndarray:
    """Kinks and minima with their neighbours, both signs of numbers of every size, infinities and NaN."""
    info = np.finfo(dtype)
    points = np.array([0, 0.5, 0.75, 1, 1.192, 1.278, 2, 3, 6], dtype)
    around = np.concatenate([points, np.nextafter(points, dtype(INF)), np.nextafter(points, dtype(-INF))])
    sizes = [info.smallest_subnormal, info.tiny, info.eps, 1e-3, 0.1, 4, 5, 8.5, 10, 17, 20, 20.5, 30, 50, 88, 104, 800]
    positive = np.concatenate([around, np.array([*sizes, 1e10, 1e30, info.max, INF], dtype)])
    return np.concatenate([positive, -positive, np.array([NAN], dtype)])


@pytest.fixture
def x(dtype: str) -> np.ndarray:
    return grid(np.dtype(dtype).type)


def tolerance(function: fastnn.ops.PublicFunction, arrays: list[np.ndarray], expected: np.ndarray) -> np.ndarray:
    return np.broadcast_to(function.declaration.tolerance(arrays, {}, expected)[0], expected.shape)


def assert_close(found: np.ndarray, expected: np.ndarray, allowed: np.ndarray, x: np.ndarray) -> None:
    with np.errstate(invalid="ignore"):
        wrong = ~((np.abs(found - expected) <= allowed) | (found == expected) | (np.isnan(found) & np.isnan(expected)))
    assert not wrong.any(), f"at {x[wrong]}: got {found[wrong]}, expected {expected[wrong]}"


def of_item(name: str) -> tuple[fastnn.Activation, fastnn.ops.PublicFunction, fastnn.ops.PublicFunction]:
    return fastnn.Activation.by_name[name], getattr(fastnn, name), getattr(fastnn, f"{name}_backward")


def arguments(item: fastnn.Activation, dy: np.ndarray, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    return {"input": [dy, x], "output": [dy, y], "both": [dy, x, y]}[item.slope_of]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_equals_the_reference(name: str, x: np.ndarray) -> None:
    item, forward, backward = of_item(name)
    y, expected = forward(x), forward.reference(x)
    assert_close(y, expected, tolerance(forward, [x], expected), x)
    assert not np.isnan(y[:-1]).any()
    assert np.isnan(y[-1])
    for dy in (np.ones_like(x), np.full_like(x, -0.3)):
        given = arguments(item, dy, x, y)
        dx, expected = backward(*given), backward.reference(*given)
        assert_close(dx, expected, tolerance(backward, given, expected), x)
        assert not np.isnan(dx[:-1]).any()


# PyTorch's functions, where their names are others.
THEIRS = {
    "hard_sigmoid": "hardsigmoid",
    "hard_swish": "hardswish",
    "gelu_tanh": "gelu",
}

# Where PyTorch's result is an artefact: x, and the limits of value and slope there.
# - Infinity times zero, or over infinity, is NaN: the limits are the formula's. For gelu_tanh x³ is infinite before.
# - 6 x overflows in hardswish.
# - softplus is x above 20; here it is log(1 + eˣ) everywhere.
# - The slope at NaN depends on where in an array the NaN lies, or there is none: here branches decide as they fall.
MAX = "the largest number"
EXCEPTIONS: dict[str, list[tuple[float | str, float | str, float]]] = {
    "silu": [(-INF, 0, 0), (INF, INF, 1)],
    "gelu": [(-INF, 0, 0), (INF, INF, 1)],
    "gelu_tanh": [(-INF, 0, 0), (INF, INF, 1), (MAX, MAX, 1), (f"-{MAX}", 0, 0)],
    "mish": [(-INF, 0, 0), (INF, INF, 1)],
    "softsign": [(-INF, -1, 0), (INF, 1, 0)],
    "hard_swish": [(-INF, 0, 0), (MAX, MAX, 1), (f"-{MAX}", 0, 0), (NAN, NAN, 1)],
    "softplus": [(x, x + np.log1p(np.exp(-x)), 1 / (1 + np.exp(-x))) for x in (20.5, 30.0)],
    "elu": [(NAN, NAN, 1)],
    "selu": [(NAN, NAN, 1.0507009873554805)],
    "celu": [(NAN, NAN, 1)],
    "relu6": [(NAN, NAN, 0)],
    "hard_sigmoid": [(NAN, NAN, 0)],
}


def of_torch(torch: ModuleType, name: str, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """PyTorch's value and slope, computed in float64, but for the exceptions."""
    tensor = torch.tensor(x.astype(np.float64), requires_grad=True)
    functional, keywords = torch.nn.functional, {"approximate": "tanh"} if name == "gelu_tanh" else {}
    others = {"identity": lambda x: x * 1, "exponential": torch.exp}
    y = (others.get(name) or getattr(functional, THEIRS.get(name, name)))(tensor, **keywords)
    y.backward(torch.ones_like(y))
    value, slope = y.detach().numpy().copy(), tensor.grad.numpy().copy()
    numbers = {MAX: np.finfo(x.dtype).max, f"-{MAX}": -np.finfo(x.dtype).max}
    for at, limit, limit_of_slope in EXCEPTIONS.get(name, []):
        at = numbers.get(at, at)
        here = np.isnan(x) if np.isnan(at) else x == at
        assert here.any()
        value[here], slope[here] = numbers.get(limit, limit), limit_of_slope
    with np.errstate(over="ignore"):
        return value.astype(x.dtype), slope.astype(x.dtype)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_equals_torch(name: str, x: np.ndarray) -> None:
    torch = pytest.importorskip("torch")
    item, forward, backward = of_item(name)
    eps = np.finfo(x.dtype).eps
    value, slope = of_torch(torch, name, x)
    # PyTorch's own roundings in float64, where its formulas cancel, are a few units of |x| and of the slope's terms.
    own = 16 * np.finfo(np.float64).eps
    y, size = forward(x), np.minimum(np.abs(np.nan_to_num(x)), 40)
    with np.errstate(invalid="ignore"):
        allowed = tolerance(forward, [x], value) + own * np.where(np.isfinite(value), size, 0)
    assert_close(y, value, allowed, x)
    dy = np.ones_like(x)
    if name == "hard_sigmoid":
        # PyTorch's 1/6 is a float32 in float64 too. For the number next below 3, y rounds to 1: here that decides.
        slope[slope != 0] = 1 / 6
        slope[x == np.nextafter(x.dtype.type(3), x.dtype.type(0))] = 0
    # A slope that is worked out from y has the rounding of y besides: of twice that size at most, of a y of at most 1.
    with np.errstate(invalid="ignore", over="ignore"):
        allowed = tolerance(backward, arguments(item, dy, x, y), slope) + 4 * eps * np.maximum(1, np.abs(slope))
        allowed = allowed + own * np.maximum(1, size)
    assert_close(backward(*arguments(item, dy, x, y)), slope, allowed, x)


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("leaky_relu", {"negative_slope": 0.2}),
        ("elu", {"alpha": 0.7}),
        ("celu", {"alpha": 2.5}),
        ("softplus", {"beta": 3}),
    ],
)
def test_numbers_equal_torch(name: str, numbers: dict[str, float], dtype: str, rng: np.random.Generator) -> None:
    torch = pytest.importorskip("torch")
    item, forward, backward = of_item(name)
    x = np.array([0.0, -0.0, *2 * rng.standard_normal(101)], dtype)
    tensor = torch.tensor(x.astype(np.float64), requires_grad=True)
    y = getattr(torch.nn.functional, name)(tensor, **numbers)
    y.backward(torch.ones_like(y))
    found, close = forward(x, **numbers), {"rtol": 20 * np.finfo(dtype).eps, "atol": 4 * np.finfo(dtype).eps}
    np.testing.assert_allclose(found, y.detach().numpy(), **close)
    dx = backward(*arguments(item, np.ones_like(x), x, found), **numbers)
    np.testing.assert_allclose(dx, tensor.grad.numpy(), **close)


def test_numbers_beyond_the_precision() -> None:
    """0 and infinite as float32."""
    x = np.array([-INF, -1, 0, 1, INF], np.float32)
    np.testing.assert_array_equal(fastnn.celu(x, alpha=1e-60), [0, 0, 0, 1, INF])
    np.testing.assert_array_equal(fastnn.leaky_relu(x, negative_slope=1e60), [-INF, -INF, 0, 1, INF])


@pytest.mark.parametrize("name", ["silu", "silu_backward"])
def test_swish_is_silu(name: str) -> None:
    assert getattr(fastnn, name.replace("silu", "swish")) is getattr(fastnn, name)
    assert name.replace("silu", "swish") in fastnn.__all__
    assert fastnn.Activation.find("activation", "swish") is fastnn.Activation.by_name["silu"]
