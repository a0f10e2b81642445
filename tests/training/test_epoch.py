"""Epochs in compiled code: to the bit what steps in a loop do, whatever the rows are."""

from __future__ import annotations

import copy
import mmap
import signal
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

import fastnn
from fastnn.training.epoch import run_epoch
from fastnn.training.inputs import converted_rows
from fastnn.training.sources import order_of, source_of

SIZES = (20, 12, 3)


def data(rng: np.random.Generator, n: int, dtype: str, zeros: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    x = rng.standard_normal((n, SIZES[0])).astype(dtype)
    x[rng.random(x.shape) < zeros] = 0
    return x, rng.integers(0, SIZES[-1], n)


def by_steps(
    net: Any, x: Any, t: Any, optimizer: Any, batch_size: int, weights: Any = None, order: Any = None
) -> float:
    """The epoch as a loop over `train_step`; returns the mean loss."""
    order, total, count = np.arange(len(x)) if order is None else order, 0.0, 0
    for first in range(0, len(x), batch_size):
        rows = order[first : first + batch_size]
        loss = net.train_step(x[rows], t[rows], optimizer, None if weights is None else weights[rows])
        if not np.isnan(loss):
            total, count = total + loss * len(rows), count + len(rows)
    return total / count


def assert_same(net: fastnn.MLP, other: fastnn.MLP) -> None:
    for one, two in zip(net.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


NETS: dict[str, dict[str, Any]] = {
    "plain": {},
    "drops": {"dropout": 0.3, "input_dropout": 0.2, "activation": "gelu"},
    "penalty": {"l2": 1e-2},
}


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize(("batch_size", "n"), [(1, 9), (8, 70), (32, 70), (70, 70), (150, 150)])
@pytest.mark.parametrize("kind", NETS)
def test_an_epoch_is_its_steps(kind: str, batch_size: int, n: int, shuffle: bool, dtype: str, rng: Any) -> None:
    x, t = data(rng, n, dtype)
    net = fastnn.MLP(SIZES, dtype=dtype, **NETS[kind])
    other, ours, theirs = copy.copy(net), fastnn.Adam(lr=0.01), fastnn.Adam(lr=0.01)
    for _ in range(2):
        order = order_of(net, n, None) if shuffle else None
        loss = net.train_epoch(x, t, ours, batch_size, shuffle=shuffle)
        assert loss == pytest.approx(by_steps(other, x, t, theirs, batch_size, order=order), rel=1e-12)
    assert_same(net, other)
    assert net.epochs == 2
    assert ours.state(net).steps == theirs.state(other).steps == 2 * -(-n // batch_size)


@pytest.mark.parametrize("loss", ["mean_squared_error", ("softmax_cross_entropy", {"class_weight": [1.0, 0.5, 2.0]})])
@pytest.mark.parametrize("batch_size", [1, 16])
def test_weights_and_rows_of_targets(loss: Any, batch_size: int, dtype: str, rng: Any) -> None:
    x, t = data(rng, 50, dtype)
    if loss == "mean_squared_error":
        t = rng.standard_normal((50, SIZES[-1])).astype(dtype)
    weights = rng.uniform(0.0, 2.0, 50)
    weights[:20] = 0  # a whole batch, as they lie: its loss is NaN, and does not count
    net = fastnn.MLP(SIZES, loss=loss, dtype=dtype)
    for shuffle in (False, True):
        other, ours, theirs = copy.copy(net), fastnn.SGD(lr=0.1), fastnn.SGD(lr=0.1)
        order = order_of(net, 50, 5) if shuffle else None
        found = run_epoch(net, source_of(net, x, t, weights), ours, batch_size, order)
        assert found.finished
        assert found.loss == pytest.approx(by_steps(other, x, t, theirs, batch_size, weights, order), rel=1e-12)
        assert_same(net, other)


def test_a_schedule_is_asked_for_each_step(dtype: str, rng: Any) -> None:
    x, t = data(rng, 100, dtype)
    net, schedule = fastnn.MLP(SIZES, dtype=dtype), fastnn.schedules.Cosine(0.1, total_steps=40)
    other, ours, theirs = copy.copy(net), fastnn.SGD(lr=schedule), fastnn.SGD(lr=schedule)
    for _ in range(2):
        order = order_of(net, 100, None)
        net.train_epoch(x, t, ours, 8)
        by_steps(other, x, t, theirs, 8, order=order)
    assert_same(net, other)
    ours.lr = theirs.lr = 0.05
    net.train_step(x, t, ours)
    other.train_step(x, t, theirs)
    assert_same(net, other)


def test_a_schedule_that_gives_nonsense_is_refused(rng: Any) -> None:
    x, t = data(rng, 40, "float32")
    net = fastnn.MLP(SIZES)
    with pytest.raises(ValueError, match=r"lr: got -1.0 from the schedule .* after 2 steps"):
        net.train_epoch(x, t, fastnn.SGD(lr=lambda steps: 0.1 if steps < 2 else -1.0), 8)
    assert all(np.isfinite(w).all() for w in net.get_weights())


@pytest.mark.usefixtures("restore_threads")
@pytest.mark.parametrize("workers", [1, 2])
def test_workers_share_the_steps_of_an_epoch(workers: int, rng: Any) -> None:
    sizes = (300, 200, 3)
    net = fastnn.MLP(sizes)
    n = net.rows_for_threads(2) + 5
    x, t = rng.standard_normal((2 * n + 3, 300)).astype(np.float32), rng.integers(0, 3, 2 * n + 3)
    fastnn.set_num_threads(min(workers, fastnn.get_num_threads()))
    other, ours, theirs = copy.copy(net), fastnn.Adam(), fastnn.Adam()
    order = order_of(net, len(x), None)
    net.train_epoch(x, t, ours, n)
    by_steps(other, x, t, theirs, n, order=order)
    assert_same(net, other)


# Of the nets the first has several update blocks and a panel of each width, the second tail columns beside panels, the
# last tail columns alone. Rows that are half full are made a matrix, and so are those of which some inputs are dropped.
@pytest.mark.parametrize("batch_size", [1, 5, 16, 70, 150])
@pytest.mark.parametrize(
    ("sizes", "zeros", "dropped"),
    [
        ((900, 90, 3), 0.95, 0.0),
        ((64, 51, 3), 0.8, 0.0),
        ((64, 50, 3), 0.5, 0.0),
        ((64, 50, 3), 0.9, 0.2),
        ((48, 3), 0.9, 0.0),
    ],
)
def test_compressed_rows_train_as_dense_ones(
    batch_size: int, sizes: tuple[int, ...], zeros: float, dropped: float, dtype: str, rng: Any
) -> None:
    dense = rng.standard_normal((150, sizes[0])).astype(dtype)
    dense[rng.random(dense.shape) < zeros] = 0
    dense[3] = 0
    t, weights = rng.integers(0, 3, 150), rng.uniform(0.5, 1.5, 150)
    net = fastnn.MLP(sizes, dtype=dtype, input_dropout=dropped)
    other, rows = copy.copy(net), scipy.sparse.csr_array(dense)
    for ours, theirs in [(fastnn.Adam(eps=1e-3), fastnn.Adam(eps=1e-3)), (fastnn.SGD(lr=0.1), fastnn.SGD(lr=0.1))]:
        for shuffle in (True, False):
            net.train_epoch(rows, t, ours, batch_size, sample_weight=weights, shuffle=shuffle)
            other.train_epoch(dense, t, theirs, batch_size, sample_weight=weights, shuffle=shuffle)
    tolerance = {"float32": 2e-5, "float64": 1e-13}[dtype]
    for one, two in zip(net.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, atol=tolerance)
    np.testing.assert_allclose(net.forward(rows), net.forward(dense), atol=20 * tolerance)


def test_a_weight_is_rounded_once_by_an_update_of_compressed_rows(rng: Any) -> None:
    """And not once for each value that is stored: the update may be as small as the last digit of the weight."""
    dense, t = np.where(rng.random((100, 64)) < 0.3, 1.0, 0.0), rng.integers(0, 3, 100)
    exact = fastnn.MLP((64, 51, 3), "tanh", dtype="float64")
    first = [w.astype(np.float32) for w in exact.get_weights()]
    exact.set_weights([w.astype(np.float64) for w in first])
    exact.train_epoch(dense, t, fastnn.SGD(lr=1e-4), 100, shuffle=False)
    errors = []
    for x in (dense.astype(np.float32), scipy.sparse.csr_array(dense)):
        net = fastnn.MLP((64, 51, 3), "tanh")
        net.set_weights(first)
        net.train_epoch(x, t, fastnn.SGD(lr=1e-4), 100, shuffle=False)
        apart = net.get_weights()[0] - exact.get_weights()[0]
        errors.append([np.linalg.norm(apart[:, :48]), np.linalg.norm(apart[:, 48:])])  # panels, tail columns
    np.testing.assert_array_less(errors[1], 1.5 * np.array(errors[0]))


def test_sparse_matrices_of_any_kind(rng: Any) -> None:
    dense = np.where(rng.random((40, 20)) < 0.1, rng.integers(1, 5, (40, 20)), 0)
    net = fastnn.MLP(SIZES)
    expected = net.forward(dense)
    duplicated = scipy.sparse.coo_array((np.ones(4), ([0, 0, 1, 1], [3, 3, 2, 1])), shape=(40, 20))
    kinds = [scipy.sparse.csc_matrix(dense), scipy.sparse.coo_array(dense), scipy.sparse.csr_array(dense > 0) * 1]
    for rows in (*kinds, duplicated):
        np.testing.assert_allclose(net.forward(rows), net.forward(rows.toarray()), atol=1e-6)
    np.testing.assert_allclose(net.forward(kinds[0]), expected, atol=1e-6)
    unsorted = scipy.sparse.csr_array((np.array([1.0, 2.0]), np.array([5, 1]), np.array([0, 2])), shape=(1, 20))
    np.testing.assert_allclose(net.forward(unsorted), net.forward(unsorted.toarray()), atol=1e-6)
    assert list(unsorted.indices) == [5, 1], "what is given is not changed"
    with pytest.raises(ValueError, match=r"x: got shape \(40, 19\), expected \(n, 20\)"):
        net.forward(kinds[0][:, :19])


@pytest.mark.parametrize(("change", "batch_size"), [("reversed", 50), ("permuted", 50), ("repeated", 1)])
def test_columns_that_change_after_scipy_has_seen_them(change: str, batch_size: int, rng: Any) -> None:
    """SciPy remembers whether columns ascend, and does not look again. Kernels write where the columns say."""
    rows, t = scipy.sparse.random_array((150, 900), density=0.05, rng=rng, format="csr"), rng.integers(0, 3, 150)
    net = fastnn.MLP((900, 90, 3), dtype="float64")
    other, ours, theirs = copy.copy(net), fastnn.Adam(eps=1e-3), fastnn.Adam(eps=1e-3)
    assert rows.has_canonical_format
    if change == "reversed":
        for first, last in zip(rows.indptr[:-1], rows.indptr[1:], strict=True):
            rows.indices[first:last] = rows.indices[first:last][::-1].copy()
    elif change == "permuted":
        rows.indices = rng.permutation(900).astype(rows.indices.dtype)[rows.indices]
    else:
        rows.indices[rows.indptr[:-1] + 1] = rows.indices[rows.indptr[:-1]]
    assert rows.has_canonical_format, "else the test shows nothing"
    given = rows.indices.copy()
    np.testing.assert_allclose(net.forward(rows), net.forward(rows.toarray()), atol=1e-12)
    net.train_epoch(rows, t, ours, batch_size, shuffle=False)
    other.train_epoch(rows.toarray(), t, theirs, batch_size, shuffle=False)
    for one, two in zip(net.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-12)
    np.testing.assert_array_equal(rows.indices, given)


def test_workers_share_compressed_rows(rng: Any, restore_threads: Any) -> None:
    """Each updates a part of the first layer's weights by the gradient of all rows."""
    x, t = scipy.sparse.random_array((150, 900), density=0.1, rng=rng, format="csr"), rng.integers(0, 3, 150)
    nets = [fastnn.MLP((900, 90, 3), dtype="float64") for _ in range(2)]
    fastnn.set_num_threads(1)
    for net, invariant, workers in zip(nets, (False, True), (1, 8), strict=True):
        fastnn.set_thread_invariant(invariant)
        assert net._preparation.sharing.workers(150) == workers
        for optimizer in (fastnn.Adam(eps=1e-3), fastnn.SGD(lr=0.1)):
            net.train_epoch(x, t, optimizer, 150, seed=1)
            net.train_epoch(x, t, optimizer, 75, seed=2)
    for one, two in zip(*(net.get_weights() for net in nets), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-13)


def test_predictions_of_compressed_rows_have_no_memory_for_gradients() -> None:
    net = fastnn.MLP(SIZES)
    own = net._preparation
    rows = converted_rows(net, scipy.sparse.csr_array(np.eye(9, SIZES[0])))
    memory = own.compressed_predictor(net._prepared.plan, rows, 5).memory
    # Beside the rows themselves, where they are made a matrix, activations.
    assert memory.room.shape == (5, own._most_rows * (SIZES[0] + own._row))


def test_what_compressed_rows_do_not_store_takes_part_in_nothing(rng: Any) -> None:
    """A zero that is stored makes NaN of an infinite weight, as one of a matrix does; one that is not does nothing."""
    net = fastnn.MLP((20, 3), dtype="float64")
    w, b = net.get_weights()
    w[4, 0] = np.inf
    net.set_weights([w, b])
    stored = scipy.sparse.csr_array((np.array([1.0, 0.0]), np.array([2, 4]), np.array([0, 1, 2])), shape=(2, 20))
    z = net.forward(stored)
    np.testing.assert_allclose(z[0], w[2] + b)
    assert np.isnan(z[1]).tolist() == [True, False, False]


def test_sparse_rows_with_values_that_are_not_finite(rng: Any) -> None:
    dense = np.zeros((16, 20), np.float32)
    dense[3, 4], dense[9, 5] = np.nan, np.inf
    net = fastnn.MLP(SIZES, activation="relu")
    found = net.forward(scipy.sparse.csr_array(dense))
    np.testing.assert_array_equal(np.isnan(found).any(axis=1), np.isnan(net.forward(dense)).any(axis=1))


@pytest.mark.parametrize("kind", ["float64", "uint8", "bool", "fortran", "frame", "list", "strided"])
def test_arrays_of_any_kind_are_converted(kind: str, rng: Any) -> None:
    x = rng.integers(0, 2 if kind == "bool" else 5, (50, 20))
    t = rng.integers(0, 3, 50)
    given = {
        "float64": x.astype(np.float64),
        "uint8": x.astype(np.uint8),
        "bool": x.astype(bool),
        "fortran": np.asfortranarray(x.astype(np.float32)),
        "frame": pd.DataFrame(x).assign(**{"1": True}).drop(columns="1").astype({3: "float32", 4: "Int64"}),
        "list": x.tolist(),
        "strided": np.repeat(x.astype(np.float32), 2, axis=1)[:, ::2],
    }[kind]
    net = fastnn.MLP(SIZES)
    other, ours, theirs = copy.copy(net), fastnn.SGD(lr=0.1), fastnn.SGD(lr=0.1)
    net.train_epoch(given, pd.Series(t).astype("uint8") if kind == "frame" else list(t), ours, 16)
    other.train_epoch(x.astype(np.float32), t, theirs, 16)
    assert_same(net, other)
    np.testing.assert_array_equal(net.predict(given), net.predict(x.astype(np.float32)))


def test_what_cannot_be_converted_is_refused(rng: Any) -> None:
    x, t = data(rng, 30, "float32")
    net, optimizer = fastnn.MLP(SIZES), fastnn.SGD()
    before = net.get_weights()
    frame = pd.DataFrame(x).assign(sex="f")
    large = x.astype(float)
    large[3, 4], large[5, 6] = 1e200, np.nan
    batch = np.ones((1, 20), np.float32)
    for wrong, error, words in (
        ((frame, t), TypeError, r"x: got the column 'sex' of dtype \w+, expected numbers; leave it out, or encode it"),
        ((x[:, 1:], t), ValueError, r"x: got shape \(30, 19\), expected \(n, 20\)"),
        ((x.astype(complex), t), TypeError, "x: got dtype complex64|128, expected real numbers"),
        (
            (x.astype(object), t),
            TypeError,
            r"x: .* object, .*; convert it with x = np.asarray\(x, np.float32\)$",
        ),
        ((x.astype(str), t), TypeError, r"x: got dtype <U\d+, .*; convert it with x = np.asarray\(x, np.float32\)$"),
        ((np.full(x.shape, "a"), t), TypeError, "x: got dtype <U1, expected real numbers$"),
        (
            (x, t.astype(np.uint64) + 2**63),
            ValueError,
            r"t: got label 9223372036854775\d+ at position 0",
        ),
        ((x.astype(np.float64) * 1e200, t), ValueError, "x: got .*e.200, expected numbers within the range of float32"),
        ((large, t), ValueError, r"x: got 1e\+200, expected numbers within the range of float32"),
        ((pd.DataFrame(large), t), ValueError, r"x: got 1e\+200, expected numbers within the range of float32"),
        ((x, t[:-1]), ValueError, "t: got 29 labels, expected 30, one for each row of x"),
        ((x, t + 1), ValueError, r"t: got label 3 at position \d+, expected labels from 0 to 2"),
        ((x, t.astype(float)), TypeError, "t: got dtype float64, expected integer labels; convert it with"),
        ((x, ["a"] * 30), TypeError, "t: got .*, expected integer labels; number them with"),
        ((x, pd.Series(["a"] * 30)), TypeError, "t: got .*, expected integer labels; number them with"),
        ((x, scipy.sparse.csr_array(np.eye(3)[t])), TypeError, "t: got 'csr_array', .*; make it dense with"),
        ((x, None), TypeError, "t: got None, expected targets"),
        ((pd.DataFrame(x), None), TypeError, "t: got None, expected targets"),
        (("text", None), TypeError, "t: got None, expected targets"),
        (([(batch, None)], None), TypeError, "t: got None, expected float32, the net's dtype$"),
        (([1, 2], None), TypeError, r"x: got the batch 1, expected \(x, t\)"),
    ):
        with pytest.raises(error, match=words):
            net.train_epoch(*wrong, optimizer, 8)
    for name, wrong in (("batch_size", 0), ("shuffle", 1), ("seed", -1), ("seed", 1.5)):
        with pytest.raises((TypeError, ValueError), match=f"{name}: got"):
            net.train_epoch(x, t, optimizer, **{name: wrong})
    with pytest.raises(ValueError, match=r"x: got 0 rows, expected at least 1"):
        net.train_epoch(x[:0], t[:0], optimizer)
    for one, two in zip(before, net.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    assert net.epochs == 0


def test_frames_are_taken_column_by_column(rng: Any) -> None:
    x, t = data(rng, 30, "float32")
    x[2, 3] = np.inf  # which is not out of range
    net, other = fastnn.MLP(SIZES), fastnn.MLP(SIZES)
    net.train_epoch(pd.DataFrame(x, columns=["a", "b"] * 10), t, fastnn.SGD(), 30)
    other.train_epoch(x, t, fastnn.SGD(), 30)
    assert_same(net, other)


def test_sparse_rows_of_the_nets_dtype_are_not_copied(rng: Any) -> None:
    rows = scipy.sparse.csr_array(data(rng, 30, "float32")[0])
    found = source_of(fastnn.MLP(SIZES), rows, np.zeros(30, int)).x
    assert np.shares_memory(found.values, rows.data)
    assert np.shares_memory(found.columns, rows.indices)
    every_other = np.repeat(rows.indptr.astype(np.int64), 2)[::2]
    rows.data, rows.indices, rows.indptr = (
        np.repeat(a, 2)[::2] for a in (rows.data, rows.indices.astype(">i4"), every_other)
    )
    net = fastnn.MLP(SIZES)
    np.testing.assert_allclose(net.forward(rows), net.forward(rows.toarray()), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("column", [20, 2**30, -1])
def test_columns_out_of_range_are_refused(column: int, rng: Any) -> None:
    """SciPy makes such a matrix without a word."""
    rows = scipy.sparse.csr_array(data(rng, 30, "float32")[0])
    rows.indices[7] = column
    rows.has_canonical_format = True
    net, before = fastnn.MLP(SIZES), fastnn.MLP(SIZES).get_weights()
    for use in (lambda: net.train_epoch(rows, np.zeros(30, int), fastnn.SGD(), 8), lambda: net.forward(rows)):
        with pytest.raises(ValueError, match="x: got a sparse matrix that is none: "):
            use()
    for one, two in zip(before, net.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_rows_that_begin_behind_the_last_value_are_refused() -> None:
    rows = scipy.sparse.csr_array((2, 20), dtype=np.float32)
    rows.indptr[1] = 5
    with pytest.raises(ValueError, match="x: got a sparse matrix that is none: indptr must be"):
        fastnn.MLP(SIZES).forward(rows)


def test_labels_that_change_meanwhile_are_not_seen(rng: Any) -> None:
    """Kernels write where labels say, and look at them once."""
    x, t = data(rng, 64, "float32")
    net, given = fastnn.MLP(SIZES), t.copy()
    source = source_of(net, x, given)
    given[:] = 10**12
    other = copy.copy(net)
    run_epoch(net, source, fastnn.SGD(), 16)
    other.train_epoch(x, t, fastnn.SGD(), 16, shuffle=False)
    assert_same(net, other)


def test_targets_of_a_regression_may_be_integers(rng: Any) -> None:
    x = rng.standard_normal((30, 20)).astype(np.float32)
    net = fastnn.MLP((20, 1), loss="mean_squared_error")
    other, t = copy.copy(net), rng.integers(0, 9, 30)
    net.train_epoch(x, t, fastnn.SGD(), 8)
    other.train_epoch(x, t.astype(np.float32)[:, None], fastnn.SGD(), 8)
    assert_same(net, other)
    both = fastnn.MLP((20, 1), loss="sigmoid_cross_entropy")
    assert np.isfinite(both.train_epoch(x, t > 4, fastnn.SGD(), 8))


@pytest.mark.parametrize("kind", ["float32", "uint8"])
def test_a_memory_map_is_read_as_it_is_needed(kind: str, tmp_path: Path, monkeypatch: Any, rng: Any) -> None:
    monkeypatch.setattr("fastnn.training.inputs._BYTES_AT_ONCE", 20 * 4 * 21)
    x, t = rng.integers(0, 200, (100, 20)).astype(kind), rng.integers(0, 3, 100)
    (mapped := np.memmap(tmp_path / "x", kind, "w+", shape=x.shape))[:] = x
    mapped = np.memmap(tmp_path / "x", kind, "r", shape=x.shape)
    net = fastnn.MLP(SIZES)
    other, ours, theirs = copy.copy(net), fastnn.Adam(), fastnn.Adam()
    for batch_size in (8, 32):
        net.train_epoch(mapped, t, ours, batch_size, sample_weight=t + 1)
        other.train_epoch(x.astype(np.float32), t, theirs, batch_size, sample_weight=t + 1)
    assert_same(net, other)
    np.testing.assert_allclose(net.forward(mapped), net.forward(x.astype(np.float32)), rtol=1e-4)
    if kind == "float32":
        assert source_of(net, mapped, t).x.base is not None, "a view"
        assert np.shares_memory(source_of(net, mapped, t).x, mapped)


@pytest.mark.skipif(not hasattr(mmap, "MADV_RANDOM"), reason="the system takes no advice")
def test_files_are_not_read_ahead_while_rows_are_drawn_at_random(rng: Any) -> None:
    advice = []

    class Mapping(mmap.mmap):
        def madvise(self, option: int) -> None:
            advice.append(option)

    x, t = data(rng, 40, "float32")
    mapped = np.ndarray(x.shape, x.dtype, buffer=Mapping(-1, x.nbytes))
    mapped[:] = x
    net = fastnn.MLP(SIZES)
    net.train_epoch(mapped, t, fastnn.SGD(), 8, shuffle=False)
    assert advice == []
    net.train_epoch(mapped, t, fastnn.SGD(), 8)
    assert advice == [mmap.MADV_RANDOM, mmap.MADV_NORMAL]


def test_batches_from_a_function_or_a_loader(rng: Any) -> None:
    x, t = data(rng, 50, "float32")
    net = fastnn.MLP(SIZES)
    other, ours, theirs = copy.copy(net), fastnn.Adam(), fastnn.Adam()

    def batches() -> Any:
        for first in range(0, 50, 8):
            yield x[first : first + 8], t[first : first + 8]

    for given in (batches, list(batches()), batches()):
        net.train_epoch(given, None, ours, shuffle=False)
        other.train_epoch(x, t, theirs, 8, shuffle=False)
        assert_same(net, other)
    spent = batches()
    net.train_epoch(spent, None, ours, shuffle=False)
    with pytest.raises(ValueError, match="x: got 0 batches, expected at least 1; a generator ends with its first pass"):
        net.train_epoch(spent, None, ours, shuffle=False)
    endless = source_of(net, batches, None, steps=3)
    assert run_epoch(net, endless, ours, 8).steps == 3


def test_a_loader_is_begun_once_an_epoch(rng: Any) -> None:
    """Some start processes then, and draw from a generator."""
    x, t = data(rng, 50, "float32")
    begun = []

    class Loader:
        def __iter__(self) -> Any:
            begun.append(1)
            return iter([(x, t), (x, t)])

    net = fastnn.MLP(SIZES)
    net.fit(Loader(), optimizer=fastnn.SGD(), epochs=3, validation_data=(x, t), progress=False)
    assert len(begun) == 3


def test_an_epoch_stops_at_a_loss_that_is_not_finite(rng: Any) -> None:
    x, t = data(rng, 80, "float32")
    x[40] = np.nan
    net = fastnn.MLP(SIZES)
    found = run_epoch(net, source_of(net, x, t), fastnn.SGD(), 8)
    assert not found.finished
    assert (found.steps, found.rows, net.epochs) == (6, 48, 0)
    assert run_epoch(net, source_of(net, x, t), fastnn.SGD(), 8, stops_at_nan=False).steps == 10


def test_reports_what_was_done(rng: Any, monkeypatch: Any) -> None:
    x, t = data(rng, 100, "float32")
    net, seen = fastnn.MLP(SIZES), []
    monkeypatch.setattr("fastnn.training.epoch._IN_ONE_CALL", 0.0)  # one step in each call
    found = run_epoch(net, source_of(net, x, t), fastnn.SGD(), 32, report=lambda *told: seen.append(told))
    assert [rows for rows, _ in seen] == [32, 64, 96, 100]
    assert seen[-1][1] == found.loss


@pytest.mark.parametrize("sparse", [False, True])
def test_the_loss_does_not_depend_on_how_many_steps_a_call_makes(sparse: bool, rng: Any, monkeypatch: Any) -> None:
    """Nor does what is chosen by it: that takes as many as there is time for."""
    x, t = data(rng, 500, "float64")
    losses = []
    for seconds in (0.0, 1e-4, 10.0):
        monkeypatch.setattr("fastnn.training.epoch._IN_ONE_CALL", seconds)
        net, optimizer = fastnn.MLP(SIZES, dtype="float64"), fastnn.SGD(lr=0.1)
        rows = scipy.sparse.csr_array(x) if sparse else x
        losses.append([net.train_epoch(rows, t, optimizer, 7) for _ in range(5)])
    assert losses[0] == losses[1] == losses[2]


def test_ctrl_c_is_seen_between_steps(rng: Any) -> None:
    net = fastnn.MLP((300, 200, 3))
    x, t = rng.standard_normal((4000, 300)).astype(np.float32), rng.integers(0, 3, 4000)
    optimizer, source = fastnn.Adam(), source_of(net, x, t)
    run_epoch(net, source, optimizer, 8)
    epochs = net.epochs
    threading.Timer(0.3, signal.raise_signal, [signal.SIGINT]).start()

    def train() -> None:
        for _ in range(1000):
            run_epoch(net, source, optimizer, 8)

    with pytest.raises(KeyboardInterrupt):
        train()
    steps = optimizer.state(net).steps
    assert net.epochs * 500 <= steps <= net.epochs * 500 + 500
    assert net.epochs >= epochs
    assert np.isfinite(net.train_step(x[:8], t[:8], optimizer)), "the net is not locked"


def test_another_thread_is_refused(rng: Any) -> None:
    net = fastnn.MLP((300, 200, 3))
    x, t = rng.standard_normal((20000, 300)).astype(np.float32), rng.integers(0, 3, 20000)
    optimizer, errors = fastnn.Adam(), []
    net.train_step(x[:8], t[:8], optimizer)

    def train() -> None:
        try:
            net.train_epoch(x, t, optimizer, 8)
        except RuntimeError as error:
            errors.append(str(error))

    workers = [threading.Thread(target=train) for _ in range(2)]
    for worker in workers:
        worker.start()
        time.sleep(0.01)
    for worker in workers:
        worker.join()
    assert all("another thread is training this net" in error for error in errors)
    assert np.isfinite(net.train_step(x[:8], t[:8], optimizer))
