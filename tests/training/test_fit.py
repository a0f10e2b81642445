"""The loop over epochs: what it trains, how it goes on, how it ends."""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import fastnn
from fastnn.callbacks import Callback, EarlyStopping, Lambda, LearningRate, ReduceOnPlateau
from fastnn.training import fit as loop
from fastnn.training import not_finite
from fastnn.training.epoch import EpochResult
from fastnn.training.sources import source_of
from tests.training.nets import new_net, same_weights

QUIET: dict[str, Any] = {"progress": False}


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


# --- callbacks -------------------------------------------------------------------------------------------------------


class Recorder(Callback):
    """Notes down what it is told, and ends the training as it is told to."""

    def __init__(self, log: list[str], stop_at: int | None = None, raise_at: dict[str, BaseException] | None = None):
        self._log, self._stop_at, self._raise_at = log, stop_at, raise_at or {}

    def _note(self, what: str, epoch: int) -> None:
        self._log.append(f"{what} {epoch}")
        if f"{what} {epoch}" in self._raise_at:
            raise self._raise_at[f"{what} {epoch}"]

    def on_train_begin(self, training):
        self._note("begin", training.epoch)

    def on_epoch_begin(self, training):
        self._note("epoch", training.epoch)

    def on_epoch_end(self, training):
        assert training.logs["loss"] == training.history["loss"][-1]
        self._note("done", training.epoch)
        return training.epoch == self._stop_at

    def on_train_end(self, training):
        self._note("end", training.epoch)


def test_order_of_calls_and_stopping(x, t) -> None:
    net, log, other = new_net(), [], []
    history = net.fit(x, t, epochs=5, callbacks=[Recorder(log, stop_at=2), Recorder(other)], **QUIET)
    assert log == other == ["begin 0", "epoch 1", "done 1", "epoch 2", "done 2", "end 2"]
    assert history.ended == "stopped"
    assert history.epochs == [1, 2]


def test_an_error_in_a_callback_keeps_what_was_learned(x, t) -> None:
    net, twin, log = new_net(), new_net(), []
    failing = Recorder([], raise_at={"done 2": RuntimeError("disk full")})
    with pytest.raises(RuntimeError, match="disk full"):
        net.fit(x, t, epochs=5, callbacks=[Recorder(log), failing], **QUIET)
    twin.fit(x, t, epochs=2, **QUIET)
    assert same_weights(net, twin)
    assert net.epochs == 2
    assert log[-1] == "end 2"


def test_callbacks_that_did_not_begin_do_not_end(x, t) -> None:
    log, other = [], []
    failing = Recorder(log, raise_at={"begin 0": RuntimeError("no")})
    with pytest.raises(RuntimeError, match="no"):
        new_net().fit(x, t, callbacks=[Recorder(other), failing], **QUIET)
    assert log == ["begin 0"]
    assert other == ["begin 0", "end 0"]


def test_refuses_other_answers(x, t) -> None:
    with pytest.raises(TypeError, match="callbacks: got 'yes' from on_epoch_end"):
        new_net().fit(x, t, callbacks=[Lambda(lambda training: "yes")], **QUIET)  # type: ignore[arg-type,return-value]


def test_callbacks_may_change_weights_and_rate(x, t) -> None:
    net, zero = new_net(), [np.zeros_like(w) for w in new_net().get_weights()]
    forget, halve = (
        Lambda(lambda training: training.net.set_weights(zero)),
        LearningRate(lambda epochs: 0.1 / 2**epochs),
    )
    history = net.fit(x, t, optimizer=fastnn.SGD(lr=0.1), epochs=3, callbacks=[forget, halve], **QUIET)
    assert history["lr"] == [0.1, 0.05, 0.025]
    assert same_weights(net, new_net(init=0.0))


# --- interrupts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["begin 0", "epoch 2", "done 2", "end 3"])
def test_ctrl_c_in_a_callback(x, t, where) -> None:
    net, log = new_net(), []
    interrupting = Recorder([], raise_at={where: KeyboardInterrupt()})
    history = net.fit(x, t, epochs=3, callbacks=[Recorder(log), interrupting], **QUIET)
    assert history.interrupted
    assert history.ended == "interrupted"
    epochs = {"begin 0": 0, "epoch 2": 1, "done 2": 2, "end 3": 3}[where]
    assert net.epochs == len(history) == epochs
    assert log[-1].startswith("end ")


