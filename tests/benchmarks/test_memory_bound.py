"""The bound of a step of one row: its loop reads and writes what it says."""

from __future__ import annotations

import numpy as np
import pytest

import fastnn
from benchmarks import memory_bound


def test_the_loop_writes_weights_and_moments(dtype: str) -> None:
    w, m, v = (np.arange(256, dtype=dtype) + k for k in range(3))
    kept = w.copy(), m.copy(), v.copy()
    memory_bound.read_and_write(w, m, v, w.dtype.type(2))
    for now, before in zip((w, m, v), kept, strict=True):
        np.testing.assert_array_equal(now, 2 * before)


def test_the_loop_reads_all_weights_first() -> None:
    w, m, v = (np.ones(256, np.float32) for _ in range(3))
    w[200] = np.nan
    memory_bound.read_and_write(w, m, v, np.float32(1))
    assert np.isnan(m[200 % 16 :: 16]).all(), "the sums of a lane take part in all that is written"


def test_the_line_names_what_was_measured(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(memory_bound, "ROWS", 4)
    threads = fastnn.get_num_threads()
    try:
        memory_bound.main(["16-8-3"])
    finally:
        fastnn.set_num_threads(threads)
    assert capsys.readouterr().out.startswith("16-8-3, Adam, batch 1, dense, float32")
