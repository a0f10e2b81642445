"""What each callback does between epochs."""

from __future__ import annotations

import csv
import inspect
import math
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import fastnn
from fastnn.callbacks import (
    Callback,
    Checkpoint,
    CSVLog,
    EarlyStopping,
    Lambda,
    LearningRate,
    ReduceOnPlateau,
    Training,
)
from tests.training.nets import QUIET, new_net, same_weights


class FakeNet:
    """Weights are one number: that of the epoch."""

    def __init__(self) -> None:
        self.weights = 0

    def get_weights(self) -> int:
        return self.weights

    def set_weights(self, weights: int) -> None:
        self.weights = weights


def training_of(net: Any, **directions: str | None) -> Training:
    return Training(net, fastnn.SGD(lr=1.0), 0, 100, tuple(directions), directions)


def run(callback: Callback, values: list[float], name: str = "loss", direction: str | None = "min") -> FakeNet:
    """Epochs with these values of a number, until the callback stops or there are no more."""
    net = FakeNet()
    training = training_of(net, **{name: direction})
    callback.on_train_begin(training)
    for epoch, value in enumerate(values, 1):
        training.epoch, training.logs, net.weights = epoch, {name: value}, epoch
        callback.on_epoch_begin(training)
        if callback.on_epoch_end(training):
            break
    callback.on_train_end(training)
    return net


# --- early stopping --------------------------------------------------------------------------------------------------


def rule(values: list[float], patience: int, min_delta: float, skipped: int) -> tuple[int | None, int | None]:
    """The epoch of the best of the smallest values, and the one after which it stops, by the words of the rule."""
    best = stopped = None
    for epoch in range(skipped + 1, len(values) + 1):
        value = values[epoch - 1]
        if not math.isnan(value) and (best is None or value + min_delta < values[best - 1]):
            best = epoch
        since = epoch - (skipped if best is None else best)
        if since >= max(patience, 1) and epoch > 1:
            stopped = epoch
            break
    return best, stopped


NUMBERS = st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0, math.inf, -math.inf, math.nan]), max_size=12)


@given(NUMBERS, st.integers(0, 4), st.sampled_from([0.0, 0.25, 1.0]), st.integers(0, 3), st.booleans())
@example([math.nan, 1.0, 2.0], 1, 0.0, 0, False)
def test_early_stopping_against_its_rule(values, patience, min_delta, skipped, largest) -> None:
    best, stopped = rule(values, patience, min_delta, skipped)
    callback = EarlyStopping("number", patience, min_delta, start_from_epoch=skipped)
    given_values = [-value for value in values] if largest else values
    net = run(callback, given_values, "number", "max" if largest else "min")
    assert (callback.best_epoch, callback.stopped_epoch) == (best, stopped)
    assert callback.best == (None if best is None else given_values[best - 1])
    assert net.weights == (best or stopped or len(values))


def test_early_stopping_keeps_the_last_weights_on_request() -> None:
    net = run(EarlyStopping(patience=2, restore_best_weights=False), [1.0, 0.5, 2.0, 3.0, 4.0])
    assert net.weights == 4


def test_early_stopping_in_fit(x, t) -> None:
    net, seen = new_net(), []
    stopping = EarlyStopping(patience=2)
    note = Lambda(lambda training: seen.append(training.net.get_weights()))
    history = net.fit(
        x[:40], t[:40], optimizer=fastnn.SGD(lr=0.8), epochs=200, validation_data=(x[40:], t[40:]),
        callbacks=[note, stopping], **QUIET,
    )  # fmt: skip
    losses = history["val_loss"]
    assert history.ended == "stopped"
    assert stopping.stopped_epoch == len(history) < 200
    assert stopping.best == min(losses)
    assert stopping.best_epoch == losses.index(min(losses)) + 1 == len(history) - 2
    assert all(np.array_equal(a, b) for a, b in zip(net.get_weights(), seen[stopping.best_epoch - 1], strict=True))
    # A second fit begins anew.
    net.fit(x[:40], t[:40], epochs=1, callbacks=[stopping], **QUIET)
    assert stopping.best_epoch == len(history) + 1
    assert stopping.stopped_epoch is None


