"""The sizes of a step's blocks: by the caches that the system tells, and with results that do not depend on them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import fastnn
from fastnn import blocking, caches, preparation
from fastnn.intrinsics import MR, NR_VECTORS, VECTOR_BYTES
from fastnn.optimizers import base as optimizers
from fastnn.sharing import Sharing

F4, F8 = np.dtype("float32"), np.dtype("float64")


def of(monkeypatch: pytest.MonkeyPatch, first: int, second: int) -> None:
    """Caches of so many KiB."""
    monkeypatch.setattr(blocking, "first_level_bytes", lambda: first * 1024)
    monkeypatch.setattr(blocking, "second_level_bytes", lambda: second * 1024)


def test_a_row_block_takes_no_more_than_half_of_the_second_level(monkeypatch: pytest.MonkeyPatch) -> None:
    of(monkeypatch, 32, 512)
    assert [blocking.rows_of_a_block(width, F4) for width in (16, 512, 513, 784)] == [128, 128, 64, 64]
    assert [blocking.rows_of_a_block(width, F8) for width in (16, 256, 257)] == [128, 128, 64]
    of(monkeypatch, 32, 1024)
    assert blocking.rows_of_a_block(784, F4) == 128


def test_a_block_of_a_panel_takes_half_of_the_first_level_or_is_all(monkeypatch: pytest.MonkeyPatch) -> None:
    for size in (16, 32, 48, 64, 128):
        of(monkeypatch, size, 512)
        depth = blocking.depth_of_a_product()
        assert depth == blocking.ALL or 160 <= depth <= size * 512 // (NR_VECTORS * VECTOR_BYTES)
    assert depth < blocking.ALL, "128 KiB are enough for any registers"


def test_strips_where_rows_conflict_and_are_read_often() -> None:
    wide = 100 * NR_VECTORS
    assert blocking.strips_pay(1024, wide, F4)
    assert blocking.strips_pay(512, wide, F8)
    assert not blocking.strips_pay(784, wide, F4)
    assert not blocking.strips_pay(1024, NR_VECTORS, F4)


def test_arrays_beyond_the_second_level(monkeypatch: pytest.MonkeyPatch) -> None:
    of(monkeypatch, 32, 512)
    for dtype, scale in ((F4, 1), (F8, 2)):
        assert [blocking.each_panel_pays(size // scale, dtype) for size in (2**16, 2**16 + 2)] == [False, True]
        assert [blocking.fetching_pays(size // scale, dtype) for size in (2**18, 2**18 + 2)] == [False, True]


def test_update_blocks_are_whole_micro_tiles_and_fit() -> None:
    for dtype in (F4, F8):
        rows = blocking.rows_of_an_update(dtype)
        assert rows % MR == 0
        assert 0 < rows * NR_VECTORS * VECTOR_BYTES // dtype.itemsize <= 8192


def test_what_the_system_tells(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(caches, "_LINUX", tmp_path)
    assert caches.cache_sizes() == {}
    told = [("1", "Data", "48K"), ("1", "Instruction", "32K"), ("2", "Unified", "2M"), ("3", "Unified", "some")]
    for k, values in enumerate(told):
        folder = tmp_path / f"index{k}"
        folder.mkdir()
        for name, value in zip(("level", "type", "size"), values, strict=True):
            (folder / name).write_text(f"{value}\n")
    assert caches.cache_sizes() == {"L1d": 48 * 1024, "L2": 2 * 2**20}


def test_sizes_are_sensible_here() -> None:
    assert 2**13 <= caches.first_level_bytes() <= 2**20
    assert 2**16 <= caches.second_level_bytes() <= 2**30


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", [fastnn.SGD(0.1), fastnn.Adam(1e-2, eps=0.1), fastnn.SGD(0.1, momentum=0.9)])
@pytest.mark.parametrize("n", [3, 40, 130, 300])
def test_steps_are_the_same_whatever_the_blocks(
    n: int, optimizer: fastnn.optimizers.Optimizer, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Strips, blocks of k and row blocks of every kind, in place of those of this machine."""
    rng = np.random.default_rng(n)
    x, t = rng.standard_normal((n, 48)).astype(dtype), rng.integers(0, 10, n)

    def trained() -> list[np.ndarray]:
        net = fastnn.MLP((48, 100, 36, 10), activation="tanh", dtype=dtype, seed=1)
        for _ in range(2):
            net.train_step(x, t, optimizer)
        return net.get_weights()

    whole = trained()
    monkeypatch.setattr(preparation, "strips_pay", lambda *_: True)
    monkeypatch.setattr(preparation, "rows_of_an_update", lambda _: 2 * MR)
    monkeypatch.setattr(preparation, "depth_of_a_product", lambda: 13)
    monkeypatch.setattr(preparation, "rows_of_a_block", lambda *_: 32)
    monkeypatch.setattr(preparation, "each_panel_pays", lambda *_: True)
    # Sums of 300 terms of about 1 at most, in another order, times a rate of 0.1, in two steps. Adam's first step is
    # lr g / (|g| + eps), whose slope is at most lr / eps: a rate of 0.1 too.
    for found, expected in zip(trained(), whole, strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=60 * np.finfo(dtype).eps)


