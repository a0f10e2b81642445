"""No step, epoch or prediction reads beyond the arrays that it is given. One that does ends the run: the process
crashes."""

from __future__ import annotations

import numba
import numpy as np
import pytest
import scipy.sparse

import fastnn
from tests import guard_pages

pytestmark = pytest.mark.skipif(not guard_pages.AVAILABLE, reason="pages cannot be closed here")


@pytest.mark.parametrize("at_end", [True, False])
@pytest.mark.parametrize("zeros", [0.0, 0.9])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("sizes", [(3, 5, 2), (784, 50, 10), (300, 260, 9, 3)])
def test_rows_labels_and_weights(
    sizes: tuple[int, ...],
    threads: int,
    zeros: float,
    at_end: bool,
    dtype: str,
    rng: np.random.Generator,
    restore_threads: None,
) -> None:
    if threads > numba.config.NUMBA_NUM_THREADS:
        pytest.skip("one CPU")
    fastnn.set_num_threads(threads)
    net, optimizer = fastnn.MLP(sizes, activation="relu", dtype=dtype, seed=3), fastnn.Adam(1e-3)
    for n in (1, 2, 7, 9, 33):
        rows = rng.standard_normal((n, sizes[0])).astype(dtype)
        rows[rng.random(rows.shape) < zeros] = 0
        x, t, weights = (
            guard_pages.between_guards(array, at_end) for array in (rows, rng.integers(0, sizes[-1], n), rng.random(n))
        )
        assert np.isfinite(net.train_step(x, t, optimizer, sample_weight=weights))
        assert np.isfinite(net.train_epoch(x, t, optimizer, 4))
        assert np.isfinite(net.predict(x)).all()
        stored = scipy.sparse.csr_matrix(rows)
        parts = [guard_pages.between_guards(array, at_end) for array in (stored.data, stored.indices, stored.indptr)]
        compressed = scipy.sparse.csr_matrix(tuple(parts), shape=stored.shape)
        taken = compressed.data, compressed.indices, compressed.indptr
        assert all(a.ctypes.data == b.ctypes.data for a, b in zip(parts, taken, strict=True)), "SciPy copies nothing"
        assert np.isfinite(net.train_epoch(compressed, t, optimizer, 4))
