"""Panels and the products on them, over sizes that reach every tile, every edge and every way through."""

from __future__ import annotations

from itertools import pairwise

import numba
import numpy as np
import pytest
from numba.core import types

from fastnn.intrinsics import MR, NR_VECTORS, VECTOR_BYTES, element, lanes_of
from fastnn.linalg import few_rows, few_rows_gradient, gemm, gemv, packing

# Rows that need every smaller tile; columns of one lane, one vector, one panel, uneven packing.
ROWS = (1, 2, 3, 7, 8, 12, 15, 33)
INNER = (1, 2, 5, 17, 64)
COLUMNS = (1, 3, 15, 16, 17, 31, 48, 50, 64, 100, 300)
GUARD = 64

# Of blocks of k: one term, some, all. Columns that are copied together: none, some, more than there are.
DEPTHS = (1, 7, 1000)
STRIPS = (0, MR, 5 * MR)


def count_of(dtype: str) -> int:
    return VECTOR_BYTES // np.dtype(dtype).itemsize


def width_of(columns: int, dtype: str) -> int:
    return -(-columns // count_of(dtype)) * count_of(dtype)


def guarded(size: int, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """An array of NaN within another, whose borders must stay as they are."""
    whole = np.full(size + 2 * GUARD, np.nan, dtype)
    whole[:GUARD] = whole[GUARD + size :] = 7
    return whole[GUARD : GUARD + size], whole


def assert_guarded(whole: np.ndarray) -> None:
    np.testing.assert_array_equal(whole[:GUARD], 7)
    np.testing.assert_array_equal(whole[-GUARD:], 7)


def packed(w: np.ndarray) -> np.ndarray:
    flat, whole = guarded(w.shape[0] * width_of(w.shape[1], w.dtype.name), w.dtype.name)
    packing.pack(w, flat, count_of(w.dtype.name))
    assert_guarded(whole)
    return flat


def padded_rows(rows: np.ndarray) -> np.ndarray:
    wide = np.zeros((len(rows), width_of(rows.shape[1], rows.dtype.name)), rows.dtype)
    wide[:, : rows.shape[1]] = rows
    return wide


@numba.njit
def forward(x, flat, start, y, depth):
    count = lanes_of(x)
    vectors = start.size // count
    n_panels = packing.panel_count(vectors)
    # Two workers' panels, one after the other.
    for begin, end in ((n_panels // 2, n_panels), (0, n_panels // 2)):
        gemm.multiply_panels(
            x.shape[0], x.shape[1], vectors, begin, end, count, element(x, 0), x.shape[1], element(flat, 0),
            element(start, 0), 0, element(y, 0), start.size, depth, False,
        )  # fmt: skip


@numba.njit
def transpose_panels(flat, inner, columns, transposed):
    packing.transpose_panels(element(flat, 0), inner, columns, element(transposed, 0), lanes_of(flat))


@numba.njit
def add_gradient(x, dy, flat, top, bottom, strip, packed_dy, copies):
    count = lanes_of(x)
    m, vectors = x.shape[0], dy.shape[1] // count
    for begin, end in ((m // 3, m), (0, m // 3)):
        gemm.pack_rows(m, begin, end, vectors, count, element(dy, 0), dy.shape[1], element(packed_dy, 0))
    n_panels = packing.panel_count(vectors)
    for begin, end in ((n_panels // 2, n_panels), (0, n_panels // 2)):
        gemm.accumulate_transposed(
            top, bottom, m, x.shape[1], vectors, begin, end, count, element(x, 0), x.shape[1], strip,
            element(packed_dy, 0), element(flat, 0), element(copies, 0),
        )  # fmt: skip


@numba.njit
def add_few_rows(x, dy, flat, top, bottom):
    count = lanes_of(x)
    vectors = dy.shape[1] // count
    n_panels = packing.panel_count(vectors)
    for begin, end in ((n_panels // 2, n_panels), (0, n_panels // 2)):
        few_rows_gradient.accumulate_few_rows(
            top, bottom, x.shape[0], x.shape[1], vectors, begin, end, count, element(x, 0), x.shape[1], element(dy, 0),
            dy.shape[1], element(flat, 0),
        )  # fmt: skip


@numba.njit
def few_rows_back(dy, columns, flat, zeros, dx, inner):
    for top, bottom in ((inner // 3, inner), (0, inner // 3)):
        few_rows.multiply_transposed(
            dy.shape[0], inner, top, bottom, columns, lanes_of(dx), element(dy, 0), dy.shape[1], element(flat, 0),
            element(dx, 0), dx.shape[1], element(zeros, 0),
        )  # fmt: skip


@numba.njit
def row_back(dy, columns, flat, dx, inner):
    for top, bottom in ((inner // 3, inner), (0, inner // 3)):
        gemv.gemv_transposed(
            inner, top, bottom, columns, lanes_of(dx), element(dy, 0), element(flat, 0), element(dx, 0), dx.size
        )


def tolerance(dtype: str, length: int) -> float:
    """Of standard normal terms: their sum's size times the walk of its roundings."""
    return 8 * np.finfo(dtype).eps * (1 + length)


@pytest.mark.parametrize("columns", COLUMNS)
@pytest.mark.parametrize("inner", INNER)
def test_packing_and_back(inner: int, columns: int, dtype: str, rng: np.random.Generator) -> None:
    w = rng.standard_normal((inner, columns)).astype(dtype)
    flat, count = packed(w), count_of(dtype)
    assert np.count_nonzero(flat) == w.size, "padding is zero"
    back = np.empty_like(w)
    packing.unpack(flat, back, count)
    np.testing.assert_array_equal(back, w)
    expected = packed(np.ascontiguousarray(w.T))
    turned, whole = guarded(expected.size, dtype)
    transpose_panels(flat, inner, columns, turned)
    assert_guarded(whole)
    np.testing.assert_array_equal(turned, expected)


@pytest.mark.parametrize("columns", COLUMNS)
@pytest.mark.parametrize("inner", INNER)
def test_products(inner: int, columns: int, dtype: str, rng: np.random.Generator) -> None:
    for rows in ROWS:
        x, dy = rng.standard_normal((rows, inner)).astype(dtype), rng.standard_normal((rows, columns)).astype(dtype)
        w, b = rng.standard_normal((inner, columns)).astype(dtype), rng.standard_normal(columns).astype(dtype)
        flat, width = packed(w), width_of(columns, dtype)

        expected = x.astype("float64") @ w + b
        for depth in DEPTHS:
            y, whole = guarded(rows * width, dtype)
            forward(x, flat, padded_rows(b[None])[0], y, depth)
            assert_guarded(whole)
            np.testing.assert_allclose(y.reshape(rows, width)[:, :columns], expected, atol=tolerance(dtype, inner))
            np.testing.assert_array_equal(y.reshape(rows, width)[:, columns:], 0)

        expected, middle, found = w + x.astype("float64").T @ dy, inner // 2 // MR * MR, np.empty_like(w)
        for strip in STRIPS:
            total, whole = guarded(flat.size, dtype)
            total[:] = flat
            packed_dy, whole_dy = guarded(rows * width, dtype)
            copies, whole_copies = guarded(rows * strip, dtype)
            add_gradient(x, padded_rows(dy), total, 0, middle, strip, packed_dy, copies)
            add_gradient(x, padded_rows(dy), total, middle, inner, strip, packed_dy, copies)
            for each in (whole, whole_dy, whole_copies):
                assert_guarded(each)
            packing.unpack(total, found, count_of(dtype))
            np.testing.assert_allclose(found, expected, atol=tolerance(dtype, rows))

        dx, whole = guarded(rows * width_of(inner, dtype), dtype)
        # An update may leave NaN in what fills up rows of w.
        holed, rows_of_dy = np.where(packed(np.ones_like(w)) == 0, np.nan, flat), padded_rows(dy)
        rows_of_dy[:, columns:] = np.nan
        few_rows_back(rows_of_dy, columns, holed, np.zeros(max(inner, width), dtype), dx.reshape(rows, -1), inner)
        assert_guarded(whole)
        expected = dy.astype("float64") @ w.T
        np.testing.assert_allclose(dx.reshape(rows, -1)[:, :inner], expected, atol=tolerance(dtype, columns))
        np.testing.assert_array_equal(dx.reshape(rows, -1)[:, inner:], 0)

        dx, whole = guarded(width_of(inner, dtype), dtype)
        dx[:] = np.nan
        row = padded_rows(dy)[0]
        row[columns:] = np.nan
        row_back(row, columns, flat, dx, inner)
        assert_guarded(whole)
        np.testing.assert_allclose(dx[:inner], expected[0], atol=tolerance(dtype, columns))
        np.testing.assert_array_equal(dx[inner:], 0)


@pytest.mark.parametrize("columns", COLUMNS)
@pytest.mark.parametrize("m", [1, 3, 7])
def test_gradient_of_few_rows_leaves_out_rows_of_zero(
    m: int, columns: int, dtype: str, rng: np.random.Generator
) -> None:
    a, dy = rng.standard_normal((m, 33)).astype(dtype), rng.standard_normal((m, columns)).astype(dtype)
    a[rng.random(a.shape) < 0.5] = -0.0
    a[:, rng.permutation(33)[:20]] = 0
    w = rng.standard_normal((33, columns)).astype(dtype)
    zero = ~a.any(axis=0)
    w[zero] = -0.0  # which only stays where nothing is added: -0.0 + 0.0 is 0.0
    flat = packed(w)
    total, whole = guarded(flat.size, dtype)
    total[:] = flat
    add_few_rows(a, padded_rows(dy), total, 0, 16)
    add_few_rows(a, padded_rows(dy), total, 16, 33)
    assert_guarded(whole)
    found = np.empty_like(w)
    packing.unpack(total, found, count_of(dtype))
    np.testing.assert_allclose(found, w + a.T.astype("float64") @ dy, atol=tolerance(dtype, m))
    assert np.signbit(found[zero]).all()


@pytest.mark.parametrize("m", [1, 7])
def test_gradient_of_few_rows_of_many_columns(m: int, dtype: str, rng: np.random.Generator) -> None:
    """More than are written down at once."""
    a, dy = rng.standard_normal((m, 2500)).astype(dtype), rng.standard_normal((m, 3)).astype(dtype)
    a[:, rng.permutation(2500)[:2000]] = 0
    a[-1, 1030] = np.nan
    w = rng.standard_normal((2500, 3)).astype(dtype)
    flat = packed(w)
    add_few_rows(a, padded_rows(dy), flat, 0, 2500)
    found = np.empty_like(w)
    packing.unpack(flat, found, count_of(dtype))
    np.testing.assert_allclose(found, w + a.T.astype("float64") @ dy, atol=tolerance(dtype, m))


@pytest.mark.parametrize("m", [1, 7])
@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_zero_times_what_is_not_finite_is_nan(number: float, m: int, dtype: str) -> None:
    a, dy, w = np.zeros((m, 40), dtype), np.ones((m, 3), dtype), np.ones((40, 3), dtype)
    a[0, 7], dy[-1, 1] = 1, number
    flat = packed(w)
    add_few_rows(a, padded_rows(dy), flat, 0, 40)
    found = np.empty_like(w)
    packing.unpack(flat, found, count_of(dtype))
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(found, w + a.T @ dy)


def test_a_row_is_the_same_to_the_bit_whatever_the_others(dtype: str, rng: np.random.Generator) -> None:
    """So that results do not depend on how rows are shared, nor on which tile of panels a row begins."""
    dy, w = padded_rows(rng.standard_normal((5, 700)).astype(dtype)), rng.standard_normal((21, 700)).astype(dtype)
    zeros, width = np.zeros(1024, dtype), width_of(21, dtype)
    together, alone = np.empty((5, width), dtype), np.empty((1, width), dtype)
    few_rows_back(dy, 700, packed(w), zeros, together, 21)
    np.testing.assert_allclose(together[:, :21], dy[:, :700].astype("float64") @ w.T, atol=tolerance(dtype, 700))
    for r in range(5):
        few_rows_back(dy[r : r + 1], 700, packed(w), zeros, alone, 21)
        np.testing.assert_array_equal(alone[0], together[r])


@pytest.mark.parametrize("vectors", range(1, NR_VECTORS + 1))
def test_parts_of_the_rows_have_the_sums_of_all(vectors: int, dtype: str, rng: np.random.Generator) -> None:
    """Whichever micro-tiles each row is in: parts begin with groups of MR rows."""
    inner, width = 37, vectors * count_of(dtype)
    x, flat = rng.standard_normal((60, inner)).astype(dtype), packed(rng.standard_normal((inner, width)).astype(dtype))
    start, y = np.zeros(width, dtype), np.empty((60, width), dtype)
    for m in range(1, 61):
        forward(x[:m], flat, start, y[:m], 1000)
        expected = y[:m].copy()
        for workers in (2, 3, 5):
            y[:m] = np.nan
            cuts = [packing.part_start(m, worker, workers) for worker in range(workers + 1)]
            for begin, end in pairwise(cuts):
                if begin < end:
                    forward(x[begin:end], flat, start, y[begin:end], 1000)
            np.testing.assert_array_equal(y[:m], expected)


@pytest.mark.skipif(VECTOR_BYTES == 16, reason="no wide registers")
def test_micro_kernel_uses_fused_products_of_whole_registers() -> None:
    row = types.CPointer(types.float32), types.int64
    # Not as kept on disk, where there is no assembly.
    product, whole = numba.njit(fastmath={"contract"})(gemm.panel_product.unit._copied.py_func), types.int64
    product.compile((whole, whole, *row, whole, *row, *row, *row, whole, whole, *row))
    register = {32: "%ymm", 64: "%zmm"}[VECTOR_BYTES]
    lines = "".join(product.inspect_asm().values()).splitlines()
    assert sum("vfmadd" in line and "ps" in line and register in line for line in lines) >= MR * NR_VECTORS


def test_nan_and_infinity_pass_through(dtype: str) -> None:
    x = np.array([[np.nan, 1.0], [np.inf, 1.0], [1.0, 1.0]], dtype)
    w = np.ones((2, 3), dtype)
    y = np.zeros((3, width_of(3, dtype)), dtype)
    forward(x, packed(w), np.zeros(width_of(3, dtype), dtype), y.reshape(-1), 1000)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(y[:, :3], x @ w)
