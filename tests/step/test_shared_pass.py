"""A pass that workers share: what one worker does alone, to the bit, whatever the net, the rows and the workers are."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest
import scipy.sparse

import fastnn
import fastnn.preparation
import fastnn.sharing
from fastnn.sharing import Sharing
from fastnn.training.epoch import run_epoch
from fastnn.training.sources import order_of, source_of

pytestmark = [
    pytest.mark.usefixtures("restore_threads"),
    pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="one CPU"),
]

EPS = float(np.finfo(np.float64).eps)

# With narrow layers behind wide ones, between them, and none; with tail columns and without.
NETS = [(60, 100, 70, 10), (37, 130, 3), (48, 96, 10, 112, 80)]

KINDS: dict[str, tuple[dict[str, Any], fastnn.Optimizer]] = {
    "adam": ({"activation": "relu"}, fastnn.Adam(0.01)),
    "fused": ({"activation": "sigmoid"}, fastnn.SGD(0.1)),
    "drops": ({"activation": "gelu", "dropout": 0.3, "input_dropout": 0.2}, fastnn.SGD(0.1, momentum=0.9)),
    "penalty": ({"activation": "tanh", "l2": 1e-2}, fastnn.Adam(0.01)),
    "clipped": ({"activation": "relu"}, fastnn.Adam(0.01, clip_value=0.01)),
}


@pytest.fixture(autouse=True)
def all_layers_are_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fastnn.sharing, "_WIDE", 1)
    # Each step asks how it is shared.
    monkeypatch.setattr(Sharing, "rows_for_threads", lambda self, count: 1)


def share(net: fastnn.MLP, workers: int, by_columns: bool = True) -> None:
    """Have so many workers share the steps of the net, by columns as far as may be, or all by rows."""
    net._preparation.sharing.workers = lambda n: workers  # type: ignore[method-assign]
    net._prepared.plan["fewest_panels"] = 1000  # sharing by columns always pays
    if not by_columns:
        net._prepared.plan["wide_layers"] = 0


def trained(
    x: Any, t: Any, net: fastnn.MLP, optimizer: Any, workers: int, threaded: bool, batch: Any = None,
    by_columns: bool = True,
) -> list:  # fmt: skip
    """The losses of some steps, or epochs of shuffled batches, between so many workers, and the weights after them."""
    fastnn.set_num_threads(2)
    share(net, workers, by_columns)
    losses = []
    for _ in range(3):
        net._preparation.pace.threaded = threaded
        if batch is None:
            losses.append(net.train_step(x, t, optimizer))
            plans = [net._prepared.plan]
        else:
            source = source_of(net, x, t)
            losses.append(run_epoch(net, source, optimizer, batch, order_of(net, x.shape[0], 7)).loss)
            plans = [steps._plan for steps in source.idle.values()]
        assert {int(plan["shares_pass"][0]) for plan in plans} == {workers > 1}
        assert {int(plan["shared_layers"][0]) > 0 for plan in plans} == {workers > 1 and by_columns}
    return [np.array(losses), *net.get_weights()]


def assert_as_by_one(
    data: Any, made_of: Any, optimizer: Any, workers: int, batch: Any = None, by_columns: bool = True
) -> None:
    sizes, arguments = made_of
    threads, turns, expected = (
        trained(
            *data, fastnn.MLP(sizes, seed=3, **arguments), type(optimizer)(**optimizer.values), *how, batch, by_columns
        )
        for how in ((workers, True), (workers, False), (1, True))
    )
    # Losses, and squares of weights in a penalty, are added up worker by worker.
    terms = data[0].shape[0] + sum(w.size for w in expected[1:]) * ("l2" in arguments)
    np.testing.assert_allclose(threads[0], expected[0], rtol=terms * EPS)
    for found, other in ((threads[1:], expected[1:]), (threads, turns)):
        for one, two in zip(found, other, strict=True):
            np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("zeros", [0.0, 0.9])
@pytest.mark.parametrize(("n", "workers"), [(1, 2), (3, 5), (8, 2), (21, 2), (70, 3)])
@pytest.mark.parametrize("sizes", NETS)
@pytest.mark.parametrize("kind", KINDS)
def test_as_one_worker_does(kind: str, sizes: Any, n: int, workers: int, zeros: float, dtype: str, rng: Any) -> None:
    arguments, optimizer = KINDS[kind]
    x, t = rng.standard_normal((n, sizes[0])).astype(dtype), rng.integers(0, sizes[-1], n)
    # Whole groups of rows share their zeros.
    x[:, rng.random(sizes[0]) < zeros] = 0
    assert_as_by_one((x, t), (sizes, arguments | {"dtype": dtype}), optimizer, workers)


@pytest.mark.parametrize("zeros", [0.0, 0.9])
@pytest.mark.parametrize(("n", "workers"), [(9, 2), (31, 3), (128, 5)])  # one row for the last worker, among others
@pytest.mark.parametrize("kind", KINDS)
def test_by_rows_alone(kind: str, n: int, workers: int, zeros: float, dtype: str, rng: Any) -> None:
    arguments, optimizer = KINDS[kind]
    x, t = rng.standard_normal((n, 60)).astype(dtype), rng.integers(0, 10, n)
    # Each group of rows has its own zeros: a worker must take those of its groups.
    for r in range(0, n, 8):
        x[r : r + 8, rng.random(60) < zeros] = 0
    assert_as_by_one((x, t), (NETS[0], arguments | {"dtype": dtype}), optimizer, workers, by_columns=False)


@pytest.mark.parametrize("by_columns", [True, False])
def test_one_row_that_is_updated_on_the_way(
    by_columns: bool, monkeypatch: pytest.MonkeyPatch, dtype: str, rng: Any
) -> None:
    """In turns, as on one thread: weights and moments leave the cache."""
    monkeypatch.setattr("fastnn.optimizers.base.fetching_pays", lambda *_: True)
    x, t, found = rng.standard_normal((1, 60)).astype(dtype), rng.integers(0, 10, 1), []
    for workers, threaded in ((1, True), (2, False), (2, True)):
        net = fastnn.MLP(NETS[0], "relu", seed=3, dtype=dtype)
        found.append(trained(x, t, net, fastnn.Adam(0.01), workers, threaded, by_columns=by_columns))
        assert net._prepared.plan["updates_on_the_way"] == (not (workers > 1 and threaded))
    for other in found[1:]:
        for one, two in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("by_columns", [True, False])
@pytest.mark.parametrize("batch_size", [1, 5, 24])
@pytest.mark.parametrize("zeros", [0.0, 0.8])
@pytest.mark.parametrize("compressed", [False, True])
def test_rows_that_are_loaded(
    compressed: bool, zeros: float, batch_size: int, by_columns: bool, dtype: str, rng: Any
) -> None:
    x, t = rng.standard_normal((48, 60)).astype(dtype), rng.integers(0, 10, 48)
    x[rng.random(x.shape) < zeros] = 0
    rows = scipy.sparse.csr_array(x) if compressed else x
    for kind in ("fused", "penalty"):
        arguments, optimizer = KINDS[kind]
        assert_as_by_one((rows, t), (NETS[0], arguments | {"dtype": dtype}), optimizer, 2, batch_size, by_columns)


@pytest.mark.parametrize("by_columns", [True, False])
def test_deltas_that_are_not_finite(by_columns: bool, dtype: str, rng: Any) -> None:
    """0 times infinity is NaN, in whichever worker's rows it is: no column is left out."""
    x, t = rng.standard_normal((32, 60)).astype(dtype), rng.standard_normal((32, 10)).astype(dtype)
    x[:, 30:] = 0
    for row in (2, 29):
        targets = t.copy()
        targets[row] = np.inf
        net = fastnn.MLP(NETS[0], loss="mean_squared_error", dtype=dtype)
        w = trained(x, targets, net, fastnn.SGD(0.1), 2, True, by_columns=by_columns)[1]
        assert np.isnan(w[30:]).all()


