"""Products with inputs of which many are zero: the list names what is not, and nothing else is read."""

from __future__ import annotations

import itertools

import numba
import numpy as np
import pytest

from fastnn.intrinsics import MR, NR_VECTORS, VECTOR_BYTES, element, lanes_of
from fastnn.linalg import packing, sparse_inputs
from fastnn.linalg.sparse_inputs import _COUNTS, _HEADER, USED
from fastnn.step.plan import BLOCK_ROWS

ROWS = [1, MR - 1, MR, MR + 1, 5 * MR + 3, BLOCK_ROWS]
GUARD = 64


@numba.njit
def find(x, places):
    m, inner = x.shape
    # Two workers' rows, one after the other.
    for begin, end in ((m // MR // 2 * MR, m), (0, m // MR // 2 * MR)):
        sparse_inputs.find_active_columns(begin, end, inner, lanes_of(x), element(x, 0), inner, element(places, 0))
    places[USED] = sparse_inputs.skipping_pays(m, inner, element(places, 0))


@numba.njit
def forward(x, flat, bias, c, places):
    count = lanes_of(x)
    vectors = c.shape[1] // count
    n_panels = packing.panel_count(vectors)
    for begin, end in ((n_panels // 2, n_panels), (0, n_panels // 2)):
        # Two workers' rows again.
        middle = x.shape[0] // MR // 2 * MR
        for top, bottom in ((middle, x.shape[0]), (0, middle)):
            sparse_inputs.sparse_forward(
                top // MR, bottom - top, x.shape[1], vectors, begin, end, count, element(x, top * x.shape[1]),
                x.shape[1], element(flat, 0), element(bias, 0), element(c, top * c.shape[1]), c.shape[1],
                element(places, 0),
            )  # fmt: skip


@numba.njit
def add_gradient(x, dy, flat, top, bottom, places):
    count = lanes_of(x)
    vectors = dy.shape[1] // count
    n_panels = packing.panel_count(vectors)
    for begin, end in ((n_panels // 2, n_panels), (0, n_panels // 2)):
        sparse_inputs.sparse_gradient_panels(
            top, bottom, x.shape[0], x.shape[1], vectors, begin, end, count, element(x, 0), x.shape[1], element(dy, 0),
            dy.shape[1], element(flat, 0), element(places, 0),
        )  # fmt: skip


def count_of(dtype: str) -> int:
    return VECTOR_BYTES // np.dtype(dtype).itemsize


def guarded(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A copy within another array, whose borders must stay as they are."""
    whole = np.full(values.size + 2 * GUARD, 7, values.dtype)
    whole[GUARD:-GUARD] = values.ravel()
    return whole[GUARD:-GUARD].reshape(values.shape), whole


def assert_guarded(whole: np.ndarray) -> None:
    np.testing.assert_array_equal(whole[:GUARD], 7)
    np.testing.assert_array_equal(whole[-GUARD:], 7)


def rows_with_zeros(shape: tuple[int, int], dtype: str, rng: np.random.Generator, share: float = 0.6) -> np.ndarray:
    """Zeros of both signs: that share of each part's columns, and some of the other elements."""
    x = rng.standard_normal(shape).astype(dtype)
    x[rng.random(shape) < 0.3] = -0.0
    for first in range(0, shape[0], MR):
        x[first : first + MR, rng.random(shape[1]) < share] *= 0
    return x


def active_columns(x: np.ndarray) -> np.ndarray:
    places, whole = guarded(np.full(sparse_inputs.active_columns_size(len(x), x.shape[1]), -1, np.int32))
    find(x, places)
    assert_guarded(whole)
    return places


def packed(w: np.ndarray) -> np.ndarray:
    flat = np.zeros(w.shape[0] * packing.padded(w.shape[1], count_of(w.dtype)), w.dtype)
    packing.pack(w, flat, count_of(w.dtype))
    return flat


def padded_rows(a: np.ndarray) -> np.ndarray:
    rows = np.zeros((len(a), packing.padded(a.shape[1], count_of(a.dtype))), a.dtype)
    rows[:, : a.shape[1]] = a
    return rows


def tolerance(dtype: str, length: int) -> float:
    """Of standard normal terms: their sum's size times the walk of its roundings."""
    return 8 * np.finfo(dtype).eps * (1 + length)


@pytest.mark.parametrize("inner", [1, 7, 16, 33, 100])
@pytest.mark.parametrize("m", ROWS)
def test_active_columns_are_those_that_are_not_zero(m: int, inner: int, dtype: str, rng: np.random.Generator) -> None:
    x = rows_with_zeros((m, inner), dtype, rng)
    x[-1, -1] = np.nan
    found = active_columns(x)
    expected = [np.flatnonzero(x[r : r + MR].any(axis=0)) for r in range(0, m - MR + 1, MR)]
    room = len(found[_HEADER:]) // max(1, len(expected))
    for part, columns in enumerate(expected):
        assert found[_COUNTS + part] == len(columns)
        np.testing.assert_array_equal(found[_HEADER + part * room :][: len(columns)], columns)
    named = sum(map(len, expected))
    assert found[USED] == (len(expected) > 0 and 4 * named <= 3 * inner * len(expected))


@pytest.mark.parametrize("vectors", range(1, NR_VECTORS + 3))
@pytest.mark.parametrize("m", ROWS[2:])
def test_products(m: int, vectors: int, dtype: str, rng: np.random.Generator) -> None:
    inner, columns = 45, vectors * count_of(dtype) - 1
    x = rows_with_zeros((m, inner), dtype, rng)
    x[:, 5:20] = 0
    w, bias = rng.standard_normal((inner, columns)).astype(dtype), rng.standard_normal(columns).astype(dtype)
    dy = rng.standard_normal((m, columns)).astype(dtype)
    places = active_columns(x)
    expected = x.astype("float64") @ w + bias
    if m % MR == 0:
        w[5:20] = np.nan  # which is not read
    c, whole = guarded(np.full((m, vectors * count_of(dtype)), np.nan, dtype))
    forward(x, packed(w), padded_rows(bias[None])[0], c, places)
    assert_guarded(whole)
    np.testing.assert_allclose(c[:, :columns], expected, rtol=0, atol=tolerance(dtype, inner))

    flat, whole = guarded(packed(w))
    for top, bottom in ((0, 8), (8, 24), (24, 24), (24, inner)):
        add_gradient(x, padded_rows(dy), flat, top, bottom, places)
    assert_guarded(whole)
    total = np.empty_like(w)
    packing.unpack(flat, total, count_of(dtype))
    np.testing.assert_allclose(total, w + x.T.astype("float64") @ dy, rtol=0, atol=tolerance(dtype, m))


def test_a_row_block_of_more_groups_than_there_are_numbers_for_is_refused() -> None:
    with pytest.raises(ValueError, match="rows: got"):
        sparse_inputs.active_columns_size(_HEADER * MR, 10)


@numba.njit
def sparsity(x, panels, columns):
    return sparse_inputs.sparsity_of(element(x, 0), x.shape[0], x.shape[1], element(panels, 0), columns)


def test_what_is_worth_skipping(dtype: str, rng: np.random.Generator) -> None:
    # Two panels at least, the last of them padded.
    lanes = count_of(dtype)
    columns = 4 * lanes - 1
    w = rng.standard_normal((20, columns)).astype(dtype)
    panels = np.empty(20 * 4 * lanes, dtype)
    packing.pack(w, panels, lanes)
    x = np.zeros((MR, 20), dtype)
    x[:, :10] = 1
    assert sparsity(x, panels, columns) == sparse_inputs.ALWAYS
    assert sparsity(x[1:], panels, columns) == sparse_inputs.GRADIENT, "no group is full"
    assert sparsity(x[:1], panels, columns) == sparse_inputs.NEVER, "one row has a gradient of its own"
    assert sparsity(np.ones_like(x), panels, columns) == sparse_inputs.NEVER
    assert sparsity(x, panels[:0], 0) == sparse_inputs.NEVER, "there is no panel"
    panels[-1] = np.nan
    assert sparsity(x, panels, columns) == sparse_inputs.ALWAYS, "that is padding"
    for number, place in itertools.product((np.nan, np.inf, -np.inf), ((0, 0), (19, 0), (7, columns - 1))):
        spoiled = w.copy()
        spoiled[place] = number
        packing.pack(spoiled, panels, lanes)
        assert sparsity(x, panels, columns) == sparse_inputs.GRADIENT
