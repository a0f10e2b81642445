"""What the training step calls of a loss: the sum over padded rows, its gradient, and zeros in the padding of both."""

from __future__ import annotations

import numba
import numpy as np
import pytest

import fastnn
from fastnn.intrinsics import VECTOR_BYTES, element
from fastnn.losses import ChosenLoss
from fastnn.step.plan import loss_of

CASES = [
    pytest.param(loss, labels, weighted, id=f"{name}-{'labels' if labels else 'rows'}{'-weighted' if weighted else ''}")
    for name, loss in fastnn.Loss.by_name.items()
    for labels in (True, False)
    for weighted in (False, True)
    if (loss.label_sum if labels else loss.row_sum) is not None
]


@pytest.mark.parametrize("columns", [1, 3, 16, 33])
@pytest.mark.parametrize(("loss", "labels", "weighted"), CASES)
def test_sum_and_gradient(
    loss: fastnn.Loss, labels: bool, weighted: bool, columns: int, dtype: str, rng: np.random.Generator
) -> None:
    if labels and not loss.takes_labels(columns):
        pytest.skip("labels are targets of one output alone")
    if weighted:
        kernel = loss.weighted_label_sum if labels else loss.weighted_row_sum
    else:
        kernel = loss.label_sum if labels else loss.row_sum

    @numba.njit
    def total(z, columns, t, dz, scale, options, first):
        record = loss_of(options, 0, z[0, 0])
        return kernel(element(z, 0), z.shape[0], columns, z.shape[1], t, element(dz, 0), scale, record, first)

    lanes = VECTOR_BYTES // np.dtype(dtype).itemsize
    n, row, first = 5, -(-columns // lanes) * lanes, 2
    z = rng.standard_normal((n, columns)).astype(dtype)
    t = rng.integers(0, loss.labels(columns), n) if labels else rng.random((n, columns)).astype(dtype)
    padded, dz = np.full((n, row), np.nan, dtype), np.full((n, row), np.nan, dtype)
    padded[:, :columns] = z
    # The rows are the third to the seventh of their batch.
    weights = rng.random(first + n) if weighted else None
    options = {"class_weight": rng.random(columns) + 0.5} if weighted and "class_weight" in loss.options else {}
    choice = ChosenLoss.of(loss, options)
    record = choice.record(columns, weights)
    own = {} if weights is None else {"sample_weight": weights[first:]}
    if loss.root:  # the kernels have the sum of the squares, and the gradient of their mean
        loss = fastnn.Loss.by_name["mean_squared_error"]
    terms = choice.counted(t, own.get("sample_weight")).sum() * loss.terms_per_row(columns)
    found = total(padded, columns, t.ctypes.data, dz, 1 / terms, record.ctypes.data, first)
    expected, gradient = loss.reference(z, t, **options, **own)
    eps = float(np.finfo(dtype).eps)
    assert found / terms == pytest.approx(float(expected), rel=20 * eps, abs=20 * eps)
    np.testing.assert_allclose(dz[:, :columns], gradient, rtol=0, atol=20 * eps)
    np.testing.assert_array_equal(dz[:, columns:], 0)
