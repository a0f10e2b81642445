"""Aligned allocation: where arrays, and their rows, start within a page."""

from __future__ import annotations

import numpy as np
import pytest

from fastnn.alloc import PAGE, QUARTER, aligned_zeros, row_apart


@pytest.mark.parametrize("quarter", range(4))
@pytest.mark.parametrize("shape", [(1,), (3, 5), (2, 100_000)])
def test_zeros_start_at_their_quarter_of_a_page(shape: tuple[int, ...], quarter: int, dtype: str) -> None:
    zeros = aligned_zeros(shape, np.dtype(dtype), quarter)
    assert zeros.shape == shape
    assert zeros.dtype == dtype
    assert zeros.flags.carray
    assert zeros.ctypes.data % PAGE == quarter * QUARTER
    assert not zeros.any()


@pytest.mark.parametrize("size", [0, 1, 16, 255, 256, 257, 1024, 101_776, 1_864_970])
def test_rows_start_a_quarter_of_a_page_apart(size: int, dtype: str) -> None:
    row, item = row_apart(size, np.dtype(dtype)), np.dtype(dtype).itemsize
    assert size <= row < size + PAGE // item
    assert row * item % PAGE == QUARTER
