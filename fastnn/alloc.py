"""Where arrays begin that are gone through side by side: at cache lines, so that no vector crosses one, and a part of a
page apart.

A CPU tells loads from the stores before them by their place within a page first. Where two arrays begin at nearly the
same place, as those of NumPy may by chance or do by rule, loads of one wait for stores to the other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PAGE = 4096  # bytes
PART = PAGE // 4


def aligned_zeros(shape: tuple[int, ...], dtype: np.dtype, part: int = 0) -> NDArray:
    """Zeros that begin so many parts of a page after its border."""
    size = int(np.prod(shape))
    raw = np.zeros(size + PAGE // dtype.itemsize, dtype)
    shift = (part * PART - raw.ctypes.data) % PAGE // dtype.itemsize
    return raw[shift : shift + size].reshape(shape)


def row_apart(size: int, dtype: np.dtype) -> int:
    """Elements of a row, at least `size`, with which every row begins a part of a page further than the last."""
    return size + (PART - size * dtype.itemsize) % PAGE // dtype.itemsize
