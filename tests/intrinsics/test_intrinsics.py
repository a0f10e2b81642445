"""Vectors as a type, their square root and parts; the treatment of subnormal numbers; arrays that are lent."""

from __future__ import annotations

import platform
import sys

import numba
import numpy as np
import pytest

import fastnn
from fastnn.intrinsics import (
    VECTOR_BYTES,
    BorrowedArray,
    broadcast,
    dot_tile,
    element,
    flush_subnormals,
    lanes_of,
    load,
    masked_load,
    masked_store,
    restore_subnormals,
    square_root_times,
    store,
)

FLUSHES = platform.machine() in ("x86_64", "AMD64", "aarch64", "arm64")


@numba.njit
def roots(x, factor, y):
    for k in range(0, x.size, lanes_of(x)):
        store(square_root_times(load(element(x, k)), broadcast(x.dtype.type(factor))), element(y, k))


@numba.njit
def twice_and_one(x, y, count):
    masked_store(
        masked_load(element(x, 0), count) * broadcast(x.dtype.type(2)) + broadcast(x.dtype.type(1)),
        element(y, 0),
        count,
    )


@numba.njit
def product_while_flushed(x, y, products):
    before = flush_subnormals()
    products[0] = x[0] * y[0]
    restore_subnormals(before)
    products[1] = x[0] * y[0]


@pytest.mark.parametrize("factor", [1.0, 31.6227766, 1e-5])
def test_square_root_is_at_most_two_units_off(factor: float, dtype: str, rng: np.random.Generator) -> None:
    limits = np.finfo(dtype)
    x = np.exp2(rng.uniform(np.log2(limits.tiny), np.log2(limits.max), 2**16)).astype(dtype)
    x = np.concatenate([x, rng.uniform(0.25, 4, 2**16).astype(dtype), np.array([limits.tiny, limits.max] * 32, dtype)])
    y = np.empty_like(x)
    roots(x, factor, y)
    exact = np.sqrt(x.astype(np.longdouble)) * np.longdouble(np.dtype(dtype).type(factor))
    assert np.max(np.abs(y - exact) / np.spacing(exact.astype(dtype))) <= 2


def test_square_root_of_what_is_no_positive_number(dtype: str) -> None:
    special = np.array([0.0, -0.0, np.inf, np.nan, -1.0, -np.inf, 4.0, 1.0] * 8, dtype)
    y = np.empty_like(special)
    roots(special, 0.5, y)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(y, np.sqrt(special) / 2)
    assert np.signbit(y[1])


def test_parts_of_a_vector_touch_nothing_else(dtype: str) -> None:
    per_vector = VECTOR_BYTES // np.dtype(dtype).itemsize
    for count in range(1, per_vector + 1):
        x, y = np.full(count, 3, dtype), np.full(2 * per_vector, -1, dtype)
        twice_and_one(x, y, count)
        np.testing.assert_array_equal(y[:count], 7)
        np.testing.assert_array_equal(y[count:], -1)


@pytest.mark.parametrize(("rows", "columns"), [(8, 2), (4, 4), (1, 4), (3, 1)])
def test_products_along_rows(rows: int, columns: int, dtype: str, rng: np.random.Generator) -> None:
    """NaN around each row: only its own elements are read."""
    products = dot_tile(rows, columns)

    @numba.njit
    def multiply(a, b, k, sums):
        products(element(a, 0), a.shape[1], element(b, 0), b.shape[1], k, element(sums, 0))

    per_vector = VECTOR_BYTES // np.dtype(dtype).itemsize
    for k in (0, 1, per_vector - 1, per_vector, per_vector + 1, 5 * per_vector + 3):
        a, b = (np.full((m, k + 3), np.nan, dtype) for m in (rows, columns))
        a[:, :k], b[:, :k] = rng.standard_normal((rows, k)), rng.standard_normal((columns, k))
        vectors = -(-rows * columns // per_vector)
        sums = np.full((vectors + 1) * per_vector, 7, dtype)
        multiply(a, b, k, sums)
        np.testing.assert_array_equal(sums[vectors * per_vector :], 7)
        np.testing.assert_allclose(
            sums[: rows * columns].reshape(rows, columns),
            a[:, :k].astype("float64") @ b[:, :k].T,
            rtol=0,
            atol=8 * np.finfo(dtype).eps * (1 + k),
        )


def test_subnormal_numbers_are_zero_only_meanwhile(dtype: str) -> None:
    tiny = np.finfo(dtype).tiny
    products = np.empty(2, dtype)
    product_while_flushed(np.array([tiny], dtype), np.array([0.5], dtype), products)
    assert products[0] == (0 if FLUSHES else tiny / 2)
    assert products[1] == tiny / 2


@pytest.mark.parametrize("n", [1, 200])
def test_training_leaves_subnormal_numbers_to_python(n: int) -> None:
    net = fastnn.MLP((3, 4, 2))
    net.train_step(np.ones((n, 3), np.float32), np.zeros(n, np.int64), fastnn.Adam())
    assert np.float32(1e-40) * np.float32(0.5) > 0


@pytest.mark.skipif(not FLUSHES, reason="subnormal numbers are numbers here")
@pytest.mark.parametrize("n", [1, 200])  # the update of one tile; of a stored gradient
def test_moments_without_a_gradient_decay_to_zero(n: int, dtype: str) -> None:
    """And not to subnormal numbers, each of which costs a hundred times as much as any other."""
    net, adam = fastnn.MLP((3, 4, 2), dtype=dtype), fastnn.Adam()
    x, t = np.zeros((n, 3), dtype), np.zeros(n, np.int64)
    net.train_step(x, t, adam)
    moments = adam.state(net, net._parameters).moments
    of_weights = moments[0, : 3 * net._lanes]
    of_weights[:] = np.finfo(dtype).tiny
    net.train_step(x, t, adam)
    np.testing.assert_array_equal(of_weights, 0)


@numba.njit
def doubled_and_shape(x, y):
    rows, columns = x.shape
    for r in range(rows):
        for c in range(columns):
            y[r, c] = 2 * x[r, c]
    return rows, columns, x.strides[0], x.sum()


@pytest.mark.parametrize("shape", [(5,), (3, 5), (2, 3, 5), (2, 1, 3, 5), (0, 5), (2, 0, 5), (3, 0)])
def test_lent_arrays_have_their_leading_dimensions_flattened(shape: tuple[int, ...], dtype: str) -> None:
    lent = BorrowedArray(numba.from_dtype(np.dtype(dtype)), 2)
    call = doubled_and_shape.compile((lent, lent))
    x = np.arange(np.prod(shape), dtype=dtype).reshape(shape)
    y = np.full_like(x, np.nan)
    holders = sys.getrefcount(x)
    rows, columns, step, total = call(x, y)
    assert (rows, columns, step) == (np.prod(shape[:-1], dtype=int), shape[-1], shape[-1] * x.itemsize)
    assert total == x.sum()
    np.testing.assert_array_equal(y, 2 * x)
    assert sys.getrefcount(x) == holders


def test_a_lent_number_is_one_element() -> None:
    @numba.njit
    def size_and_first(x):
        return x.size, x[0]

    call = size_and_first.compile((BorrowedArray(numba.float64, 1),))
    assert call(np.array(3.0)) == (1, 3.0)
