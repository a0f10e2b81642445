"""`fastnn train`, and `evaluate` and `info` of what it saves."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastnn
from fastnn.callbacks import CSVLog
from fastnn.cli.job import parts_of
from fastnn.cli.main import main
from fastnn.cli.results import print_results
from fastnn.cli.signals import Terminated, interrupts
from fastnn.cli.tables import Table
from fastnn.cli.task import Split
from fastnn.saving import read_metadata

Run = Callable[..., str]
Results = Callable[..., dict[str, float]]

WIDTH = ("--target", "width", "--drop", "species")


def test_a_data_set(run: Run, results: Results, tmp_path: Path) -> None:
    model = str(tmp_path / "model.npz")
    options = ("--layers", "64-50-10", "--lr", "0.01", "--epochs", "5", "--dropout", "0.1", "--save", model)
    found = results("train", "digits", *options)
    assert list(found) == ["epochs", "loss", "accuracy", "seconds", "test_loss", "test_accuracy"]
    assert found["test_accuracy"] > 0.93
    evaluated = results("evaluate", model, "digits")
    assert evaluated == {"loss": found["test_loss"], "accuracy": found["test_accuracy"]}
    assert results("evaluate", model, "digits", "--part", "train")["accuracy"] > evaluated["accuracy"]
    described = run("info", model)
    for words in ("64-50-10", "3,760 (float32)", "Adam(lr=0.01", "epochs             5", "0, 1, 2", "(0.1,)"):
        assert words in described


def test_a_table_of_ones_own(run: Run, results: Results, flowers: str, tmp_path: Path) -> None:
    model, log = str(tmp_path / "model.npz"), tmp_path / "log.csv"
    found = results(
        "train", flowers, "--target", "species", "--standardize", "--validation", "0.3", "--stratify",
        "--early-stopping", "30", "--epochs", "60", "--lr", "0.03", "--layers", "16", "--save", model,
        "--csv-log", str(log),
    )  # fmt: skip
    assert found["val_accuracy"] == 1
    assert 1 <= found["best_epoch"] <= found["epochs"] <= 60
    with log.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == found["epochs"]
    assert float(rows[int(found["best_epoch"]) - 1]["val_loss"]) == found["val_loss"]
    assert results("evaluate", model, flowers)["accuracy"] == 1
    # Rows are scaled by what is known without those held back.
    mean = read_metadata(model)["task"]["mean"]
    of_all = np.genfromtxt(flowers, delimiter=",", skip_header=1, usecols=(0, 1)).mean(axis=0)
    assert (np.abs(mean - of_all) > 1e-6).all()
    described = run("info", model)
    for words in ("species", "setosa, versicolor, virginica", "length, width", "0.3 of the rows, stratified, seed 0"):
        assert words in described


def test_results_are_those_of_the_best_epoch(results: Results, tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    options = ("--validation", "0.2", "--lr", "0.03", "--epochs", "200", "--early-stopping", "2", "--csv-log", str(log))
    found = results("train", "digits", *options)
    with log.open() as file:
        losses = [float(row["val_loss"]) for row in csv.DictReader(file)]
    assert found["epochs"] == found["best_epoch"] + 2 == len(losses)
    assert found["val_loss"] == min(losses) == losses[int(found["best_epoch"]) - 1]


@pytest.mark.parametrize("seed", range(4))
def test_stratified_rows_have_each_class_in_proportion(seed: int) -> None:
    t = np.repeat(["often", "rarely"], [90, 10])
    table = Table("rows", ("x",), np.arange(100.0).reshape(100, 1), ("t",), t)
    trained, held_back = parts_of(table, Split(0.2, True, seed))
    assert (list(held_back.t).count("rarely"), len(held_back), len(trained)) == (2, 20, 80)
    assert sorted([*trained.x[:, 0], *held_back.x[:, 0]]) == list(range(100))


def test_numbers_that_are_not_finite_are_null_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    print_results({"loss": float("nan"), "epochs": 3}, True)
    assert json.loads(capsys.readouterr().out) == {"loss": None, "epochs": 3}


def test_validation_on_a_file(results: Results, flowers: str) -> None:
    arguments = ("--target", "species", "--standardize", "--epochs", "2", "--validation", flowers)
    assert {"val_loss", "val_accuracy"} <= results("train", flowers, *arguments).keys()
    assert "val_accuracy" in results("train", "digits", "--epochs", "1", "--validation", "test")


def test_resumed_training_equals_uninterrupted_training(run: Run, flowers: str, tmp_path: Path) -> None:
    whole, half, log = (str(tmp_path / name) for name in ("whole.npz", "half.npz", "log.csv"))
    new = ("train", flowers, "--target", "species", "--standardize", "--validation", "0.2", "--dropout", "0.3")
    run(*new, "--seed", "5", "--epochs", "4", "--save", whole)
    run(*new, "--seed", "5", "--epochs", "2", "--save", half, "--csv-log", log)
    run("train", flowers, "--resume", half, "--epochs", "2", "--save", half, "--csv-log", log)
    for one, other in zip(fastnn.load(whole).get_weights(), fastnn.load(half).get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert [line.split(",")[0] for line in Path(log).read_text().splitlines()] == ["epoch", "1", "2", "3", "4"]


def test_numbers(results: Results, run: Run, houses: str, tmp_path: Path) -> None:
    model = str(tmp_path / "model.npz")
    options = ("--lr", "0.03", "--epochs", "60", "--layers", "x-16-x", "--dtype", "float64", "--save", model)
    found = results("train", houses, "--target", "price", "--drop", "age", *options)
    assert found["loss"] < 0.1
    assert fastnn.load(model).loss == "mean_squared_error"
    assert results("evaluate", model, houses)["loss"] < 0.1
    run("train", houses, "--target", "price", "--target", "-1", "--loss", "huber:delta=2", *options)
    assert (fastnn.load(model).sizes, fastnn.load(model).loss) == ((2, 16, 2), ("huber", {"delta": 2.0}))


@pytest.mark.parametrize("loss", ["sigmoid_cross_entropy", "hinge", "softmax_cross_entropy"])
def test_two_classes(results: Results, run: Run, loss: str, tmp_path: Path) -> None:
    rows = "".join(f"{k - 20},{'yes' if k > 20 else 'no'}\n" for k in range(41))
    (tmp_path / "two.csv").write_text("x,t\n" + rows)
    source, model = str(tmp_path / "two.csv"), str(tmp_path / "model.npz")
    options = ("--target", "t", "--loss", loss, "--lr", "0.03", "--epochs", "30", "--standardize", "--save", model)
    results("train", source, *options)
    assert results("evaluate", model, source)["accuracy"] > 0.9
    lines = run("predict", model, source).splitlines()
    assert (lines[0], lines[1], lines[-1]) == ("t", "no", "yes")
    assert fastnn.load(model).sizes[-1] == (2 if loss.startswith("softmax") else 1)


def test_npz(results: Results, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((50, 2, 2)).astype(np.float32)
    path = str(tmp_path / "rows.npz")
    np.savez(path, x=x, t=(x[:, 0, 0] > 0).astype(np.uint8), y=x.reshape(50, 4)[:, :3])
    assert results("train", path, "--epochs", "30", "--lr", "0.03", "--metrics", "error,accuracy")["loss"] < 0.3
    model = str(tmp_path / "model.npz")
    results("train", path, "--target", "y", "--epochs", "1", "--save", model)
    assert fastnn.load(model).sizes == (4, 128, 3)
    assert results("evaluate", model, path)["loss"] > 0


def test_options_reach_the_net_and_its_optimizer(run: Run, tmp_path: Path) -> None:
    model = str(tmp_path / "model.npz")
    run(
        "train", "digits", "--layers", "32-16", "--activation", "tanh", "--activation", "leaky_relu:negative_slope=0.2",
        "--dropout", "0.1,0.2", "--l1", "1e-6", "--l2", "1e-5", "--init", "0.05", "--loss",
        "softmax_cross_entropy:label_smoothing=0.1", "--optimizer", "sgd:momentum=0.9", "--lr", "0.1",
        "--warm-up", "1epoch", "--schedule", "cosine", "--epochs", "2", "--batch-size", "100", "--seed", "3",
        "--save", model, "--quiet",
    )  # fmt: skip
    net = fastnn.load(model)
    assert net.sizes == (64, 32, 16, 10)
    assert net.activation == ("tanh", ("leaky_relu", 0.2))
    assert (net.dropout, net.l1, net.l2) == ((0.1, 0.2), 1e-6, 1e-5)
    assert net.loss == ("softmax_cross_entropy", {"label_smoothing": 0.1})
    schedule = fastnn.schedules.WarmUp(15, fastnn.schedules.Cosine(0.1, 15))
    assert repr(net.optimizer) == repr(fastnn.SGD(lr=schedule, momentum=0.9))


def test_reduce_on_plateau_is_told_the_loss(run: Run, flowers: str, tmp_path: Path) -> None:
    model = str(tmp_path / "model.npz")
    schedule = "reduce_on_plateau:patience=0,threshold=0.9,factor=0.5"
    run(
        "train",
        flowers,
        "--target",
        "species",
        "--lr",
        "1e-4",
        "--schedule",
        schedule,
        "--epochs",
        "4",
        "--save",
        model,
    )
    assert fastnn.load(model).optimizer.lr.last_lr < 1e-4


def test_the_same_seed_gives_the_same_net(results: Results) -> None:
    def loss(seed: str) -> float:
        return results("train", "digits", "--epochs", "1", "--seed", seed)["test_loss"]

    assert loss("1") == loss("1") != loss("2")


def test_what_is_printed_where(capsys: pytest.CaptureFixture[str], flowers: str) -> None:
    arguments = ["train", flowers, "--target", "species", "--epochs", "2"]
    assert main(arguments) == 0
    printed = capsys.readouterr()
    assert [line.split()[0] for line in printed.out.splitlines()] == ["epochs", "loss", "accuracy", "seconds"]
    for words in ("90 rows; 3 classes: setosa", "net: 2-128-3, 771 parameters", "--standardize", "epoch 2/2", "Adam("):
        assert words in printed.err
    assert "\x1b" not in printed.err
    assert main([*arguments, "--quiet"]) == 0
    printed = capsys.readouterr()
    assert (printed.err, len(printed.out.splitlines())) == ("", 4)


def test_plot(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    run("train", "digits", "--epochs", "2", "--validation", "0.1", "--plot", str(tmp_path / "curves.png"))
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_loss_that_is_not_finite(capsys: pytest.CaptureFixture[str], houses: str, tmp_path: Path) -> None:
    model = tmp_path / "model.npz"
    arguments = ["train", houses, "--target", "price", "--optimizer", "sgd", "--lr", "1e30", "--epochs", "9", "--quiet"]
    assert main([*arguments, "--save", str(model)]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("fastnn: error: loss: got ")
    assert "learning rate" in printed.err
    assert printed.err.count("\n") == 1
    assert not model.exists()


SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
SAVED = ("train", "digits", "--epochs", "50", "--save")


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_what_was_learned_is_saved_after_interrupts(
    number: signal.Signals,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """The first ends the training; others come while it ends, and while the file is written."""

    def kill(*_: object) -> None:
        os.kill(os.getpid(), number)

    def save(*arguments: Any, **options: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        real_save(*arguments, **options)

    real_save = fastnn.MLP.save
    monkeypatch.setattr(CSVLog, "on_epoch_end", kill)
    monkeypatch.setattr(CSVLog, "on_train_end", kill)
    monkeypatch.setattr(fastnn.MLP, "save", save)
    model = str(tmp_path / "model.npz")
    before = [signal.getsignal(one) for one, _ in SIGNALS]
    assert main([*SAVED, model, "--csv-log", str(tmp_path / "log.csv"), "--json"]) == status
    assert [signal.getsignal(one) for one, _ in SIGNALS] == before
    printed = capsys.readouterr()
    assert json.loads(printed.out)["epochs"] == 1
    assert printed.err.endswith(f"the net keeps what it has learned\nsaving {model}\n")
    assert fastnn.load(model).epochs == 1


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_an_interrupt_while_saving_waits_for_it(
    number: signal.Signals, status: int, monkeypatch: pytest.MonkeyPatch, fails: Run, tmp_path: Path
) -> None:
    def save(*arguments: Any, **options: Any) -> None:
        os.kill(os.getpid(), number)
        real_save(*arguments, **options)

    real_save = fastnn.MLP.save
    monkeypatch.setattr(fastnn.MLP, "save", save)
    model = str(tmp_path / "model.npz")
    assert fails(status, *SAVED, model, "--epochs", "1", "--quiet") in ("interrupted", "terminated")
    assert fastnn.load(model).epochs == 1


@pytest.mark.parametrize("saves", [True, False])
def test_when_a_second_interrupt_ends_it_all(saves: bool) -> None:
    """Where there is nothing to save, and once it is saved."""
    with interrupts(saves):
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        if saves:
            signal.raise_signal(signal.SIGINT)
        else:
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
    with interrupts(saves) as signals:
        with pytest.raises(Terminated):
            signal.raise_signal(signal.SIGTERM)
        with signals.saving():
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert signals.terminated


def test_a_ctrl_c_that_is_ignored_still_is() -> None:
    """As in `fastnn train &` of a script."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupts():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("mnst",), r"mnst: no such file, and no data set of that name; the data sets are digits, .*mnist"),
        (("digits", "--layers", "784-128-10"), r"--layers: got 784-128-10, but the data has 64 inputs and"),
        (("digits", "--target", "x"), r"--target: says what is what in a file, and digits is a data set"),
        (("digits", "--activation", "rleu"), r"--activation: got 'rleu', expected one of .*'relu'"),
        (("digits", "--activation", "relu", "--activation", "tanh"), r"--activation: got 2, expected one, or"),
        (("digits", "--loss", "hinge"), r"--loss: hinge tells two classes apart, and the target has 10: 0, 1, 2"),
        (("digits", "--loss", "kl_divergence"), r"--target: kl_divergence takes a column of probabilities for"),
        (("digits", "--dropout", "1.5"), r"--dropout: got 1.5, expected"),
        (("digits", "--dropout", "much"), r"--dropout: .*'much'"),
        (("digits", "--init", "he"), r"--init: got 'he', expected one of .*he_normal"),
        (("digits", "--l2", "-1"), r"--l2: got -1"),
        (("digits", "--lr", "-1"), r"--lr: got -1.0, expected a number in"),
        (("digits", "--metrics", "acuracy"), r"--metrics: got 'acuracy', expected .*accuracy"),
        (("digits", "--validation", "1.5"), r"--validation: got 1.5, expected a fraction between 0 and 1"),
        (("digits", "--validation", "none.csv"), r"none.csv: no such file"),
        (("digits", "--early-stopping", "3"), r"--early-stopping: needs --validation"),
        (("digits", "--stratify"), r"--stratify: needs --validation with a fraction"),
        (("digits", "--save", "nowhere/model.npz"), r"--save: there is no folder nowhere"),
        (("digits", "--save", "."), r"--save: \. is a folder"),
        (("digits", "--plot", "curves.docx"), r"--plot: got curves.docx, expected a name that ends in .*\.png"),
        (("digits", "--threads", "100000"), r"--threads: got 100000, expected at most"),
        (("digits", "--resume", "none.npz"), r"none.npz: cannot be read \(No such file"),
        (("FLOWERS",), r"--target: missing; which column is to be learned\? .* has length, width, species"),
        (("FLOWERS", "--target", "kind"), r"--target: got 'kind', expected a column of .*: length, width, species"),
        (("FLOWERS", "--target", "width"), r".*column 'species', row 1: 'setosa' is no number; .*--drop species"),
        (("FLOWERS", "--target", "species", "--loss", "huber"), r"--loss: huber is for numbers, but the target"),
        (("FLOWERS", *WIDTH, "--loss", "hinge"), r"--loss: hinge is for classes, but the target has .* in row 1"),
        (("FLOWERS", *WIDTH, "--validation", "0.1", "--stratify"), r"--stratify: the target has numbers"),
    ],
)  # fmt: skip
def test_refusals_are_one_line(
    arguments: tuple[str, ...], message: str, fails: Run, flowers: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = fails(2, "train", *(flowers if one == "FLOWERS" else one for one in arguments), "--epochs", "1", "--quiet")
    assert re.match(message, said), said


def test_numbers_that_the_loss_is_not_for(fails: Run, tmp_path: Path) -> None:
    path = tmp_path / "counts.csv"
    path.write_text("x,count\n1,0.5\n2,2.5\n3,-1\n4,4\n")
    said = fails(2, "train", str(path), "--target", "count", "--loss", "poisson", "--layers", "3")
    assert said == f"{path}: the target is -1 in row 3, expected numbers of at least 0 with the loss poisson"


def test_whole_numbers_that_may_be_numbers(fails: Run, tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("x,price\n" + "".join(f"{k},{1000 + k}\n" for k in range(150)))
    said = fails(2, "train", str(path), "--target", "price")
    assert said.startswith("--loss: the target price has 150 different whole numbers; choose mean_squared_error")


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("--layers", "8"), "--layers: is that of the net in "),
        (("--seed", "8"), "--seed: is that of the net in "),
        (("--standardize",), "--standardize: is that of the net in "),
        (("--schedule", "cosine"), "--schedule: counts from the first step of an optimizer"),
    ],
)
def test_what_a_resumed_training_has_already(
    option: tuple[str, ...], message: str, run: Run, fails: Run, flowers: str, tmp_path: Path
) -> None:
    model = str(tmp_path / "model.npz")
    run("train", flowers, "--target", "species", "--epochs", "1", "--save", model)
    assert fails(2, "train", flowers, "--resume", model, *option).startswith(message)
    run("train", flowers, "--resume", model, "--lr", "0.5", "--epochs", "1", "--save", model)
    assert fastnn.load(model).optimizer.lr == 0.5
    run(
        "train",
        flowers,
        "--resume",
        model,
        "--optimizer",
        "sgd",
        "--schedule",
        "cosine",
        "--epochs",
        "1",
        "--save",
        model,
    )
    assert type(fastnn.load(model).optimizer) is fastnn.SGD


def test_plot_without_matplotlib(fails: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.backend_bases", None)
    assert fails(2, "train", "digits", "--plot", "curves.png").startswith("--plot: needs matplotlib")