@pytest.mark.parametrize(
    ("name", "direction"),
    [
        ("val_loss", "min"), ("loss", "min"), ("val_accuracy", "max"), ("error", "min"), ("val_f1_score", "max"),
        ("zero_one_loss", "min"), ("max_error", "min"), ("sum", None), ("lr", None),
    ],
)  # fmt: skip
def test_which_is_better(x, t, name, direction) -> None:
    seen: list[Training] = []
    sk = pytest.importorskip("sklearn.metrics")
    f1 = ("f1_score", lambda t, prediction: sk.f1_score(t, prediction, average="micro"))
    metrics = ["accuracy", "error", f1, sk.zero_one_loss, sk.max_error, ("sum", lambda t, prediction: sum(t))]
    own = {"validation_data": (x, t)} if name.startswith("val") else {}
    new_net().fit(
        x, t, epochs=1, metrics=metrics, train_metrics=True, callbacks=[Lambda(seen.append), *_watch(name, direction)],
        **own, **QUIET,
    )  # fmt: skip
    assert seen[0].directions.get(name) == direction
    if direction is None:
        with pytest.raises(ValueError, match=f"mode: got None, expected 'min' or 'max', .* {name!r}"):
            new_net().fit(x, t, metrics=metrics, train_metrics=True, callbacks=[EarlyStopping(name)], **QUIET)


def _watch(name: str, direction: str | None) -> list[Callback]:
    return [EarlyStopping(name, mode=None if direction else "min")]


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: EarlyStopping(patience=-1), ValueError, "patience: got -1"),
        (lambda: EarlyStopping(min_delta=-0.1), ValueError, "min_delta: got -0.1"),
        (lambda: EarlyStopping(mode="auto"), ValueError, "mode: got 'auto', expected one of 'min', 'max'"),
        (lambda: EarlyStopping(restore_best_weights=1), TypeError, "restore_best_weights: got 1"),
        (lambda: Checkpoint("a.npz", monitor="loss"), ValueError, "best_only: got False beside"),
        (lambda: Checkpoint(3), TypeError, "int"),
        (lambda: LearningRate(0.1), TypeError, "rate: got 0.1"),
        (lambda: ReduceOnPlateau(factor=2.0), ValueError, "factor: got 2.0"),
        (lambda: ReduceOnPlateau(mode="up"), ValueError, "mode: got 'up'"),
        (lambda: Lambda(on_train_end=3), TypeError, "on_train_end: got 3"),
    ],
)
def test_arguments(make, kind, message) -> None:
    with pytest.raises(kind, match=message):
        make()


@pytest.mark.parametrize("kind", [CSVLog, Checkpoint, EarlyStopping, Lambda, LearningRate, ReduceOnPlateau])
def test_docstring_names_every_argument_and_what_is_raised(kind) -> None:
    about = " ".join(kind.__doc__.split())
    for name in inspect.signature(kind).parameters:
        assert re.search(rf"[.;)] (\w+, )*{name}(, \w+)* : ", about), name
    assert "Raises " in about


# --- checkpoints -----------------------------------------------------------------------------------------------------


@pytest.fixture
def saved(monkeypatch) -> list[tuple[str, int]]:
    """The paths that nets were saved to, and their epochs then."""
    calls: list[tuple[str, int]] = []
    monkeypatch.setattr(
        fastnn.MLP, "save", lambda net, path: calls.append((Path(path).name, net.epochs)), raising=False
    )
    return calls


def test_checkpoint_of_every_epoch(x, t, saved, tmp_path) -> None:
    checkpoint = Checkpoint(tmp_path / "net-{epoch:02d}-{lr:.1f}.npz")
    new_net().fit(x, t, optimizer=fastnn.SGD(lr=0.1), epochs=3, callbacks=[checkpoint], **QUIET)
    assert saved == [("net-01-0.1.npz", 1), ("net-02-0.1.npz", 2), ("net-03-0.1.npz", 3)]
    assert checkpoint.saved == tmp_path / "net-03-0.1.npz"