@pytest.mark.parametrize("n", [20, 50, 120])
def test_what_is_fetched_and_where_weights_are_transposed_change_no_bit(
    n: int, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(n)
    x, t = rng.standard_normal((n, 48)).astype(dtype), rng.integers(0, 10, n)

    def trained(leaves: bool) -> list[np.ndarray]:
        monkeypatch.setattr(preparation, "each_panel_pays", lambda *_: leaves)
        monkeypatch.setattr(optimizers, "fetching_pays", lambda *_: leaves)
        net, optimizer = fastnn.MLP((48, 100, 36, 10), activation="tanh", dtype=dtype, seed=1), fastnn.Adam(1e-2)
        for _ in range(2):
            net.train_step(x, t, optimizer)
        layers = net._preparation._layers
        assert layers["transposes_each_panel"].tolist() == [0, leaves, leaves]
        return net.get_weights()

    for found, expected in zip(trained(True), trained(False), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_strips_of_several_row_blocks(monkeypatch: pytest.MonkeyPatch, restore_threads) -> None:
    """Each worker copies those of all row blocks, for the rows of its own part."""
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((200, 200)), rng.integers(0, 10, 200)

    def trained(strips: bool) -> list[np.ndarray]:
        monkeypatch.setattr(preparation, "strips_pay", lambda *_: strips)
        net, optimizer = fastnn.MLP((200, 150, 10), activation="tanh", dtype="float64", seed=1), fastnn.SGD(0.1, 0.9)
        for _ in range(2):
            net.train_step(x, t, optimizer)
        plan = net._prepared.plan
        assert (plan["n_blocks"] > 1, plan["stores_gradients"]) == (True, False)
        assert (net._preparation._layers["strip"][0] > 0) == strips
        return net.get_weights()

    fastnn.set_num_threads(1)
    fastnn.set_thread_invariant(True)  # shares the batch between workers, on any number of threads
    for found, expected in zip(trained(True), trained(False), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_memory_for_strips_grows_as_the_workers_do() -> None:
    """Workers that share the inputs copy no more columns together, but for whole micro-tiles."""
    assert [blocking.columns_of_strips(count, 168, 1024) for count in (1, 2)] == [168, 336]
    assert blocking.columns_of_strips(128, 168, 1024) == 1024 + 128 * MR
    assert blocking.columns_of_strips(2, 1024, 512) == 1024
    assert blocking.columns_of_strips(128, 0, 1024) == 0


def test_strips_fit_the_memory_of_an_epoch_on_sparse_rows(
    monkeypatch: pytest.MonkeyPatch, restore_threads: None
) -> None:
    """It has its own, for its own number of workers, whatever steps before had."""
    sparse = pytest.importorskip("scipy.sparse")
    fastnn.set_num_threads(1)
    monkeypatch.setattr(preparation, "strips_pay", lambda *_: True)
    monkeypatch.setattr(Sharing, "workers", lambda self, n: 8 if n > 600 else 4)
    rng = np.random.default_rng(0)
    # So few inputs that what strips overran would be another row block's activations.
    x, t = rng.standard_normal((512, 4)).astype("f4") * (rng.random((512, 4)) < 0.2), rng.integers(0, 10, 512)

    def trained(more: bool) -> list[np.ndarray]:
        net = fastnn.MLP((4, 400, 10), activation="tanh", seed=1)
        if more:
            net.train_step(np.zeros((1024, 4), "f4"), np.zeros(1024, int), fastnn.Adam(0))
        net.train_epoch(sparse.csr_array(x), t, fastnn.Adam(1e-2), batch_size=512)
        return net.get_weights()

    for found, expected in zip(trained(True), trained(False), strict=True):
        np.testing.assert_array_equal(found, expected)