def test_ctrl_c_twice(x, t) -> None:
    net, log = new_net(), []
    interrupting = Recorder([], raise_at={"done 2": KeyboardInterrupt(), "end 2": KeyboardInterrupt()})
    with pytest.raises(KeyboardInterrupt):
        net.fit(x, t, epochs=3, callbacks=[Recorder(log), interrupting], **QUIET)
    assert net.epochs == 2
    assert log[-1] == "end 2"  # the others come to their end all the same


def test_ctrl_c_within_an_epoch(x, t, monkeypatch) -> None:
    net, twin, sgd = new_net(), new_net(), fastnn.SGD(lr=0.05)
    steps = []

    def interrupted(*arguments: Any, **options: Any) -> Any:
        if len(steps) == 2:  # in the third epoch, after its first step
            order = arguments[4]
            net.train_step(x[order[:16]], t[order[:16]], arguments[2])
            raise KeyboardInterrupt
        steps.append(1)
        return run(*arguments, **options)

    run = loop.run_epoch
    monkeypatch.setattr(loop, "run_epoch", interrupted)
    history = net.fit(x, t, optimizer=fastnn.SGD(lr=0.05), epochs=5, batch_size=16, **QUIET)
    assert history.interrupted
    assert history.epochs == [1, 2]
    for _ in range(2):
        twin.train_epoch(x, t, sgd, 16)
    first = loop.order_of(twin, 60, None)[:16]
    twin.train_step(x[first], t[first], sgd)
    assert same_weights(net, twin)
    assert net.epochs == 2


def test_ctrl_c_at_any_line(x, t) -> None:
    """In whatever line of the loop it comes, the history is returned, and the net can be trained on."""
    code = {getattr(loop, name).__code__ for name in ("fit", "_epochs", "_measured", "_last_rate", "_stops")}

    def interrupted_at(line: int, net: fastnn.MLP) -> tuple[Any, int]:
        count = 0

        def trace(frame: Any, event: str, argument: Any) -> Any:
            nonlocal count
            if frame.f_code not in code:
                return None
            if event == "line":
                count += 1
                if count == line:
                    raise KeyboardInterrupt
            return trace

        callbacks = [EarlyStopping(patience=3)]
        before = sys.gettrace()
        sys.settrace(trace)
        try:
            return net.fit(x, t, epochs=2, validation_split=0.2, callbacks=callbacks, **QUIET), count
        finally:
            sys.settrace(before)

    new_net().fit(x, t, epochs=1, validation_split=0.2, **QUIET)
    lines = interrupted_at(10**9, new_net())[1]
    assert lines > 50
    returned = 0
    for line in range(1, lines + 1):
        net = new_net()
        try:
            history = interrupted_at(line, net)[0]
        except KeyboardInterrupt:
            continue
        returned += 1
        assert history.interrupted or history.ended == "finished"
        assert len(history) in (net.epochs, net.epochs - 1)
        net.train_step(x, t, fastnn.SGD(lr=0.1))
    # Not caught are the lines before the loop begins, and the last one.
    assert returned >= lines - 12