def test_training_goes_on_from_a_checkpoint(x, t, tmp_path) -> None:
    """As if it had not been killed in its fifth epoch, with what was saved after the third; and so does the log."""

    def callbacks(name: str) -> list[Callback]:
        reduce, log = ReduceOnPlateau("loss", patience=0, factor=0.5, threshold=0.3), CSVLog(tmp_path / f"{name}.csv")
        return [reduce, log, Checkpoint(tmp_path / (name + "-{epoch}.npz"))]

    options: dict[str, Any] = {"batch_size": 16, "validation_split": 0.2, "metrics": ["accuracy"], **QUIET}
    whole, killed = new_net(dropout=0.2), new_net(dropout=0.2)
    expected = whole.fit(x, t, epochs=6, callbacks=callbacks("whole"), **options)
    assert len(set(expected["lr"])) > 2
    killed.fit(x, t, epochs=5, callbacks=callbacks("killed"), **options)
    resumed = fastnn.load(tmp_path / "killed-3.npz")
    history = resumed.fit(x, t, epochs=3, callbacks=callbacks("killed"), **options)
    assert same_weights(whole, resumed)
    for name in ("loss", "val_loss", "val_accuracy", "lr"):
        assert history[name] == expected[name][3:]
    for one, other in zip(read(tmp_path / "killed.csv"), read(tmp_path / "whole.csv"), strict=True):
        assert one[:-1] == other[:-1]  # all but the seconds


def test_checkpoint_of_the_best(tmp_path) -> None:
    calls: list[int] = []

    class Saved(FakeNet):
        def save(self, path: Path) -> None:
            calls.append(self.weights)

    for better_than, expected in ((None, [2, 4, 6]), (3.0, [4, 6]), (0.1, [])):
        calls.clear()
        checkpoint = Checkpoint(tmp_path / "best.npz", best_only=True, better_than=better_than)
        net, training = Saved(), training_of(None, loss="min")
        training.net = net  # type: ignore[assignment]
        checkpoint.on_train_begin(training)
        for epoch, value in enumerate([math.nan, 3.0, 5.0, 2.0, 2.0, 1.0], 1):
            training.epoch, training.logs, net.weights = epoch, {"loss": value}, epoch
            checkpoint.on_epoch_end(training)
        assert calls == expected
        assert checkpoint.best == (1.0 if expected else 0.1)


def test_checkpoint_is_refused_before_any_epoch(x, t, saved, tmp_path) -> None:
    for path, kind, message in (
        ("{epochs}.npz", ValueError, r"path: got .* expected braces around some of \{epoch\}, \{loss\}"),
        ("{}.npz", ValueError, "path: got"),
        ("{loss:d}.npz", ValueError, "path: got"),
        ("none/a.npz", FileNotFoundError, "there is no folder"),
    ):
        net = new_net()
        with pytest.raises(kind, match=message):
            net.fit(x, t, callbacks=[Checkpoint(tmp_path / path)], **QUIET)
        assert net.epochs == 0
    assert not saved


# --- the CSV log -----------------------------------------------------------------------------------------------------


def read(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def test_csv_log(x, t, tmp_path) -> None:
    path, lines = tmp_path / "log.csv", []
    log, look = CSVLog(path), Lambda(lambda training: lines.append(len(read(path))))
    history = new_net().fit(x, t, epochs=3, validation_split=0.2, callbacks=[log, look], **QUIET)
    assert lines == [2, 3, 4]
    header, *rows = read(path)
    assert header == ["epoch", *history.names]
    assert [int(row[0]) for row in rows] == [1, 2, 3]
    for k, name in enumerate(history.names, 1):
        assert [float(row[k]) for row in rows] == history[name]
    # A new net begins a new file.
    new_net().fit(x, t, epochs=1, callbacks=[CSVLog(path)], **QUIET)
    assert [row[0] for row in read(path)] == ["epoch", "1"]
    assert [file.name for file in tmp_path.iterdir()] == ["log.csv"]


def test_csv_log_goes_on(x, t, tmp_path) -> None:
    path, log, net = tmp_path / "log.csv", CSVLog(tmp_path / "log.csv"), new_net()
    net.fit(x, t, epochs=2, callbacks=[log], **QUIET)
    restored = pickle.loads(pickle.dumps(net))
    net.fit(x, t, epochs=2, callbacks=[log], **QUIET)
    first = read(path)[:3]
    path.write_bytes(path.read_bytes() + b"2,0.1,0.001,0.0")  # killed while it wrote
    restored.fit(x, t, optimizer=fastnn.Adam(), epochs=3, callbacks=[log], **QUIET)
    assert [row[0] for row in read(path)] == ["epoch", "1", "2", "3", "4", "5"]
    assert read(path)[:3] == first


def test_csv_log_passes_over_empty_lines(x, t, tmp_path) -> None:
    path, net = tmp_path / "log.csv", new_net()
    net.fit(x, t, epochs=1, callbacks=[CSVLog(path)], **QUIET)
    path.write_text(path.read_text() + "\n")
    net.fit(x, t, epochs=1, callbacks=[CSVLog(path)], **QUIET)
    assert [row[0] for row in read(path)] == ["epoch", "1", "2"]


def test_csv_log_spares_other_files(x, t, tmp_path) -> None:
    path, net = tmp_path / "data.csv", new_net()
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="a file that is no log of epochs"):
        net.fit(x, t, callbacks=[CSVLog(path)], **QUIET)
    assert path.read_text() == "a,b\n1,2\n"
    path.unlink()
    net.fit(x, t, epochs=1, callbacks=[CSVLog(path)], **QUIET)
    before = path.read_text()
    with pytest.raises(ValueError, match="with the columns epoch, loss, lr, seconds, expected epoch, loss, val_loss"):
        net.fit(x, t, validation_split=0.2, callbacks=[CSVLog(path)], **QUIET)
    assert path.read_text() == before


