"""How a layer lies: weights come back as they were, padding is zero, tail columns are rows behind the panels."""

from __future__ import annotations

import numpy as np
import pytest

from fastnn.intrinsics import VECTOR_BYTES
from fastnn.linalg.layout import LayerLayout, ParameterLayout


def lanes_in(dtype: str) -> int:
    return VECTOR_BYTES // np.dtype(dtype).itemsize


@pytest.mark.parametrize("outputs", [1, 2, 3, 10, 15, 16, 17, 48, 50, 59, 100])
@pytest.mark.parametrize("inputs", [1, 8, 16, 33, 64])
def test_weights_and_back(inputs: int, outputs: int, dtype: str, rng: np.random.Generator) -> None:
    layer = LayerLayout(inputs, outputs, lanes_in(dtype))
    w = rng.standard_normal((inputs, outputs)).astype(dtype)
    whole = np.full(layer.weights_size + 2, 7, dtype)
    flat = whole[1:-1]
    flat[:] = np.nan
    layer.pack(w, flat)
    assert whole[0] == whole[-1] == 7
    assert np.count_nonzero(flat) == w.size, "padding is zero"
    back = np.full_like(w, np.nan)
    layer.unpack(flat, back)
    np.testing.assert_array_equal(back, w)
    tail = flat[layer.panels_size :].reshape(layer.tail, inputs)
    np.testing.assert_array_equal(tail, w[:, outputs - layer.tail :].T)


@pytest.mark.parametrize("lanes", [4, 8, 16])
def test_only_few_columns_along_whole_vectors_are_tail_columns(lanes: int) -> None:
    assert LayerLayout(2 * lanes, 3 * lanes + 2, lanes).tail == 2
    assert LayerLayout(2 * lanes, 1, lanes).tail == 1
    assert LayerLayout(2 * lanes, 3 * lanes, lanes).tail == 0
    assert LayerLayout(2 * lanes, 4 * lanes - 1, lanes).tail == 0, "most of a vector"
    assert LayerLayout(2 * lanes + 1, 3 * lanes + 2, lanes).tail == 0, "its rows would not be whole vectors"


@pytest.mark.parametrize(
    ("inputs", "outputs", "weights", "bias", "transposed"),
    [
        pytest.param(784, 50, 784 * 50, 64, 784 * 48, id="panels and tail columns"),
        pytest.param(128, 10, 128 * 10, 16, 0, id="all tail columns"),
        pytest.param(64, 60, 64 * 64, 64, 64 * 60, id="padded, most of a vector"),
        pytest.param(33, 50, 33 * 64, 64, 48 * 50, id="padded, uneven inputs"),
        pytest.param(64, 48, 64 * 48, 48, 64 * 48, id="whole vectors"),
    ],
)
def test_sizes_with_sixteen_lanes(inputs: int, outputs: int, weights: int, bias: int, transposed: int) -> None:
    layer = LayerLayout(inputs, outputs, 16)
    assert layer.weights_size == weights
    assert layer.size == weights + bias
    assert layer.transposed_size == transposed


def test_parameters_of_a_net_and_back(dtype: str, rng: np.random.Generator) -> None:
    layout = ParameterLayout((32, 17, 9, 2), lanes_in(dtype))
    arrays = [rng.standard_normal(shape).astype(dtype) for shape in layout.shapes]
    flat = np.full(layout.size, np.nan, dtype)
    layout.pack(arrays, flat)
    assert np.count_nonzero(flat) == sum(a.size for a in arrays)
    for found, expected in zip(layout.unpack(flat), arrays, strict=True):
        np.testing.assert_array_equal(found, expected)
