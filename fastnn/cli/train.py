"""`fastnn train`: a net from data, and what was learned in a file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import fastnn
from fastnn.activations import Activation
from fastnn.callbacks import Callback, CSVLog, ReduceOnPlateau
from fastnn.cli import choices, data, evaluate
from fastnn.cli.errors import DONE, INTERRUPTED, TERMINATED, CommandError, UsageError, arguments_as_options
from fastnn.cli.job import Job, fraction, prepared
from fastnn.cli.model import Model
from fastnn.cli.parsing import add_threads, check_can_write, count, count_or_zero, number, threads_of
from fastnn.cli.results import add_json, print_results
from fastnn.cli.signals import interrupts
from fastnn.cli.tables import shown
from fastnn.losses import Loss
from fastnn.training.errors import NonFiniteLossError
from fastnn.training.history import History
from fastnn.training.optional import cure

HELP = "train a net on a data set or a table of your own"
EPILOG = """examples:
  fastnn train digits
  fastnn train mnist --layers 784-128-10 --activation relu --dropout 0.2 \\
      --optimizer adam --epochs 10 --batch-size 32 --save model.npz --plot curves.png
  fastnn train flowers.csv --target species --standardize --validation 0.2 --stratify \\
      --early-stopping 10 --epochs 200 --save flowers.npz
  fastnn train houses.csv --target price --drop id --standardize --loss huber:delta=2 \\
      --optimizer adamw:weight_decay=0.1
  fastnn train mnist --lr 0.003 --warm-up 1epoch --schedule cosine --save model.npz
  fastnn train mnist --resume model.npz --epochs 5 --save model.npz

