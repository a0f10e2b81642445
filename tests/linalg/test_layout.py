"""How a layer lies: weights come back as they were, padding is zero, the remainder lies in rows behind the panels."""

from __future__ import annotations

import numpy as np
import pytest

from fastnn.intrinsics import VECTOR_BYTES
from fastnn.linalg import layout


def lanes_of(dtype: str) -> int:
    return VECTOR_BYTES // np.dtype(dtype).itemsize


@pytest.mark.parametrize("outputs", [1, 2, 3, 10, 15, 16, 17, 48, 50, 59, 100])
@pytest.mark.parametrize("inputs", [1, 8, 16, 33, 64])
def test_weights_and_back(inputs: int, outputs: int, dtype: str, rng: np.random.Generator) -> None:
    lanes = lanes_of(dtype)
    w = rng.standard_normal((inputs, outputs)).astype(dtype)
    size = layout.weights_size(inputs, outputs, lanes)
    whole = np.full(size + 2, 7, dtype)
    flat = whole[1:-1]
    flat[:] = np.nan
    layout.pack_weights(w, flat, lanes)
    assert whole[0] == whole[-1] == 7
    assert np.count_nonzero(flat) == w.size, "padding is zero"
    back = np.full_like(w, np.nan)
    layout.unpack_weights(flat, back, lanes)
    np.testing.assert_array_equal(back, w)
    remainder = layout.tail_columns(inputs, outputs, lanes)
    behind = flat[size - remainder * inputs :].reshape(remainder, inputs)
    np.testing.assert_array_equal(behind, w[:, outputs - remainder :].T)


@pytest.mark.parametrize("lanes", [4, 8, 16])
def test_only_few_columns_along_whole_vectors_are_a_remainder(lanes: int) -> None:
    assert layout.tail_columns(2 * lanes, 3 * lanes + 2, lanes) == 2
    assert layout.tail_columns(2 * lanes, 1, lanes) == 1
    assert layout.tail_columns(2 * lanes, 3 * lanes, lanes) == 0
    assert layout.tail_columns(2 * lanes, 4 * lanes - 1, lanes) == 0, "most of a vector"
    assert layout.tail_columns(2 * lanes + 1, 3 * lanes + 2, lanes) == 0, "its rows would not be whole vectors"


@pytest.mark.parametrize(
    ("inputs", "outputs", "weights", "bias", "transposed"),
    [
        pytest.param(784, 50, 784 * 50, 64, 784 * 48, id="panels and a remainder"),
        pytest.param(128, 10, 128 * 10, 16, 0, id="all remainder"),
        pytest.param(64, 60, 64 * 64, 64, 64 * 60, id="padded, most of a vector"),
        pytest.param(33, 50, 33 * 64, 64, 48 * 50, id="padded, uneven inputs"),
        pytest.param(64, 48, 64 * 48, 48, 64 * 48, id="whole vectors"),
    ],
)
def test_sizes_with_sixteen_lanes(inputs: int, outputs: int, weights: int, bias: int, transposed: int) -> None:
    assert layout.weights_size(inputs, outputs, 16) == weights
    assert layout.layer_size(inputs, outputs, 16) == weights + bias
    assert layout.transposed_size(inputs, outputs, 16) == transposed
