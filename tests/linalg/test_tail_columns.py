"""Products with the columns that lie in rows behind the panels, over every tile and edge."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from fastnn.intrinsics import VECTOR_BYTES, element, lanes_of
from fastnn.linalg import tail_columns

GUARD = 64


@numba.njit
def forward(x, rows, start, c):
    tail_columns.tail_forward(
        x.shape[0], x.shape[1], rows.shape[0], element(x, 0), x.shape[1], element(rows, 0), element(start, 0),
        element(c, 0), c.shape[1],
    )  # fmt: skip


@numba.njit
def in_lanes(a, a_row, a_k, b, start, c, k):
    tail_columns.tail_product(
        c.shape[0], element(a, 0), a_row, a_k, c.shape[1], lanes_of(c), element(b, 0), b.shape[1], element(start, 0),
        start.shape[1], element(c, 0), c.shape[1], k,
    )  # fmt: skip


def lanes_in(dtype: str) -> int:
    return VECTOR_BYTES // np.dtype(dtype).itemsize


def guarded(shape: tuple[int, int], dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """An array of NaN within another, whose borders must stay as they are."""
    whole = np.full(shape[0] * shape[1] + 2 * GUARD, 7, dtype)
    whole[GUARD:-GUARD] = np.nan
    return whole[GUARD:-GUARD].reshape(shape), whole


def assert_guarded(whole: np.ndarray) -> None:
    np.testing.assert_array_equal(whole[:GUARD], 7)
    np.testing.assert_array_equal(whole[-GUARD:], 7)


def tolerance(dtype: str, length: int) -> float:
    """Of standard normal terms: their sum's size times the walk of its roundings."""
    return 8 * np.finfo(dtype).eps * (1 + length)


@pytest.mark.parametrize("vectors", [1, 2, 5])
@pytest.mark.parametrize("rows", [1, 2, 7, 8, 9, 33])
def test_forward(rows: int, vectors: int, dtype: str, rng: np.random.Generator) -> None:
    """c in rows wider than its one vector, so that neighbours must stay as they are."""
    count = lanes_in(dtype)
    x = rng.standard_normal((rows, vectors * count)).astype(dtype)
    for columns in range(1, 2 * count // 3 + 1):
        others, start = rng.standard_normal((columns, x.shape[1])).astype(dtype), np.zeros(count, dtype)
        start[:columns] = rng.standard_normal(columns)
        c, whole = guarded((rows, 2 * count), dtype)
        c[:, count:] = 7
        forward(x, others, start, c)
        assert_guarded(whole)
        np.testing.assert_array_equal(c[:, count:], 7)
        np.testing.assert_array_equal(c[:, columns:count], 0)
        expected = start[:columns] + x.astype("float64") @ others.T
        np.testing.assert_allclose(c[:, :columns], expected, rtol=0, atol=tolerance(dtype, x.shape[1]))


def test_nan_and_infinity_pass_through(dtype: str) -> None:
    count = lanes_in(dtype)
    x, others = np.ones((3, 4 * count), dtype), np.ones((2, 4 * count), dtype)
    x[0, 3], x[1, -1] = np.nan, np.inf
    c = np.zeros((3, count), dtype)
    forward(x, others, np.zeros(count, dtype), c)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(c[:, :2], x @ others.T)


@pytest.mark.parametrize("vectors", [1, 3, 4, 7])
@pytest.mark.parametrize("rows", [1, 2, 5, 8, 10])
def test_in_lanes(rows: int, vectors: int, dtype: str, rng: np.random.Generator) -> None:
    """Rows of a one after the other, as backward to the inputs, and side by side, as for a gradient, which adds up."""
    width = vectors * lanes_in(dtype)
    for k in (1, 2, 17):
        a, b = rng.standard_normal((rows, k)).astype(dtype), rng.standard_normal((k, width)).astype(dtype)
        expected = a.astype("float64") @ b
        c, whole = guarded((rows, width), dtype)
        start = rng.standard_normal((rows, width)).astype(dtype)
        in_lanes(a, k, 1, b, start, c, k)
        assert_guarded(whole)
        np.testing.assert_allclose(c, start + expected, rtol=0, atol=tolerance(dtype, k))
        c[:] = start
        in_lanes(np.ascontiguousarray(a.T), 1, rows, b, c, c, k)
        assert_guarded(whole)
        np.testing.assert_allclose(c, start + expected, rtol=0, atol=tolerance(dtype, k))
