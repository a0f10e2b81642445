"""What `fastnn train` trains: rows, net and optimizer, made of its options."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastnn
from fastnn.callbacks import EarlyStopping
from fastnn.cli import choices, data
from fastnn.cli.errors import UsageError, arguments_as_options, refused_as
from fastnn.cli.model import Model, load_model
from fastnn.cli.tables import Table
from fastnn.cli.task import Split, Task, classes_of, default_loss, learns_classes, outputs_for
from fastnn.datasets.split import stratified_split
from fastnn.losses import ChosenLoss
from fastnn.optimizers import Optimizer


@dataclass
class Job:
    """A training that is ready to begin. x, t : the rows that are trained on. validation, test : other rows, or None.
    optimizer : for `MLP.fit`. stopping : the callback of --early-stopping."""

    model: Model
    x: NDArray
    t: NDArray
    validation: tuple[NDArray, NDArray] | None
    test: Table | None
    optimizer: Optimizer
    stopping: EarlyStopping | None


def prepared(options: argparse.Namespace) -> Job:
    """What the options ask for. Raises UsageError where they do not fit each other or the data."""
    resumed = None if options.resume is None else load_model(options.resume)
    known = Task() if resumed is None else resumed.task
    table = data.read_with_targets(options, "train", known)
    assert table.t is not None
    if resumed is None:
        loss = choices.loss(options.loss or default_loss(table.t, table.targets))
        classes = classes_of(loss.item, table.t) if learns_classes(loss.item, table.t) else None
        outputs = outputs_for(loss.item, table.t, classes)
        task = Task(table.features, table.targets, classes)
        seed = options.seed or 0
    else:
        task, seed = known, 0 if known.split is None else known.split.seed
    split = _split(options, known.split, seed)
    if split is not None and split.stratify and task.classes is None:
        raise UsageError("--stratify: the target has numbers and no classes")
    trained, held_back = (table, None) if split is None else parts_of(table, split)
    if options.standardize:
        task = task.standardized(trained.x)
    task = replace(task, split=split)
    if resumed is None:
        net = _new_net(options, loss, choices.widths(options.layers or "128", table.x.shape[1], outputs), seed)
    else:
        net = resumed.net
    model = Model(options.resume or "", net, task)
    x, t = model.rows(trained), model.targets(trained)
    other = held_back if split is not None else _other_rows(options, task)
    return Job(
        model,
        x,
        t,
        None if other is None else (model.rows(other), model.targets(other)),
        data.read_data_set(options.data, "test") if data.is_data_set(options.data) else None,
        _optimizer(options, net, ceil(len(x) / options.batch_size)),
        None if options.early_stopping is None else EarlyStopping(patience=options.early_stopping),
    )


def fraction(text: str | None) -> float | None:
    """The number that an option gives; None where it is not given, or no number."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _split(options: argparse.Namespace, known: Split | None, seed: int) -> Split | None:
    """Which rows are held back: as --validation says, or where it is not given as in the training before."""
    if options.validation is None:
        return known
    held_back = fraction(options.validation)
    if held_back is None:
        return None
    if not 0 < held_back < 1:
        raise UsageError(f"--validation: got {options.validation}, expected a fraction between 0 and 1, or a file")
    return Split(held_back, options.stratify, seed)


def parts_of(table: Table, split: Split) -> tuple[Table, Table]:
    """The rows to train on, and those held back."""
    n = len(table)
    held_back = min(max(round(split.fraction * n), 1), n - 1)
    if held_back < 1:
        raise UsageError(f"--validation: {table.source} has {n} row, of which none can be held back")
    assert table.t is not None
    groups = np.unique(table.t, return_inverse=True)[1] if split.stratify else np.zeros(n, np.int64)
    trained, validated = (np.sort(rows) for rows in stratified_split(groups, held_back, split.seed))
    return tuple(replace(table, x=table.x[rows], t=table.t[rows]) for rows in (trained, validated))  # type: ignore[return-value]


def _other_rows(options: argparse.Namespace, task: Task) -> Table | None:
    """The rows of --validation with a file, or of the test part of a data set."""
    source = options.validation
    if source is None:
        return None
    if source == "test" and data.is_data_set(options.data):
        return data.read_data_set(options.data, "test")
    with_columns = argparse.Namespace(drop=[], features=options.features)
    return data.read_file(source, with_columns, list(task.targets) or ["t"], task.features)


def _new_net(options: argparse.Namespace, loss: ChosenLoss, widths: tuple[int, ...], seed: int) -> fastnn.MLP:
    named = [choices.activation(text) for text in options.activation or ["relu"]]
    chosen = [one.argument for one in named]
    if len(chosen) == 1:
        chosen *= len(widths) - 2
    elif len(chosen) != len(widths) - 2:
        raise UsageError(
            f"--activation: got {len(chosen)}, expected one, or one for each of {len(widths) - 2} hidden layers"
        )
    with refused_as("--dropout"):
        dropout = [float(text) for text in (options.dropout or "0").split(",")]
    deviation = fraction(options.init)
    with arguments_as_options({"sizes": "--layers"}):
        return fastnn.MLP(
            widths,
            chosen,
            loss.argument,
            options.init if deviation is None else deviation,
            options.dtype or "float32",
            seed,
            dropout=dropout[0] if len(dropout) == 1 else dropout,
            l1=options.l1 or 0.0,
            l2=options.l2 or 0.0,
        )


def _optimizer(options: argparse.Namespace, net: fastnn.MLP, steps_per_epoch: int) -> Optimizer:
    own: Any = net.optimizer
    if own is not None and options.optimizer is None:
        if options.schedule is not None or options.warm_up is not None:
            option = "--warm-up" if options.schedule is None else "--schedule"
            raise UsageError(
                f"{option}: counts from the first step of an optimizer, and that of {options.resume} goes on; add "
                "--optimizer for a new one"
            )
        if options.lr is not None:
            with refused_as("--lr"):
                own.lr = options.lr
        return own
    made: Any = choices.optimizer(options.optimizer or "adam", options.lr)
    made.lr = choices.schedule(options.schedule, options.warm_up, made.lr, options.epochs, steps_per_epoch)
    return made
