"""Losses that are not finite, and why; rows that weigh nothing, of which no loss can be had."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import fastnn
from fastnn.callbacks import EarlyStopping, LearningRate
from fastnn.training import not_finite
from fastnn.training.epoch import EpochResult
from fastnn.training.sources import source_of
from tests.training.nets import QUIET, new_net, same_weights
from tests.training.recorder import Recorder


def test_not_finite_raises(x, t) -> None:
    net, log = new_net(), []
    rates = LearningRate(lambda epochs: 0.01 if epochs < 2 else 1e30)
    with pytest.raises(
        fastnn.NonFiniteLossError, match=r"in step \d+ of epoch 3, at a learning rate of 1e\+30"
    ) as caught:
        net.fit(x, t, optimizer=fastnn.SGD(lr=0.01), epochs=5, callbacks=[rates, Recorder(log)], batch_size=10, **QUIET)
    error = caught.value
    assert (error.epoch, error.lr) == (3, 1e30)
    assert error.step >= 2
    assert error.history.epochs == [1, 2, 3]
    assert error.history.ended == "not finite"
    assert not np.isfinite(error.history["loss"][-1])
    assert "smaller learning rate" in str(error)
    assert log[-1] == "end 3"
    assert net.epochs == 2
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.step, again.history["loss"][:2]) == (str(error), error.step, error.history["loss"][:2])


def test_not_finite_stops_and_keeps_the_best(x, t, capsys) -> None:
    net, twin = new_net(), new_net()
    rates, best = LearningRate(lambda epochs: 0.01 if epochs < 2 else 1e30), EarlyStopping("loss")
    history = net.fit(
        x, t, optimizer=fastnn.SGD(lr=0.01), epochs=5, callbacks=[rates, best], on_nan="stop", batch_size=10
    )
    assert "expected a finite number" in capsys.readouterr().err
    assert history.ended == "not finite"
    twin.fit(x, t, optimizer=fastnn.SGD(lr=0.01), epochs=2, batch_size=10, **QUIET)
    assert best.best_epoch == 2
    assert same_weights(net, twin)


def test_not_finite_ignored(x, t) -> None:
    net = new_net()
    history = net.fit(x, t, optimizer=fastnn.SGD(lr=1e30), epochs=3, on_nan="ignore", batch_size=10, **QUIET)
    assert history.ended == "finished"
    assert len(history) == net.epochs == 3


def test_weights_that_are_spoiled_are_named(x, t) -> None:
    """By the training that spoils them, and by the next, which cannot mend them."""
    net, gaps = new_net(), x.copy()
    gaps[41, 2] = np.nan
    anew = "build the net or load it anew"
    with pytest.raises(fastnn.NonFiniteLossError) as spoils:
        net.fit(gaps, t, batch_size=10, shuffle=False, **QUIET)
    assert "in step 5 of epoch 1" in str(spoils.value)
    assert f"what is missing; the net's weights are not finite any more: {anew}, unless" in str(spoils.value)
    with pytest.raises(fastnn.NonFiniteLossError) as finds:
        net.fit(x, t, **QUIET)
    assert str(finds.value).endswith(f"the net's weights had NaN or infinite numbers before this training: {anew}")
    net.set_weights(new_net().get_weights())
    with pytest.raises(fastnn.NonFiniteLossError, match="what the optimizer keeps .*: train with a new optimizer$"):
        net.fit(x, t, **QUIET)
    net.set_weights(new_net().get_weights())
    net.fit(x, t, optimizer=fastnn.Adam(), epochs=1, **QUIET)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_one_number_spoils_a_net(value) -> None:
    net, sgd = new_net(), fastnn.SGD(lr=0.1)
    assert not_finite.spoiled(net, sgd) == ""
    weights = net.get_weights()
    weights[-1][1] = value
    net.set_weights(weights)
    assert not_finite.spoiled(net, sgd).startswith("the net's weights had NaN or infinite numbers before")


def test_weights_that_are_finite_are_not_blamed(x, t) -> None:
    net = new_net()
    result = EpochResult(np.inf, 10, 1, False)
    message = not_finite.explained(net, source_of(net, x, t), result, 1, 0.1, "")
    assert "smaller learning rate" in message
    assert "weights are" not in message
    assert "weights had" not in message


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_missing_numbers_are_named(x, t, value) -> None:
    x[41, 2] = value
    with pytest.raises(fastnn.NonFiniteLossError, match="x has NaN or infinite numbers in row 41: fill in"):
        new_net().fit(x, t, **QUIET)
    with pytest.raises(fastnn.NonFiniteLossError, match="in row 41"):
        new_net().fit(x, t, validation_split=0.2, seed=1, **QUIET)


@pytest.mark.parametrize("chunk", [4096, 16])
@pytest.mark.parametrize("column", [0, 2])
def test_missing_numbers_of_later_rows_are_named(x, t, column, chunk, monkeypatch) -> None:
    """Also where rows are looked at some at a time, and where a row of a sparse matrix begins with what is missing."""
    sparse = pytest.importorskip("scipy.sparse")
    monkeypatch.setattr(not_finite, "_CHUNK", chunk)
    x[:, 1] = 0
    x[3] = 0
    x[41, column] = np.nan
    for rows in (x, sparse.csr_array(x)):
        with pytest.raises(fastnn.NonFiniteLossError, match="x has NaN or infinite numbers in row 41: fill in"):
            new_net().fit(rows, t, **QUIET)


def test_batches_are_not_asked_again(x, t) -> None:
    """Nothing is said of their rows, which only they know."""
    x[5] = np.nan
    with pytest.raises(fastnn.NonFiniteLossError, match="smaller learning rate.*weights are not finite") as caught:
        new_net().fit([(x[:20], t[:20]), (x[20:], t[20:])], **QUIET)
    assert "fill in" not in str(caught.value)


@pytest.mark.parametrize("options", [{"ignore_label": 1}, {"class_weight": [1.0, 0.0, 1.0]}])
@pytest.mark.parametrize("weights", [None, np.ones(60)])
def test_labels_of_which_none_counts_are_refused(x, options, weights) -> None:
    net = new_net(loss=("softmax_cross_entropy", options))
    with pytest.raises(ValueError, match="^t: got no label that counts"):
        net.fit(x, np.ones(60, int), sample_weight=weights, **QUIET)


def test_rows_of_a_file_that_weigh_nothing_are_refused(x, t, tmp_path) -> None:
    np.save(tmp_path / "x.npy", x.astype(np.float64))
    with pytest.raises(ValueError, match="^sample_weight: got only zeros"):
        new_net().fit(np.load(tmp_path / "x.npy", mmap_mode="r"), t, sample_weight=np.zeros(60), **QUIET)


def test_batches_that_weigh_nothing_are_passed_over(x, t) -> None:
    weights = np.ones(60)
    weights[10:20] = 0
    history = new_net().fit(x, t, sample_weight=weights, batch_size=10, shuffle=False, epochs=2, **QUIET)
    assert np.isfinite(history["loss"]).all()