def test_the_norm_of_the_gradient(dtype: str, rng: Any) -> None:
    """It is added up worker by worker, and so not to the bit."""
    x, t = rng.standard_normal((20, 60)).astype(dtype), rng.integers(0, 10, 20)
    found, expected = (
        trained(x, t, fastnn.MLP(NETS[0], "tanh", seed=3, dtype=dtype), fastnn.SGD(0.1, clip_norm=0.1), workers, True)
        for workers in (2, 1)
    )
    # In each of three steps the factor may round to its neighbour, where no weight moves by more than 0.01, and each
    # weight, of at most 1, by half an eps more.
    for one, two in zip(found[1:], expected[1:], strict=True):
        np.testing.assert_allclose(one, two, rtol=0, atol=3 * 0.6 * np.finfo(dtype).eps)
    np.testing.assert_allclose(found[0], expected[0], rtol=len(x) * np.finfo(dtype).eps)


@pytest.mark.parametrize("by_columns", [True, False])
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(("n", "workers"), [(1, 2), (3, 5), (21, 2), (70, 3)])
@pytest.mark.parametrize("sizes", NETS)
def test_predictions(
    sizes: Any, n: int, workers: int, compressed: bool, by_columns: bool, dtype: str, rng: Any
) -> None:
    """Those of one worker, to the bit; rows of zeros among them."""
    fastnn.set_num_threads(2)
    net = fastnn.MLP(sizes, "gelu", dtype=dtype, dropout=0.5, input_dropout=0.5)
    share(net, workers, by_columns)
    x = rng.standard_normal((n, sizes[0])).astype(dtype)
    x[:, rng.random(sizes[0]) < 0.8] = 0
    found = []
    for count, threaded in ((1, True), (workers, True), (workers, False)):
        net._preparation.sharing.workers_of_predictions = lambda n, count=count: count  # type: ignore[method-assign]
        net._preparation.pace_of_predictions.threaded = threaded
        found.append(net.forward(scipy.sparse.csr_array(x) if compressed else x))
        predictor = net._preparation.predictor(net._prepared.plan, n, count)
        shares = threaded and count > 1
        assert compressed or predictor.plan["shares_pass"] == shares
        assert compressed or (predictor.plan["shared_layers"] > 0) == (shares and by_columns)
        net._preparation.is_over(predictor)
    np.testing.assert_array_equal(found[1], found[0])
    np.testing.assert_array_equal(found[2], found[0])