NAME:OPTION=VALUE,OPTION=VALUE gives an activation, a loss, an optimizer or a schedule
its options, those of the class or function of that name in Python. After Ctrl-C or
SIGTERM, what was learned is saved, and the results are printed."""

_OF_A_NET = ("layers", "activation", "loss", "dropout", "l1", "l2", "init", "dtype", "seed", "standardize")
"""What --resume takes from the file."""

_NOT_RESULTS = ("seconds", "lr")

_LARGE = 50.0
"""Features that are larger are worth a word: initial weights are made for numbers about 1."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """All that a training can be asked for."""
    data.add_source(parser)
    net = parser.add_argument_group("the net")
    net.add_argument(
        "--layers",
        metavar="WIDTHS",
        help="widths of all layers, 784-128-10, or of the hidden ones alone, 128 or 128-64; what follows from the data "
        "can also be written x, as in x-8-8-x, and x-x is a net without hidden layers (default 128)",
    )
    net.add_argument(
        "--activation",
        action="append",
        metavar="NAME",
        help="of the hidden layers; more than once for one of each layer. One of "
        f"{choices.listed(Activation.by_name)} (default relu)",
    )
    net.add_argument(
        "--loss",
        metavar="NAME",
        help=f"one of {choices.listed(Loss.by_name)} (default softmax_cross_entropy if the target has texts or whole "
        "numbers, in a CSV file 2.0 too; mean_squared_error if it has other numbers or several columns)",
    )
    net.add_argument(
        "--dropout",
        metavar="FRACTION",
        help="of the outputs of hidden layers that a step drops; with commas, one of each layer (default 0)",
    )
    net.add_argument("--l1", type=number, metavar="FACTOR", help="of the sum of |w| in the loss (default 0)")
    net.add_argument("--l2", type=number, metavar="FACTOR", help="of the sum of w^2 in the loss (default 0)")
    net.add_argument(
        "--init",
        metavar="NAME",
        help="how weights are drawn, such as he_normal, or a standard deviation (default: as suits the activation)",
    )
    net.add_argument("--dtype", choices=("float32", "float64"), help="precision (default float32)")
    training = parser.add_argument_group("training")
    rates = ", ".join(f"{name} ({kind.hyper['lr'].default:g})" for name, kind in choices.OPTIMIZERS.items())
    training.add_argument("--optimizer", metavar="NAME", help=f"with its default learning rate: {rates} (default adam)")
    training.add_argument("--lr", type=number, metavar="RATE", help="the learning rate, or where a schedule begins")
    training.add_argument(
        "--schedule",
        metavar="NAME",
        help=f"how the rate changes: {choices.listed(choices.SCHEDULES)}. Lengths are in steps, or in epochs where "
        "they say so: step:step_size=5epochs; total_steps is by default the whole training (default: it does not)",
    )
    training.add_argument(
        "--warm-up", metavar="STEPS", help="raise the rate to its first value in so many steps, such as 500 or 1epoch"
    )
    training.add_argument(
        "--epochs", type=count, default=10, metavar="N", help="times that each row is learned from (default 10)"
    )
    training.add_argument("--batch-size", type=count, default=32, metavar="ROWS", help="rows per step (default 32)")
    training.add_argument(
        "--seed",
        type=count_or_zero,
        metavar="N",
        help="of initial weights, order of rows, dropout and validation rows: the same seed, the same net (default 0)",
    )
    training.add_argument(
        "--standardize",
        action="store_true",
        help="scale each feature to mean 0 and standard deviation 1 over the training rows; the model's file keeps how",
    )
    validation = parser.add_argument_group("validation")
    validation.add_argument(
        "--validation",
        metavar="ROWS",
        help="what loss and metrics are computed on after each epoch: a fraction of the rows, which are then not "
        "trained on, such as 0.2; or a file like DATA; or, for a data set, test",
    )
    validation.add_argument(
        "--stratify", action="store_true", help="hold back the same fraction of the rows of each class"
    )
    validation.add_argument(
        "--early-stopping",
        type=count,
        metavar="PATIENCE",
        help="stop after so many epochs without a lower validation loss, and keep the weights of the best epoch",
    )
    evaluate.add_metrics(validation)
    files = parser.add_argument_group("files and output")
    files.add_argument("--save", metavar="MODEL.npz", help="save the net, its optimizer and the names of the classes")
    files.add_argument(
        "--resume",
        metavar="MODEL.npz",
        help="train this net on, for --epochs more epochs: as if the training before had not ended",
    )
    files.add_argument("--plot", metavar="FILE", help="draw loss and metrics, as PNG, PDF or SVG (needs matplotlib)")
    files.add_argument("--csv-log", metavar="FILE", help="write loss and metrics of each epoch to a CSV file")
    files.add_argument("--quiet", action="store_true", help="print results and errors alone")
    add_json(files)
    add_threads(files)


def run(options: argparse.Namespace) -> int:
    """Train, save, plot, and print results."""
    _check(options)
    with threads_of(options.threads), interrupts(saves=options.save is not None) as signals:
        job = prepared(options)
        if not options.quiet:
            _describe(job)
        measured = evaluate.metrics(options, job.model.net)
        history = _fit(options, job, measured)
        if options.save is not None:
            with signals.saving():
                if history.interrupted and not options.quiet:
                    print(f"saving {options.save}", file=sys.stderr)
                _save(options.save, job.model)
        if options.plot is not None and len(history):
            history.plot(options.plot)
        print_results(_results(job, history, measured), options.json)
    if not history.interrupted:
        return DONE
    return TERMINATED if signals.terminated else INTERRUPTED


def _check(options: argparse.Namespace) -> None:
    """What would otherwise show at the end, or be left out without a word."""
    for option in ("save", "plot", "csv_log"):
        check_can_write(f"--{option.replace('_', '-')}", getattr(options, option))
    if options.plot is not None:
        _check_figure(options.plot)
    if options.resume is not None:
        for option in _OF_A_NET:
            if getattr(options, option) not in (None, False):
                raise UsageError(
                    f"--{option}: is that of the net in {options.resume}, which is trained on; leave one of both out"
                )
    if options.early_stopping is not None and options.validation is None and options.resume is None:
        raise UsageError("--early-stopping: needs --validation, such as --validation 0.2")
    if options.stratify and fraction(options.validation) is None:
        raise UsageError("--stratify: needs --validation with a fraction of the rows, such as 0.2")


def _check_figure(path: str) -> None:
    try:
        from matplotlib.backend_bases import FigureCanvasBase
    except ImportError:
        raise UsageError(f"--plot: needs matplotlib; {cure('matplotlib')}") from None
    known = FigureCanvasBase.get_supported_filetypes()
    if Path(path).suffix[1:].lower() not in known:
        raise UsageError(f"--plot: got {path}, expected a name that ends in .{', .'.join(sorted(known))}")


def _describe(job: Job) -> None:
    """What is about to be trained, on standard error."""
    net, task = job.model.net, job.model.task
    rows = f"{len(job.x):,} rows" + ("" if job.validation is None else f", {len(job.validation[0]):,} for validation")
    what = (
        "numbers"
        if job.model.classes is None
        else f"{len(job.model.classes)} classes: {shown(map(str, job.model.classes))}"
    )
    print(f"data: {rows}; {what}", file=sys.stderr)
    parameters = sum(w.size for w in net.get_weights())
    print(
        f"net: {'-'.join(map(str, net.sizes))}, {parameters:,} parameters, {net.loss}; {job.optimizer}", file=sys.stderr
    )
    largest = float(np.abs(job.x).max())
    if task.mean is None and largest > _LARGE:
        print(f"note: features are as large as {largest:g}; --standardize often trains better", file=sys.stderr)


def _fit(options: argparse.Namespace, job: Job, measured: Sequence[Any]) -> History:
    callbacks: list[Callback] = [] if job.stopping is None else [job.stopping]
    if options.csv_log is not None:
        callbacks.append(CSVLog(options.csv_log))
    if isinstance(job.optimizer.values["lr"], fastnn.schedules.ReduceOnPlateau):
        callbacks.append(ReduceOnPlateau())
    net = job.model.net
    try:
        with arguments_as_options({"path": "--csv-log", "monitor": "--early-stopping"}):
            return net.fit(
                job.x,
                job.t,
                optimizer=job.optimizer,
                epochs=options.epochs,
                batch_size=options.batch_size,
                validation_data=job.validation,
                metrics=measured,
                callbacks=callbacks,
                progress=False if options.quiet else None,
            )
    except NonFiniteLossError as error:
        raise CommandError(" ".join(str(error).split())) from None


def _save(path: str, model: Model) -> None:
    try:
        model.net.save(path, metadata=model.task.to_metadata())
    except OSError as error:
        raise CommandError(f"--save: {path} cannot be written ({error.strerror or error})") from None


def _results(job: Job, history: History, measured: Sequence[Any]) -> dict[str, float | int]:
    """Numbers of the net as it is: of its last epoch, or with --early-stopping of the best."""
    found: dict[str, float | int] = {"epochs": job.model.net.epochs}
    if len(history):
        epoch = history.epochs[-1]
        if job.stopping is not None and job.stopping.best_epoch is not None:
            epoch = found["best_epoch"] = job.stopping.best_epoch
        found |= {
            name: history[name][history.epochs.index(epoch)] for name in history.names if name not in _NOT_RESULTS
        }
        found["seconds"] = sum(history["seconds"])
    if job.test is not None:
        found |= {f"test_{name}": value for name, value in evaluate.results(job.model, job.test, measured).items()}
    return found
