"""Aligned allocation for arrays that one loop reads and writes together.

Each array starts on a cache line, so that no vector crosses one. Their offsets within a page differ, to avoid 4K
aliasing: a CPU first compares a load with earlier stores by the offset within a page only, so that loads from one array
wait for stores to another at nearly the same offset.

In a training step the parameters are at part 0, the first moment at part 1, each further one a part higher, and stored
gradients at part 3.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PAGE = 4096  # bytes
PART = PAGE // 4  # the difference between the offsets of arrays that are used together


def aligned_zeros(shape: tuple[int, ...], dtype: np.dtype, part: int = 0) -> NDArray:
    """Zeros of that shape, whose first element is `part` quarters of a page after a page boundary."""
    size = int(np.prod(shape))
    raw = np.zeros(size + PAGE // dtype.itemsize, dtype)
    shift = (part * PART - raw.ctypes.data) % PAGE // dtype.itemsize
    return raw[shift : shift + size].reshape(shape)


def row_apart(size: int, dtype: np.dtype) -> int:
    """The elements from one row to the next, at least `size`, with which each row starts a quarter of a page further
    into its page than the one before."""
    return size + (PART - size * dtype.itemsize) % PAGE // dtype.itemsize
