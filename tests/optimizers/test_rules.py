"""Update rules by an outer product, as at batch 1; and where numbers are extreme: infinite, zero, next to nothing."""

from __future__ import annotations

import numba
import numpy as np
import pytest

import fastnn
from fastnn.intrinsics import VECTOR_BYTES, element
from fastnn.ops import DECLARED
from fastnn.optimizers import RULES

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


CASES = {
    "sgd": (fastnn.SGD(0.1), "sgd_update"),
    "momentum": (fastnn.SGD(0.1, momentum=0.9), "momentum_update"),
    "adam": (fastnn.Adam(0.1), "adam_update"),
}


@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("vectors", [1, 2, 3])
def test_rank_one_update(vectors: int, case: str, weight_decay: float, dtype: str, rng: np.random.Generator) -> None:
    """It is the update by the outer product; nothing but the weights and moments is touched."""
    optimizer, name = CASES[case]
    rule = RULES[name]
    _, rank_one_update, compute_constants = rule._step_kernels
    moments = len(rule.moments)

    @numba.njit
    def update(w, factors, g, moments, stride, hyper, constants):
        compute_constants(element(hyper, 0), 3, element(constants, 0))
        rank_one_update(
            element(w, 0), element(factors, 0), factors.size, element(g, 0), g.size, element(moments, 0), stride,
            element(constants, 0),
        )  # fmt: skip

    numbers = {**optimizer.values, "weight_decay": weight_decay}
    hyper = np.array([numbers[n] for n in rule.hyper], np.float64)
    factors = rng.standard_normal(7).astype(dtype)
    g = rng.standard_normal(vectors * VECTOR_BYTES // factors.itemsize).astype(dtype)
    around = np.abs(rng.standard_normal((1 + moments, factors.size * g.size + 128))).astype(dtype)
    found, expected = around.copy(), around.copy()
    update(
        found[0, 64:-64], factors, g, found.reshape(-1)[around.shape[1] + 64 :], around.shape[1], hyper, np.zeros(16)
    )
    arrays = [row[64:-64] for row in expected]
    step = {"step": 3} if "step" in rule.numbers else {}
    DECLARED[name](arrays[0], np.outer(factors, g).ravel(), *arrays[1:], **step, **{n: numbers[n] for n in rule.hyper})
    np.testing.assert_allclose(found, expected, rtol=8 * np.finfo(dtype).eps, atol=8 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(found[:, :64], around[:, :64])
    np.testing.assert_array_equal(found[:, -64:], around[:, -64:])
