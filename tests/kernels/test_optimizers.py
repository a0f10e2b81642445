"""Updates by a gradient of products; and where numbers are extreme: infinite, zero, or next to nothing."""

from __future__ import annotations

import numba
import numpy as np
import pytest

import fastnn
from fastnn.intrinsics import VECTOR_BYTES, element
from fastnn.kernels import optimizers

UPDATES = {
    "sgd_update": (0, {"lr": 0.1}),
    "momentum_update": (1, {"lr": 0.1, "momentum": 0.9}),
    "adam_update": (2, {"lr": 0.1, "step": 3}),
}


def _both(name: str, arrays: list[np.ndarray], numbers: dict) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The arrays after the kernel's update and after the reference's."""
    update = getattr(fastnn, name)
    found, expected = ([a.copy() for a in arrays] for _ in range(2))
    with np.errstate(all="ignore"):
        update(*found, **numbers)
        update.reference(*expected, **numbers)
    return found, expected


@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
@pytest.mark.parametrize("name", UPDATES)
def test_infinite_weight(name: str, weight_decay: float, dtype: str) -> None:
    """With decay it spoils the gradient, without it does not."""
    moments, numbers = UPDATES[name]
    w = np.full(21, np.inf, dtype)
    arrays = [w, np.full_like(w, 0.5), *(np.full_like(w, 0.25) for _ in range(moments))]
    found, expected = _both(name, arrays, {**numbers, "weight_decay": weight_decay})
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=8 * np.finfo(dtype).eps)
    if weight_decay == 0:
        assert np.isinf(found[0]).all()
        assert np.isfinite(found[2:]).all()


# The gradient, both moments before, and eps.
EXTREMES = {
    "an infinite second moment stops the update": (1.0, 0.5, np.inf, 1e-8),
    "an infinite gradient": (np.inf, 0.5, 0.25, 1e-8),
    "an infinite first moment": (1.0, np.inf, 0.25, 1e-8),
    "no gradient yet": (0.0, 0.0, 0.0, 1e-8),
    "no gradient yet, and no eps": (0.0, 0.0, 0.0, 0.0),
    "no second moment": (0.0, 0.5, 0.0, 1e-8),
    "NaN": (np.nan, 0.5, 0.25, 1e-8),
}


@pytest.mark.parametrize("case", EXTREMES)
def test_adam_of_extremes(case: str, dtype: str) -> None:
    gradient, first, second, eps = EXTREMES[case]
    arrays = [np.full(21, value, dtype) for value in (0.75, gradient, first, second)]
    found, expected = _both("adam_update", arrays, {"lr": 0.1, "step": 3, "eps": eps})
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=8 * np.finfo(dtype).eps)


@pytest.mark.parametrize("lr", [1e-40, 1e-320])
def test_adam_of_a_rate_next_to_nothing(lr: float, dtype: str) -> None:
    arrays = [np.full(21, value, dtype) for value in (0.75, 0.0, 0.0, 0.0)]
    for moment in (0.0, 0.5):
        arrays[2][:] = moment
        found, _ = _both("adam_update", arrays, {"lr": lr, "step": 3})
        np.testing.assert_array_equal(found[0], arrays[0])


@numba.njit
def by_products(code, w, factors, g, room, first, second, hyper):
    numbers = optimizers.numbers_of(code, 3, hyper)
    optimizers.update_by_products(
        code, w, element(factors, 0), g.size, element(g, 0), room, first, second, numbers
    )  # fmt: skip


@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
@pytest.mark.parametrize(
    "optimizer", [fastnn.SGD(0.1), fastnn.SGD(0.1, momentum=0.9), fastnn.Adam(0.1)], ids=["sgd", "momentum", "adam"]
)
@pytest.mark.parametrize("vectors", [1, 2, 3])
def test_gradient_of_products(
    vectors: int, optimizer: fastnn.optimizers.Optimizer, weight_decay: float, dtype: str, rng: np.random.Generator
) -> None:
    """Nothing but the weights, their moments and the room is touched."""
    hyper = optimizer.hyper.copy()
    hyper[4 if isinstance(optimizer, fastnn.Adam) else 3] = weight_decay
    factors = rng.standard_normal(7).astype(dtype)
    g = rng.standard_normal(vectors * VECTOR_BYTES // factors.itemsize).astype(dtype)
    size = factors.size * g.size
    around = np.abs(rng.standard_normal((3, size + 128))).astype(dtype)
    found, expected = around.copy(), around.copy()
    by_products(
        optimizer.code, found[0, 64:-64], factors, g, np.empty(size, dtype), found[1, 64:-64], found[2, 64:-64], hyper
    )
    gradient = np.outer(factors, g).ravel()
    w, first, second = (row[64:-64] for row in expected)
    if isinstance(optimizer, fastnn.Adam):
        fastnn.adam_update(w, gradient, first, second, step=3, lr=0.1, weight_decay=weight_decay)
    elif optimizer.momentum:
        fastnn.momentum_update(w, gradient, first, lr=0.1, momentum=0.9, weight_decay=weight_decay)
    else:
        fastnn.sgd_update(w, gradient, lr=0.1, weight_decay=weight_decay)
    np.testing.assert_allclose(found, expected, rtol=8 * np.finfo(dtype).eps, atol=8 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(found[:, :64], around[:, :64])
    np.testing.assert_array_equal(found[:, -64:], around[:, -64:])
