"""The affine kernels over every way through them: edges of vectors, panels, tiles, blocks and shares of workers."""

from __future__ import annotations

import itertools

import numba
import numpy as np
import pytest

import fastnn
from fastnn.intrinsics import VECTOR_BYTES, element, lanes_of
from fastnn.linalg import affine
from fastnn.linalg.transpose import transpose
from fastnn.ops.specialization import Specialization
from fastnn.threads import PARALLEL_REGION

# Below, at and above a tile and a block; widths below, at and above a vector, a panel, and two that do not come out.
ROWS = (0, 1, 2, 3, 8, 9, 15, 40, 127, 129, 300)
WIDTHS = (1, 2, 3, 8, 10, 16, 17, 33, 48, 50, 100)
# Rows that fall into the same sets of a first-level cache, which are copied or taken a few at a time.
CONFLICTING = ((1024, 10), (1024, 50), (10, 1024))
# Long rows by few columns, alone or beside whole vectors, products along rows: ends that fill no vector, and more than
# is multiplied at once.
LONG = (
    (70, 50),
    (140, 58),
    (513, 17),
    (140, 5),
    (140, 10),
    (513, 2),
    (600, 10),
    (1030, 3),
    (140, 7),
    (520, 11),
    (70, 13),
)
GUARD = 64


