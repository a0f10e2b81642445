"""Intrinsics: vectors, masked loads and stores, dot tiles, flushed subnormal numbers, borrowed arrays."""

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
    absolute,
    broadcast,
    dot_tile,
    dot_tile_added,
    element,
    flush_subnormals,
    keep_alive,
    lanes_of,
    load,
    masked_load,
    masked_store,
    maximum,
    restore_subnormals,
    sign,
    store,
    where_greater,
)

FLUSHES = platform.machine() in ("x86_64", "AMD64", "aarch64", "arm64")


@numba.njit
def of_two(a, b, results):
    for k in range(0, a.size, lanes_of(a)):
        x, y = load(element(a, k)), load(element(b, k))
        store(maximum(x, y), element(results[0], k))
        store(absolute(x), element(results[1], k))
        store(sign(x), element(results[2], k))
        store(where_greater(x, y, broadcast(a.dtype.type(1)), y), element(results[3], k))


@numba.njit
def twice_and_one(x, y, size):
    masked_store(
        masked_load(element(x, 0), size) * broadcast(x.dtype.type(2)) + broadcast(x.dtype.type(1)),
        element(y, 0),
        size,
    )


@numba.njit
def one_read_by_its_address(size):
    ones = np.ones(size)
    address = element(ones, 0)
    zeros = np.zeros(size)  # in the same memory, were it free by now
    one = address[0]
    keep_alive(ones)
    return one + zeros[-1]


@numba.njit
def product_while_flushed(x, y, products):
    before = flush_subnormals()
    products[0] = x[0] * y[0]
    restore_subnormals(before)
    products[1] = x[0] * y[0]


def test_maximum_absolute_sign_and_choice(dtype: str) -> None:
    values = np.array([0.0, -0.0, 1.5, -1.5, np.inf, -np.inf, np.nan, np.finfo(dtype).tiny], dtype)
    a, b = (np.ascontiguousarray(part.ravel()) for part in np.meshgrid(values, values))
    found = np.full((4, a.size), 7, dtype)
    of_two(a, b, found)
    with np.errstate(invalid="ignore"):
        expected = np.maximum(a, b), np.abs(a), np.sign(a), np.where(a > b, 1, b)
    np.testing.assert_array_equal(found, np.array(expected, dtype))


def test_masked_stores_write_nothing_else(dtype: str) -> None:
    lanes = VECTOR_BYTES // np.dtype(dtype).itemsize
    for size in range(1, lanes + 1):
        x, y = np.full(size, 3, dtype), np.full(2 * lanes, -1, dtype)
        twice_and_one(x, y, size)
        np.testing.assert_array_equal(y[:size], 7)
        np.testing.assert_array_equal(y[size:], -1)


