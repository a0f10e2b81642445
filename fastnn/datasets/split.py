"""What a loaded data set is, and how a table without an official split gets one."""

import numpy as np
from numpy.typing import NDArray

Rows = tuple[NDArray[np.float32], NDArray[np.int64]]
"""Features, shape (n, features), and labels, shape (n,)."""

Split = tuple[Rows, Rows]
"""Training rows and test rows."""


def stratified_split(t: NDArray[np.int64], test_rows: int, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Shuffled row numbers of a training and a test part; the test part has its share of each class to within one row.

    Args:
        t: labels, shape (n,).
        test_rows: rows of the test part, 1 to n.
        seed: decides the split; the same on every platform and NumPy version.

    Returns:
        Two index arrays, of shapes (n - test_rows,) and (test_rows,), which together hold 0 to n - 1 once.
    """
    # RandomState, not Generator: NumPy freezes the streams of the former only.
    order = np.random.RandomState(seed).permutation(len(t))
    by_class = order[np.argsort(t[order], kind="stable")]
    # Rows at even distances in a list sorted by class give each class its share, rounded down or up.
    is_test = np.zeros(len(t), bool)
    is_test[by_class[(2 * np.arange(test_rows) + 1) * len(t) // (2 * test_rows)]] = True
    return order[~is_test[order]], order[is_test[order]]
