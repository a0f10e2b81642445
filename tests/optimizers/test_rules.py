"""Update rules by an outer product, as at batch 1; and where numbers are extreme: infinite, zero, next to nothing."""

from __future__ import annotations

from itertools import product
from typing import Any

import numba
import numpy as np
import pytest

import fastnn
from fastnn.intrinsics import VECTOR_BYTES, element
from fastnn.ops import DECLARED
from fastnn.optimizers import RULES


def _both(name: str, arrays: list[np.ndarray], numbers: dict) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The arrays after the kernel's update and after the reference's."""
    update = getattr(fastnn, name)
    found, expected = ([a.copy() for a in arrays] for _ in range(2))
    with np.errstate(all="ignore"):
        update(*found, **numbers)
        update.reference(*expected, **numbers)
    return found, expected


def _numbers(name: str, **changed: Any) -> dict[str, Any]:
    """The numbers of the example, some of them changed where the rule has them."""
    rule = RULES[name]
    return {**rule.defaults, **rule.example, **{n: value for n, value in changed.items() if n in rule.numbers}}


@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
@pytest.mark.parametrize("name", RULES)
def test_infinite_weight(name: str, weight_decay: float, dtype: str) -> None:
    """With decay it spoils the gradient, without it or where decay is decoupled does not."""
    w = np.full(21, np.inf, dtype)
    arrays = [w, np.full_like(w, 0.5), *(np.full_like(w, 0.25) for _ in RULES[name].moments)]
    found, expected = _both(name, arrays, _numbers(name, weight_decay=weight_decay))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=8 * np.finfo(dtype).eps)
    if weight_decay == 0 or RULES[name].decoupled:
        assert np.isinf(found[0]).all()
        assert np.isfinite(found[2:]).all()


# Gradients, and moments, each with each: infinite, none yet, NaN; and a usual one.
GRADIENTS, MOMENTS = (0.5, 0.0, np.inf, -np.inf, np.nan), (0.25, 0.0, np.inf, np.nan)


@pytest.mark.parametrize(
    "numbers", [{"step": 1}, {"step": 3}, {"step": 100}, {"step": 3, "eps": 0.0}, {"step": 3, "lr": 0.0}], ids=str
)
@pytest.mark.parametrize("name", RULES)
def test_extremes(name: str, numbers: dict, dtype: str) -> None:
    """An infinite second moment stops the update, an infinite gradient makes NaN: as the formula has it."""
    cases = product(GRADIENTS, *[MOMENTS] * len(RULES[name].moments))
    g, *moments = np.array(list(cases), dtype).T.copy()
    found, expected = _both(name, [np.full_like(g, 0.75), g, *moments], _numbers(name, weight_decay=0.0, **numbers))
    for a, b in zip(found, expected, strict=True):
        # Weights of about 1 less a step of no more than that.
        np.testing.assert_allclose(a, b, rtol=16 * np.finfo(dtype).eps, atol=16 * np.finfo(dtype).eps)


@pytest.mark.parametrize("lr", [1e-40, 1e-320])
@pytest.mark.parametrize("name", RULES)
def test_a_rate_next_to_nothing(name: str, lr: float, dtype: str) -> None:
    w, g = np.full(21, 0.75, dtype), np.zeros(21, dtype)
    for moment in (0.0, 0.5):
        found, _ = _both(name, [w, g, *(np.full_like(w, moment) for _ in RULES[name].moments)], _numbers(name, lr=lr))
        np.testing.assert_array_equal(found[0], w)


@pytest.mark.parametrize("name", RULES)
def test_subnormal_numbers_count_as_zero(name: str, dtype: str) -> None:
    """Only where a rule has moments, which would else decay into them."""
    tiny = np.finfo(dtype).tiny
    w, *others = (np.full(21, tiny / 4, dtype) for _ in range(2 + len(RULES[name].moments)))
    fastnn_update = getattr(fastnn, name)
    fastnn_update(w, *others, **_numbers(name, weight_decay=0.0))
    for moment in others[1:]:
        assert ((moment == 0) | (moment >= tiny)).all()


@pytest.mark.parametrize("step", [1, 2, 5, 6, 7, 30, 400, 100_000])
@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("nadam_update", {"momentum_decay": 0.0}),
        ("nadam_update", {"beta1": 0.0}),
        ("nadam_update", {"beta1": 0.999, "momentum_decay": 0.004}),
        ("radam_update", {"beta2": 0.999}),
        ("radam_update", {"beta2": 0.5}),  # which never adapts
        ("radam_update", {"beta2": 0.0}),
        ("adamax_update", {"beta1": 0.0, "beta2": 0.0}),
        ("adagrad_update", {"lr_decay": 0.3}),
    ],
)
def test_numbers_that_depend_on_the_step(name: str, numbers: dict, step: int, dtype: str) -> None:
    w = np.linspace(0.5, 1, 21, dtype=dtype)
    arrays = [w, *(np.full_like(w, value) for value in (0.3, 0.2, 0.1)[: 1 + len(RULES[name].moments)])]
    found, expected = _both(name, arrays, _numbers(name, step=step, **numbers))
    for a, b in zip(found, expected, strict=True):
        # The rate of RAdam's early steps is a difference of numbers two hundred times as large.
        np.testing.assert_allclose(a, b, rtol=16 * np.finfo(dtype).eps + 1e-11 * name.startswith("radam"))


@pytest.mark.parametrize("name", RULES)
def test_rank_one_update(name: str, dtype: str, rng: np.random.Generator) -> None:
    """It is the update by the outer product; nothing but the weights and moments is touched. The same in a near cache,
    to the bit."""
    rule = RULES[name]
    _, rank_one_update, near_rank_one_update, compute_constants = rule._step_kernels
    moments = len(rule.moments)

    @numba.njit
    def update(w, factors, g, moments, stride, near, step, hyper, constants):
        compute_constants(element(hyper, 0), step, element(constants, 0))
        weights, first, rest = element(w, 0), element(moments, 0), element(constants, 0)
        if near:
            near_rank_one_update(weights, element(factors, 0), factors.size, element(g, 0), g.size, first, stride, rest)
        else:
            rank_one_update(weights, element(factors, 0), factors.size, element(g, 0), g.size, first, stride, rest)

    for vectors, weight_decay in product((1, 2, 3, 8), (0.0, 0.01)):
        numbers = _numbers(name, weight_decay=weight_decay)
        hyper = np.array([numbers[n] for n in rule.hyper], np.float64)
        factors = rng.standard_normal(7).astype(dtype)
        g = rng.standard_normal(vectors * VECTOR_BYTES // factors.itemsize).astype(dtype)
        around = np.abs(rng.standard_normal((1 + moments, factors.size * g.size + 128))).astype(dtype)
        found, found_near, expected = around.copy(), around.copy(), around.copy()
        stride, constants = around.shape[1], np.zeros(16)
        step = numbers.get("step", 1)
        for near, out in enumerate((found, found_near)):
            w, moment = out[0, 64:-64], out.reshape(-1)[stride + 64 :]
            update(w, factors, g, moment, stride, bool(near), step, hyper, constants)
        np.testing.assert_array_equal(found, found_near)
        arrays = [row[64:-64] for row in expected]
        outer = np.outer(factors, g).ravel()
        before = [a.copy() for a in (arrays[0], outer, *arrays[1:])]
        DECLARED[name](arrays[0], outer, *arrays[1:], **numbers)
        # Both have errors, and the outer product is rounded before in one of them alone.
        tolerances = DECLARED[name].declaration.tolerance(before, numbers, tuple(arrays))
        for a, b, tolerance in zip(found, arrays, tolerances, strict=True):
            assert (np.abs(a[64:-64].astype(np.float64) - b) <= 3 * tolerance).all()
        np.testing.assert_array_equal(found[:, :64], around[:, :64])
        np.testing.assert_array_equal(found[:, -64:], around[:, -64:])


def test_centered_rmsprop_where_the_variance_is_lost(dtype: str) -> None:
    """Gradients that are all equal have none: rounding may make it negative, and its root must not be NaN."""
    w, g = np.ones(1000, dtype), np.linspace(0.1, 10, 1000).astype(dtype)
    moments = [np.zeros_like(w) for _ in range(3)]
    negative = False
    for _ in range(300):
        fastnn.rmsprop_centered_update(w, g, *moments, lr=1e-9, alpha=0.5)
        negative |= bool((moments[0].astype(np.float64) - moments[2].astype(np.float64) ** 2 < 0).any())
    assert negative
    assert np.isfinite(w).all()
    moments[0][0] = np.nan
    fastnn.rmsprop_centered_update(w, g, *moments, lr=1e-9, alpha=0.9)
    assert np.isnan(w[0])
    assert np.isfinite(w[1:]).all()