PROGRAM = """
import sys, numpy as np, fastnn
rng = np.random.default_rng(0)
net = fastnn.MLP((4, 8, 3), activation="relu")
history = net.fit(rng.standard_normal((60, 4)), np.arange(60) % 3, epochs=10**9)
print(history.ended, len(history) == net.epochs > 0, np.isfinite(net.forward(np.ones((1, 4), "f"))).all())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is no signal there")
def test_ctrl_c_of_a_program() -> None:
    command = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        assert program.stderr is not None
        for line in program.stderr:
            if line.startswith("epoch"):
                break
        program.send_signal(signal.SIGINT)
        out, _ = program.communicate(timeout=60)
    assert out == "interrupted True True\n"
    assert program.returncode == 0


# --- losses that are not finite --------------------------------------------------------------------------------------


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


def test_missing_numbers_of_sparse_rows_are_named(x, t) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    x[:, 1] = 0
    x[3] = 0
    x[41, 2] = np.nan
    with pytest.raises(fastnn.NonFiniteLossError, match="x has NaN or infinite numbers in row 41: fill in"):
        new_net().fit(sparse.csr_array(x), t, **QUIET)


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


# --- batches ---------------------------------------------------------------------------------------------------------


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


# --- arguments -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ({"epochs": -1}, ValueError, "epochs: got -1"),
        ({"batch_size": 0}, ValueError, "batch_size: got 0"),
        ({"optimizer": "adam"}, TypeError, "optimizer: got 'adam'"),
        ({"validation_split": 1.0}, ValueError, "validation_split: got 1.0"),
        ({"validation_split": 0.995}, ValueError, "validation_split: got 0.995 of 60 rows"),
        ({"stratify": True}, ValueError, "stratify: got True without a validation_split"),
        ({"validation_split": 0.1, "validation_data": ([[1.0] * 4], [0])}, ValueError, "beside validation_data"),
        ({"validation_data": ([[1.0] * 5], [0])}, ValueError, r"validation_data: x: got shape \(1, 5\)"),
        ({"validation_data": ([[1.0] * 4],)}, ValueError, "validation_data: got 1 parts"),
        ({"validation_data": (np.ones((0, 4)), np.ones(0, int))}, ValueError, "validation_data: x: got 0 rows"),
        ({"validation_data": iter([])}, TypeError, "validation_data: got a generator"),
        ({"validation_data": 3}, TypeError, "validation_data: t: got None"),
        ({"metrics": "accuracy"}, TypeError, r"metrics: got 'accuracy', expected a sequence, such as \['accuracy'\]"),
        ({"metrics": ["acuracy"]}, ValueError, r"metrics\[0\]: got 'acuracy', expected one of 'accuracy'"),
        ({"callbacks": [print]}, TypeError, r"callbacks\[0\]: .* pass fastnn.callbacks.Lambda"),
        ({"callbacks": [EarlyStopping]}, TypeError, r"callbacks\[0\]: got <class"),
        ({"callbacks": EarlyStopping()}, TypeError, "callbacks: got"),
        ({"callbacks": [EarlyStopping("val_loss")]}, ValueError, "monitor: got 'val_loss', .* validation_data"),
        ({"sample_weight": np.zeros(60)}, ValueError, "^sample_weight: got only zeros"),
        (
            {"sample_weight": np.eye(60)[0], "validation_split": 0.1, "seed": 1},
            ValueError,
            "^validation_split: sample_weight: got only zeros",
        ),
        (
            {"validation_data": (np.ones((2, 4)), [0, 1], [0, 0])},
            ValueError,
            "^validation_data: sample_weight: got only zeros",
        ),
        ({"on_nan": "warn"}, ValueError, "on_nan: got 'warn'"),
        ({"shuffle": 1}, TypeError, "shuffle: got 1"),
        ({"seed": -1}, ValueError, "seed: got -1"),
        ({"seed": "a"}, TypeError, "seed: got 'a'"),
        ({"train_metrics": "yes"}, TypeError, "train_metrics: got 'yes'"),
        ({"progress": "bar"}, TypeError, "progress: got 'bar'"),
        ({"steps_per_epoch": 3}, ValueError, "steps_per_epoch: got 3 with t"),
        ({"x": [], "t": None, "steps_per_epoch": 0}, ValueError, "steps_per_epoch: got 0"),
        ({"x": [], "t": None, "sample_weight": [1.0]}, TypeError, "sample_weight: got weights beside batches"),
        ({"x": [], "t": None, "validation_split": 0.1}, ValueError, "validation_split: got 0.1 of batches"),
        ({"x": [], "t": None, "metrics": ["accuracy"]}, ValueError, "metrics: got batches as x"),
        ({"t": None}, TypeError, "t: got None, expected targets"),
        ({"x": np.ones((0, 4)), "t": np.ones(0, int)}, ValueError, "x: got 0 rows"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_refuses(x, t, given, kind, message) -> None:
    net = new_net()
    with pytest.raises(kind, match=message):
        net.fit(**{"x": x, "t": t, **QUIET, **given})
    assert same_weights(net, new_net())
    assert net.epochs == 0
    assert net.optimizer is None
