"""The rows that a race trains on: real MNIST where it is at hand, the 8x8 digits that ship with fastnn where not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.cases import POOL_ROWS

X_FILE, T_FILE = "x.npy", "t.npy"


def save(folder: Path, x: NDArray, t: NDArray) -> str:
    """Write as many rows as a case's batches are cut from; the path for `load`."""
    np.save(folder / X_FILE, np.ascontiguousarray(x[:POOL_ROWS]))
    np.save(folder / T_FILE, np.ascontiguousarray(t[:POOL_ROWS]))
    return str(folder)


def load(folder: str) -> tuple[NDArray, NDArray]:
    """x (n, i) float32 and labels (n,) int64, mapped from disk: the workers share one copy."""
    return np.load(Path(folder) / X_FILE, mmap_mode="r"), np.load(Path(folder) / T_FILE, mmap_mode="r")