def stepped(net: fastnn.MLP, optimizer: Any, workers: int, *batches: Any) -> list:
    """The losses of a step on each batch, in turns, and the weights after them."""
    share(net, workers)
    net._preparation.pace.threaded = False
    losses = [net.train_step(x, t, optimizer, sample_weight=weights) for x, t, weights in batches]
    return [np.array(losses), *net.get_weights()]


def test_weights_of_rows_and_fewer_rows_after_more(dtype: str, rng: Any) -> None:
    """Nothing is left of a larger batch, not the losses of workers that have no rows any more."""
    x, t, weights = rng.standard_normal((32, 60)).astype(dtype), rng.integers(0, 10, 32), rng.random(32)
    batches = [(x[:n], t[:n], own) for n, own in ((32, weights), (32, None), (5, None), (5, weights[:5]))]
    found, expected = (
        stepped(fastnn.MLP(NETS[0], "tanh", seed=3, dtype=dtype), fastnn.Adam(0.01), workers, *batches)
        for workers in (2, 1)
    )
    np.testing.assert_allclose(found[0], expected[0], rtol=len(x) * EPS)
    for one, two in zip(found[1:], expected[1:], strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("row", [2, 29])
def test_a_delta_that_is_not_finite_spoils_no_other_column(row: int, dtype: str, rng: Any) -> None:
    """Columns with zeros are packed for each worker's rows, although another one finds the delta."""
    x, t = rng.standard_normal((32, 60)).astype(dtype), rng.standard_normal((32, 10)).astype(dtype)
    x[:, 30:], t[row] = 0, np.inf
    found, expected = (
        stepped(
            fastnn.MLP(NETS[0], "relu", loss="mean_squared_error", seed=3, dtype=dtype), fastnn.SGD(0.1), workers,
            (x, t, None),
        )
        for workers in (2, 1)
    )  # fmt: skip
    assert 0 < np.isnan(found[1]).mean() < 1
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, two)


def test_each_worker_transposes_in_room_of_its_own(monkeypatch: pytest.MonkeyPatch, dtype: str, rng: Any) -> None:
    monkeypatch.setattr(fastnn.preparation, "each_panel_pays", lambda *_: True)
    x, t = rng.standard_normal((70, 60)).astype(dtype), rng.integers(0, 10, 70)
    net = fastnn.MLP(NETS[0], dtype=dtype)
    trained(x, t, net, fastnn.SGD(0.1), 2, True)
    memory = net._prepared.memory
    for block, room in zip(memory.blocks, memory.room, strict=True):
        assert room[(int(block["panel"]) - room.ctypes.data) // room.itemsize] != 0
