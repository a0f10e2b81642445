"""Square roots of vectors."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from fastnn.intrinsics import ESTIMATES_ROOTS, broadcast, element, estimating, lanes_of, load, square_root_times, store


@numba.njit
def roots(x, factor, y):
    for k in range(0, x.size, lanes_of(x)):
        store(square_root_times(load(element(x, k)), broadcast(x.dtype.type(factor))), element(y, k))


@numba.njit
def count_of_other_roots(x):
    """How many roots differ in a bit from those that are not estimated."""
    count = 0
    by_estimate, by_instruction = np.empty(64, x.dtype), np.empty(64, x.dtype)
    for k in range(0, x.size, lanes_of(x)):
        v, one = load(element(x, k)), broadcast(x.dtype.type(1))
        store(square_root_times(estimating(v), one), element(by_estimate, 0))
        store(square_root_times(v, one), element(by_instruction, 0))
        for i in range(lanes_of(x)):
            a, b = by_estimate[i], by_instruction[i]
            same = (a == b and np.signbit(a) == np.signbit(b)) or (np.isnan(a) and np.isnan(b))
            count += not same
    return count


@pytest.mark.parametrize("factor", [1.0, 31.6227766, 1e-5])
def test_square_root_is_at_most_two_units_off(factor: float, dtype: str, rng: np.random.Generator) -> None:
    limits = np.finfo(dtype)
    x = np.exp2(rng.uniform(np.log2(limits.tiny), np.log2(limits.max), 2**16)).astype(dtype)
    x = np.concatenate([x, rng.uniform(0.25, 4, 2**16).astype(dtype), np.array([limits.tiny, limits.max] * 32, dtype)])
    y = np.empty_like(x)
    roots(x, factor, y)
    exact = np.sqrt(x.astype(np.longdouble)) * np.longdouble(np.dtype(dtype).type(factor))
    assert np.max(np.abs(y - exact) / np.spacing(exact.astype(dtype))) <= 2


@pytest.mark.skipif(not ESTIMATES_ROOTS, reason="vectors of this width have one root")
def test_estimated_root_is_that_of_the_instruction() -> None:
    """Of all numbers from 1 to 4, here and at the ends of the range; the others have the same digits."""
    for scale in (2.0**-102, 1.0, 2.0**124):
        x = np.arange(0x3F800000, 0x40800000, dtype=np.uint32).view(np.float32) * np.float32(scale)
        assert count_of_other_roots(x) == 0
    special = np.array([0.0, -0.0, np.inf, np.nan, -1.0, -np.inf, 3e38, 1e-30], np.float32)
    assert count_of_other_roots(special) == 0


def test_square_root_of_zeros_infinities_nan_and_negative_numbers(dtype: str) -> None:
    special = np.array([0.0, -0.0, np.inf, np.nan, -1.0, -np.inf, 4.0, 1.0] * 8, dtype)
    y = np.empty_like(special)
    roots(special, 0.5, y)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(y, np.sqrt(special) / 2)
    assert np.signbit(y[1])
