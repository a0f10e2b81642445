"""The loop over epochs: what it trains, how it goes on, what it measures; rows and batches."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator

import numpy as np
import pytest

import fastnn
from fastnn.callbacks import Callback, Lambda, ReduceOnPlateau
from tests.training.nets import QUIET, new_net, same_weights


def test_equals_epochs_one_by_one(x, t) -> None:
    net, twin, sgd = new_net(dropout=0.3), new_net(dropout=0.3), fastnn.SGD(lr=0.05)
    history = net.fit(x, t, optimizer=fastnn.SGD(lr=0.05), epochs=3, batch_size=7, **QUIET)
    assert history["loss"] == [twin.train_epoch(x, t, sgd, 7) for _ in range(3)]
    assert same_weights(net, twin)
    assert history.epochs == [1, 2, 3]
    assert history.ended == "finished"
    assert history["lr"] == [0.05] * 3
    assert all(seconds > 0 for seconds in history["seconds"])


@pytest.mark.parametrize(
    "options", [{"seed": 5}, {"validation_split": 0.2}, {"validation_split": 0.2, "stratify": True}]
)
def test_resumed_training_equals_uninterrupted(x, t, options) -> None:
    def callbacks() -> list[Callback]:
        return [ReduceOnPlateau("loss", patience=0, factor=0.7, threshold=0.3)]

    whole, halves = new_net(dropout=0.2), new_net(dropout=0.2)
    expected = whole.fit(x, t, epochs=6, batch_size=16, callbacks=callbacks(), **QUIET, **options)
    assert len(set(expected["lr"])) > 1
    first = halves.fit(x, t, epochs=2, batch_size=16, callbacks=callbacks(), **QUIET, **options)
    # Another process would find the net and its optimizer in a file.
    halves, optimizer = pickle.loads(pickle.dumps((halves, halves.optimizer)))
    second = halves.fit(x, t, optimizer=optimizer, epochs=4, batch_size=16, callbacks=callbacks(), **QUIET, **options)
    for name in expected.names:
        if name != "seconds":
            assert first[name] + second[name] == expected[name], name
    assert same_weights(whole, halves)
    assert second.epochs == [3, 4, 5, 6]


def test_the_rate_is_that_of_the_last_step(x, t) -> None:
    schedule = fastnn.schedules.Exponential(0.1, 0.9)
    history = new_net().fit(x, t, optimizer=fastnn.SGD(lr=schedule), epochs=2, batch_size=20, **QUIET)
    assert history["lr"] == [schedule(2), schedule(5)]


def test_rows_are_drawn_from_the_seed(x, t) -> None:
    net, twin, other = new_net(), new_net(), new_net()
    net.fit(x, t, optimizer=fastnn.SGD(lr=0.05), epochs=2, batch_size=7, seed=5, **QUIET)
    sgd = fastnn.SGD(lr=0.05)
    for _ in range(2):
        twin.train_epoch(x, t, sgd, 7, seed=5)
    other.fit(x, t, optimizer=fastnn.SGD(lr=0.05), epochs=2, batch_size=7, **QUIET)
    assert same_weights(net, twin)
    assert not same_weights(net, other)


def test_goes_on_with_its_optimizer(x, t) -> None:
    net, twin = new_net(), new_net()
    net.fit(x, t, epochs=1, **QUIET)
    assert isinstance(net.optimizer, fastnn.Adam)
    first = net.optimizer
    net.fit(x, t, epochs=2, **QUIET)
    assert net.optimizer is first
    twin.fit(x, t, optimizer=fastnn.Adam(), epochs=3, **QUIET)
    assert same_weights(net, twin)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_a_copy_without_its_optimizer_says_so(copied, x, t) -> None:
    net = new_net()
    copied(net).fit(x, t, epochs=1, **QUIET)  # it had none
    net.fit(x, t, optimizer=fastnn.SGD(lr=0.05), epochs=1, **QUIET)
    with pytest.warns(UserWarning, match=r"^optimizer: not given, .* trains with fastnn.Adam\(\)") as caught:
        copied(net).fit(x, t, epochs=1, **QUIET)
    assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.parametrize(("size", "steps"), [(None, 2), (60, 2), (1000, 2), (59, 4), (1, 120)])
def test_batch_size(x, t, size, steps) -> None:
    net, sgd = new_net(), fastnn.SGD(lr=0.01)
    net.fit(x, t, optimizer=sgd, epochs=2, batch_size=size, **QUIET)
    assert sgd.state(net).steps == steps


def test_rows_as_they_lie(x, t) -> None:
    net, twin, sgd = new_net(), new_net(), fastnn.SGD(lr=0.05)
    net.fit(x, t, optimizer=fastnn.SGD(lr=0.05), epochs=1, batch_size=20, shuffle=False, **QUIET)
    for first in (0, 20, 40):
        twin.train_step(x[first : first + 20], t[first : first + 20], sgd)
    assert same_weights(net, twin)


def test_no_epochs(x, t) -> None:
    net = new_net()
    assert len(net.fit(x, t, epochs=0, **QUIET)) == 0
    assert same_weights(net, new_net())


def test_measures_after_each_epoch(x, t) -> None:
    net, weights = new_net(), np.arange(20) + 1.0
    found: list[dict[str, float]] = []

    def measure(training: fastnn.callbacks.Training) -> None:
        own = training.net.evaluate(x[:20], t[:20], sample_weight=weights)
        found.append({f"val_{name}": value for name, value in own.items()})
        found[-1]["accuracy"] = training.net.evaluate(x[20:], t[20:])["accuracy"]

    history = net.fit(
        x[20:], t[20:], epochs=3, validation_data=(x[:20], t[:20], weights), metrics=["accuracy"], train_metrics=True,
        callbacks=[Lambda(measure)], **QUIET,
    )  # fmt: skip
    assert history.names == ["loss", "accuracy", "val_loss", "val_accuracy", "lr", "seconds"]
    for name in ("accuracy", "val_loss", "val_accuracy"):
        assert history[name] == [row[name] for row in found]


def test_measures_the_training_data_without_others(x, t) -> None:
    net = new_net()
    history = net.fit(x, t, epochs=1, metrics=["error"], validation_split=0.2, **QUIET)
    assert history.names == ["loss", "val_loss", "val_error", "lr", "seconds"]
    history = net.fit(x, t, epochs=2, metrics=["error"], **QUIET)
    assert history.names == ["loss", "error", "lr", "seconds"]
    assert history["error"][-1] == net.evaluate(x, t, ["error"])["error"]


def slices(x: np.ndarray, t: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for first, last in ((0, 20), (20, 50), (50, 60)):
        yield x[first:last], t[first:last]


def test_batches_of_a_function(x, t) -> None:
    net, twin, sgd = new_net(), new_net(), fastnn.SGD(lr=0.05)
    history = net.fit(
        lambda: slices(x, t), optimizer=fastnn.SGD(lr=0.05), epochs=2, validation_data=lambda: slices(x, t),
        metrics=["accuracy"], **QUIET,
    )  # fmt: skip
    for _ in range(2):
        for rows, labels in slices(x, t):
            twin.train_step(rows, labels, sgd)
    assert same_weights(net, twin)
    expected = net.evaluate(x, t)
    assert history["val_loss"][-1] == pytest.approx(expected["loss"], rel=1e-6)
    assert history["val_accuracy"][-1] == pytest.approx(expected["accuracy"])
    assert net.evaluate(lambda: slices(x, t)) == pytest.approx(expected)
    losses = [
        new_net().fit(x, t, validation_data=batches, epochs=1, **QUIET)["val_loss"]
        for batches in (list(slices(x, t)), lambda: slices(x, t))
    ]
    assert losses[0] == losses[1]


def test_batches_of_a_generator(x, t) -> None:
    """An epoch goes on where the last was left; the generator ends in the third."""
    net, sgd = new_net(), fastnn.SGD(lr=0.05)
    batches = (batch for _ in range(2) for batch in slices(x, t))
    with pytest.raises(ValueError, match="x: got 2 batches, expected 4"):
        net.fit(batches, optimizer=sgd, epochs=3, steps_per_epoch=4, **QUIET)
    assert sgd.state(net).steps == 6
    assert net.epochs == 1