def guarded(shape: tuple[int, ...], dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """An array of NaN within another, whose borders must stay as they are."""
    size = int(np.prod(shape))
    whole = np.full(size + 2 * GUARD, np.nan, dtype)
    whole[:GUARD] = whole[GUARD + size :] = 7
    return whole[GUARD : GUARD + size].reshape(shape), whole


def assert_guarded(*wholes: np.ndarray) -> None:
    for whole in wholes:
        np.testing.assert_array_equal(whole[:GUARD], 7)
        np.testing.assert_array_equal(whole[-GUARD:], 7)


def between_nans(array: np.ndarray) -> np.ndarray:
    """The same array between NaN: whatever is read beyond its ends must not be used."""
    whole = np.full(array.size + 2 * GUARD, np.nan, array.dtype)
    inside = whole[GUARD : GUARD + array.size].reshape(array.shape)
    inside[...] = array
    return inside


def drawn(rng: np.random.Generator, dtype: str, *shapes: tuple[int, ...]) -> list[np.ndarray]:
    return [between_nans(rng.standard_normal(shape).astype(dtype)) for shape in shapes]


def tolerance(dtype: str, length: int) -> float:
    """Of standard normal terms: their sum's size times the walk of its roundings."""
    return 8 * np.finfo(dtype).eps * (1 + length)


@pytest.mark.parametrize(
    ("inputs", "outputs"), [*itertools.product(WIDTHS, WIDTHS), (70, 512), (70, 600), (70, 1024), *CONFLICTING, *LONG]
)
def test_forward(inputs: int, outputs: int, dtype: str, rng: np.random.Generator) -> None:
    for n in ROWS:
        x, w, b = drawn(rng, dtype, (n, inputs), (inputs, outputs), (outputs,))
        y, whole = guarded((n, outputs), dtype)
        affine.affine_forward(x, w, b, y)
        assert_guarded(whole)
        np.testing.assert_allclose(
            y, x.astype("float64") @ w + b, rtol=0, atol=tolerance(dtype, inputs), err_msg=f"{n}"
        )


@pytest.mark.parametrize("outputs", [1, 5, 20, 100])
def test_forward_without_inputs(outputs: int, dtype: str) -> None:
    """A bare kernel takes them."""
    for n in (1, 2, 40, 130):
        b, y = np.arange(outputs).astype(dtype), np.full((n, outputs), np.nan, dtype)
        affine.affine_forward(np.empty((n, 0), dtype), np.empty((0, outputs), dtype), b, y)
        np.testing.assert_array_equal(y, np.tile(b, (n, 1)))


@pytest.mark.parametrize("vectors", [6, 7])
@pytest.mark.parametrize("inputs", [1, 4, 11])
def test_one_row_wherever_its_weights_begin(inputs: int, vectors: int, dtype: str, rng: np.random.Generator) -> None:
    """Vectors begin at cache lines, and the rest of each row comes in parts."""
    item = np.dtype(dtype).itemsize
    outputs = vectors * VECTOR_BYTES // item
    x, b = drawn(rng, dtype, (1, inputs), (outputs,))
    for shift in range(64 // item):
        around = np.full(inputs * outputs + 2 * GUARD + 64, np.nan, dtype)
        begin = GUARD + (-around.ctypes.data // item - GUARD) % (64 // item) + shift
        w = around[begin : begin + inputs * outputs].reshape(inputs, outputs)
        assert w.ctypes.data % 64 == shift * item
        w[...] = rng.standard_normal(w.shape)
        y, whole = guarded((1, outputs), dtype)
        affine.affine_forward(x, w, b, y)
        assert_guarded(whole)
        np.testing.assert_allclose(y, x.astype("float64") @ w + b, rtol=0, atol=tolerance(dtype, inputs))


@pytest.mark.parametrize(
    ("inputs", "outputs"), [*itertools.product(WIDTHS, WIDTHS), (10, 140), (7, 140), (3, 600), *CONFLICTING]
)
def test_backward(inputs: int, outputs: int, dtype: str, rng: np.random.Generator) -> None:
    for n in ROWS:
        dy, x, w = drawn(rng, dtype, (n, outputs), (n, inputs), (inputs, outputs))
        (dx, a), (dw, b), (db, c) = (guarded(shape, dtype) for shape in (x.shape, w.shape, (outputs,)))
        affine.affine_backward(dy, x, w, dx, dw, db)
        assert_guarded(a, b, c)
        wide = dy.astype("float64")
        np.testing.assert_allclose(dx, wide @ w.T, rtol=0, atol=tolerance(dtype, outputs), err_msg=f"{n}")
        np.testing.assert_allclose(dw, x.T.astype("float64") @ dy, rtol=0, atol=tolerance(dtype, n), err_msg=f"{n}")
        np.testing.assert_allclose(db, wide.sum(0), rtol=0, atol=tolerance(dtype, n), err_msg=f"{n}")


@numba.njit
def turned(source, target):
    rows, columns = source.shape
    transpose(rows, columns, lanes_of(source), element(source, 0), columns, element(target, 0), rows)


def test_transpose(dtype: str, rng: np.random.Generator) -> None:
    for rows, columns in itertools.product(WIDTHS, WIDTHS):
        source = between_nans(rng.standard_normal((rows, columns)).astype(dtype))
        target, whole = guarded((columns, rows), dtype)
        turned(source, target)
        assert_guarded(whole)
        np.testing.assert_array_equal(target, source.T)


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="one CPU")
@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [(300, 50), (8, 128), (128, 10), (33, 33), (3, 2), (70, 600), (1024, 10), (520, 11), (7, 140)],
)
def test_any_number_of_workers_gives_the_same_bits(
    inputs: int, outputs: int, dtype: str, rng: np.random.Generator
) -> None:
    for n in (0, 1, 9, 17, 100, 300):
        dy, x, w, b = drawn(rng, dtype, (n, outputs), (n, inputs), (inputs, outputs), (outputs,))
        found = []
        for workers in (1, 2, 3, 7):
            results, wholes = zip(
                *(guarded(shape, dtype) for shape in (dy.shape, x.shape, w.shape, b.shape)), strict=True
            )
            affine.parallel_affine_forward(x, w, b, results[0], PARALLEL_REGION, workers)
            affine.parallel_affine_backward(dy, x, w, *results[1:], PARALLEL_REGION, workers)
            assert_guarded(*wholes)
            found.append(results)
        alone = [np.empty_like(array) for array in found[0]]
        affine.affine_forward(x, w, b, alone[0])
        affine.affine_backward(dy, x, w, *alone[1:])
        for results in found:
            for one, many in zip(alone, results, strict=True):
                np.testing.assert_array_equal(many, one)


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="one CPU")
def test_large_products_are_shared_between_threads(
    dtype: str, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, compile_parallel = [], Specialization.compile_parallel

    def recording(self):
        own = compile_parallel(self)
        return lambda *args: (asked.append(args[-1]), own(*args))

    monkeypatch.setattr(Specialization, "compile_parallel", recording)
    dy, x, w, b = drawn(rng, dtype, (400, 200), (400, 300), (300, 200), (200,))
    results, before = [], fastnn.get_num_threads()
    try:
        for threads in (1, 2):
            fastnn.set_num_threads(threads)
            results.append([fastnn.affine_forward(x, w, b), *fastnn.affine_backward(dy, x, w)])
        fastnn.affine_forward(x[:8], w, b)
    finally:
        fastnn.set_num_threads(before)
    assert asked == [2, 2], "large products, and only with several threads"
    for one, two in zip(*results, strict=True):
        np.testing.assert_array_equal(one, two)
