"""What the training step calls of a loss: the sum over padded rows, its gradient, and zeros in the padding of both."""

from __future__ import annotations

import numba
import numpy as np
import pytest

import fastnn
from fastnn.intrinsics import VECTOR_BYTES, element

CASES = [
    pytest.param(loss, labels, id=f"{name}-{'labels' if labels else 'rows'}")
    for name, loss in fastnn.Loss.by_name.items()
    for labels in (True, False)
    if (loss.label_sum if labels else loss.row_sum) is not None
]


@pytest.mark.parametrize("columns", [1, 3, 16, 33])
@pytest.mark.parametrize(("loss", "labels"), CASES)
def test_sum_and_gradient(loss: fastnn.Loss, labels: bool, columns: int, dtype: str, rng: np.random.Generator) -> None:
    kernel = loss.label_sum if labels else loss.row_sum

    @numba.njit
    def total(z, columns, t, dz, scale):
        return kernel(element(z, 0), z.shape[0], columns, z.shape[1], t, element(dz, 0), scale)

    lanes = VECTOR_BYTES // np.dtype(dtype).itemsize
    n, row = 5, -(-columns // lanes) * lanes
    z = rng.standard_normal((n, columns)).astype(dtype)
    t = rng.integers(0, columns, n) if labels else rng.random((n, columns)).astype(dtype)
    padded, dz = np.full((n, row), np.nan, dtype), np.full((n, row), np.nan, dtype)
    padded[:, :columns] = z
    terms = n * loss.terms_per_row(columns)
    found = total(padded, columns, t.ctypes.data, dz, 1 / terms)
    expected, gradient = loss.reference(z, t)
    eps = float(np.finfo(dtype).eps)
    assert found / terms == pytest.approx(float(expected), rel=20 * eps, abs=20 * eps)
    np.testing.assert_allclose(dz[:, :columns], gradient, rtol=0, atol=20 * eps)
    np.testing.assert_array_equal(dz[:, columns:], 0)
