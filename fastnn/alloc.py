"""Aligned allocation for arrays that one loop reads and writes together.

Each array starts on a cache line, so that no vector crosses one. Their offsets within a page differ, to avoid 4K
aliasing: a CPU first compares a load with earlier stores by the offset within a page only, so that loads from one array
wait for stores to another at nearly the same offset.

In a training step the parameters are at quarter 0 of a page, the first moment at quarter 1, each further one a quarter
higher, and stored gradients at quarter 3.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PAGE = 4096  # bytes
QUARTER = PAGE // 4  # the difference between the offsets of arrays that are used together


def aligned_zeros(shape: tuple[int, ...], dtype: np.dtype, quarter: int = 0) -> NDArray:
    """Zeros of that shape, whose first element is so many quarters of a page after a page boundary."""
    size = int(np.prod(shape))
    raw = np.zeros(size + PAGE // dtype.itemsize, dtype)
    shift = (quarter * QUARTER - raw.ctypes.data) % PAGE // dtype.itemsize
    return raw[shift : shift + size].reshape(shape)


def row_apart(size: int, dtype: np.dtype) -> int:
    """The elements from one row to the next, at least `size`, with which each row starts a quarter of a page further
    into its page than the one before."""
    return size + (QUARTER - size * dtype.itemsize) % PAGE // dtype.itemsize