@pytest.mark.parametrize(("rows", "columns"), [(8, 2), (4, 4), (1, 4), (3, 1)])
def test_dot_tile_reads_no_element_outside_its_rows(
    rows: int, columns: int, dtype: str, rng: np.random.Generator
) -> None:
    """NaN follows each row and must not reach the sums."""
    dot_products = dot_tile(rows, columns)

    @numba.njit
    def multiply(a, b, k, sums):
        dot_products(element(a, 0), a.shape[1], element(b, 0), b.shape[1], k, element(sums, 0))

    lanes = VECTOR_BYTES // np.dtype(dtype).itemsize
    for k in (0, 1, lanes - 1, lanes, lanes + 1, 5 * lanes + 3):
        a, b = (np.full((m, k + 3), np.nan, dtype) for m in (rows, columns))
        a[:, :k], b[:, :k] = rng.standard_normal((rows, k)), rng.standard_normal((columns, k))
        vectors = -(-rows * columns // lanes)
        sums = np.full((vectors + 1) * lanes, 7, dtype)
        multiply(a, b, k, sums)
        np.testing.assert_array_equal(sums[vectors * lanes :], 7)
        np.testing.assert_allclose(
            sums[: rows * columns].reshape(rows, columns),
            a[:, :k].astype("float64") @ b[:, :k].T,
            rtol=0,
            atol=8 * np.finfo(dtype).eps * (1 + k),
        )


@pytest.mark.parametrize(("rows", "columns"), [(4, 4), (8, 2), (3, 1)])
def test_dot_tile_is_added_to_its_own_elements_alone(
    rows: int, columns: int, dtype: str, rng: np.random.Generator
) -> None:
    dot_products = dot_tile_added(rows, columns)

    @numba.njit
    def multiply(a, b, k, start, c):
        dot_products(
            element(a, 0), a.shape[1], element(b, 0), b.shape[1], k, element(start, 0), start.shape[1], element(c, 0),
            c.shape[1],
        )  # fmt: skip

    lanes = VECTOR_BYTES // np.dtype(dtype).itemsize
    for k in (0, lanes - 1, 2 * lanes, 3 * lanes + 1):
        a, b, start = (
            rng.standard_normal(shape).astype(dtype) for shape in ((rows, k + 1), (columns, k + 1), (rows, 9))
        )
        start[:, columns:] = np.nan
        c = np.full((rows, 11), 7, dtype)
        multiply(a, b, k, start, c)
        np.testing.assert_array_equal(c[:, columns:], 7)
        expected = start[:, :columns] + a[:, :k].astype("float64") @ b[:, :k].T
        np.testing.assert_allclose(c[:, :columns], expected, rtol=0, atol=8 * np.finfo(dtype).eps * (1 + k))


def test_an_array_is_kept_for_its_address() -> None:
    assert one_read_by_its_address(64) == 1


def test_subnormal_numbers_are_flushed_only_until_restored(dtype: str) -> None:
    tiny = np.finfo(dtype).tiny
    products = np.empty(2, dtype)
    product_while_flushed(np.array([tiny], dtype), np.array([0.5], dtype), products)
    assert products[0] == (0 if FLUSHES else tiny / 2)
    assert products[1] == tiny / 2


@pytest.mark.parametrize("n", [1, 200])
def test_training_step_restores_subnormal_numbers(n: int) -> None:
    net = fastnn.MLP((3, 4, 2))
    net.train_step(np.ones((n, 3), np.float32), np.zeros(n, np.int64), fastnn.Adam())
    assert np.float32(1e-40) * np.float32(0.5) > 0


@pytest.mark.skipif(not FLUSHES, reason="subnormal numbers are numbers here")
@pytest.mark.parametrize("n", [1, 200])  # the rank-one update; a stored gradient
def test_moments_without_a_gradient_decay_to_zero(n: int, dtype: str) -> None:
    """They must not become subnormal numbers, which cost a hundred times as much as normal ones."""
    net, adam = fastnn.MLP((3, 4, 2), dtype=dtype), fastnn.Adam()
    x, t = np.zeros((n, 3), dtype), np.zeros(n, np.int64)
    net.train_step(x, t, adam)
    moments = adam.state(net).moments
    of_weights = moments[0, : net.layout.layers[0].weights_size]
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
def test_leading_dimensions_of_borrowed_arrays_are_flattened(shape: tuple[int, ...], dtype: str) -> None:
    kind = BorrowedArray(numba.from_dtype(np.dtype(dtype)), 2)
    call = doubled_and_shape.compile((kind, kind))
    x = np.arange(np.prod(shape), dtype=dtype).reshape(shape)
    y = np.full_like(x, np.nan)
    references = sys.getrefcount(x)
    rows, columns, step, total = call(x, y)
    assert (rows, columns, step) == (np.prod(shape[:-1], dtype=int), shape[-1], shape[-1] * x.itemsize)
    assert total == x.sum()
    np.testing.assert_array_equal(y, 2 * x)
    assert sys.getrefcount(x) == references


def test_a_borrowed_array_of_no_dimensions_is_one_element() -> None:
    @numba.njit
    def size_and_first(x):
        return x.size, x[0]

    call = size_and_first.compile((BorrowedArray(numba.float64, 1),))
    assert call(np.array(3.0)) == (1, 3.0)