# --- learning rates --------------------------------------------------------------------------------------------------


def test_learning_rate_goes_on_with_the_epochs(x, t) -> None:
    net, rate = new_net(), LearningRate(lambda epochs: 0.1 * 0.5**epochs)
    optimizer = fastnn.SGD(lr=7.0)
    first = net.fit(x, t, optimizer=optimizer, epochs=2, callbacks=[rate], **QUIET)
    second = net.fit(x, t, epochs=2, callbacks=[rate], **QUIET)
    assert first["lr"] + second["lr"] == [0.1, 0.05, 0.025, 0.0125]


def test_learning_rate_refuses(x, t) -> None:
    with pytest.raises(ValueError, match="optimizer: got the schedule"):
        new_net().fit(
            x, t, optimizer=fastnn.SGD(lr=fastnn.schedules.Constant(0.1)), callbacks=[LearningRate(float)], **QUIET
        )
    for answer, kind, message in ((-1.0, ValueError, "lr: got -1.0"), (float, TypeError, "rate: got")):
        with pytest.raises(kind, match=message):
            new_net().fit(x, t, callbacks=[LearningRate(lambda epochs, answer=answer: answer)], **QUIET)


def test_reduce_on_plateau() -> None:
    values, schedule = [3.0, 2.0, 2.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0], fastnn.schedules.ReduceOnPlateau(1.0, patience=1)
    rates: list[float] = []
    callback = ReduceOnPlateau(patience=1)
    training = training_of(FakeNet(), loss="min")
    callback.on_train_begin(training)
    for value in values:
        training.logs = {"loss": value}
        callback.on_epoch_end(training)
        schedule.step(value)
        rates.append(training.optimizer.values_at(0)["lr"])
        assert rates[-1] == schedule(0)
    assert len(set(rates)) > 2
    # Another one goes on with the schedule that there is.
    going_on = training.optimizer.lr
    ReduceOnPlateau(patience=5).on_train_begin(training)
    assert training.optimizer.lr is going_on


def test_reduce_on_plateau_goes_by_the_name(x, t) -> None:
    net = new_net()
    net.fit(x, t, epochs=1, metrics=["accuracy"], callbacks=[ReduceOnPlateau("accuracy", cooldown=2)], **QUIET)
    assert net.optimizer is not None
    plateau = net.optimizer.values["lr"]
    assert (plateau.mode, plateau.cooldown, plateau.lr) == ("max", 2, 1e-3)


def test_reduce_on_plateau_refuses(x, t) -> None:
    with pytest.raises(ValueError, match="expected one whose lr is a number"):
        new_net().fit(
            x, t, optimizer=fastnn.SGD(lr=fastnn.schedules.Constant(0.1)), callbacks=[ReduceOnPlateau()], **QUIET
        )


# --- functions -------------------------------------------------------------------------------------------------------


def test_functions(x, t) -> None:
    calls: list[str] = []
    hooks = {
        name: (lambda training, name=name: calls.append(f"{name} {training.epoch}"))
        for name in ("on_train_begin", "on_epoch_begin", "on_train_end")
    }
    net = new_net()
    history = net.fit(x, t, epochs=9, callbacks=[Lambda(lambda training: training.epoch == 2, **hooks)], **QUIET)
    assert calls == ["on_train_begin 0", "on_epoch_begin 1", "on_epoch_begin 2", "on_train_end 2"]
    assert len(history) == 2


def test_base_does_nothing(x, t) -> None:
    net, twin = new_net(), new_net()
    net.fit(x, t, epochs=2, callbacks=[Callback(), Lambda()], **QUIET)
    twin.fit(x, t, epochs=2, **QUIET)
    assert same_weights(net, twin)
