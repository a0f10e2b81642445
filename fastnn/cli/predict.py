"""`fastnn predict`: what a saved model says of rows."""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Iterable
from typing import Any

import numpy as np

from fastnn.cli import data
from fastnn.cli.errors import DONE, CommandError, UsageError
from fastnn.cli.model import Model, load_model
from fastnn.cli.parsing import add_threads, check_can_write, threads_of
from fastnn.cli.tables import STDIN, Table
from fastnn.cli.task import decoded, texts_of
from fastnn.saving.replacing import replacing

HELP = "predictions of a saved model for rows of a file"
EPILOG = """examples:
  fastnn predict model.npz rows.csv      one line for each row: the name of its class
  fastnn predict model.npz rows.csv --proba --out predictions.csv
  fastnn predict model.npz - < rows.csv | sort | uniq -c

Columns are found by the names that the model was trained on, and others are left
out; without a header line, there must be as many as the model has features. The
first line that is printed names the columns."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The model, the rows, and what to write where."""
    parser.add_argument("model", metavar="MODEL", help="a file of fastnn train --save, or of net.save")
    parser.add_argument("data", metavar="ROWS", help=f"a CSV or NPZ file, or {STDIN} for a CSV on standard input")
    data.add_columns(parser)
    parser.add_argument("--proba", action="store_true", help="the probability of each class, too")
    parser.add_argument(
        "--out", metavar="FILE", help="write a CSV file instead, as a whole or not at all (default: standard output)"
    )
    add_threads(parser)


def run(options: argparse.Namespace) -> int:
    """Write a CSV of predictions."""
    check_can_write("--out", options.out)
    model = load_model(options.model)
    if options.proba and model.loss.output not in ("softmax", "sigmoid"):
        raise UsageError(f"--proba: a net with the loss {model.loss.name} predicts no probabilities")
    table = data.read_file(options.data, options, [], model.task.features)
    with threads_of(options.threads):
        lines = _lines(model, table, options.proba)
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(lines)
    if options.out is None:
        _print(text.getvalue())
    else:
        _write(options.out, text.getvalue())
    return DONE


def _lines(model: Model, table: Table, with_probabilities: bool) -> Iterable[list[Any]]:
    """The header and a line for each row."""
    net, names = model.net, model.task.targets
    x = model.rows(table)
    rows = decoded(net.predict(x), model.classes)
    columns = len(rows[0])
    if len(names) != columns:
        names = ("prediction",) if columns == 1 else tuple(f"output_{k + 1}" for k in range(columns))
    if not with_probabilities:
        return [list(names), *rows]
    p = net.predict_proba(x)
    if model.loss.output == "sigmoid" and p.shape[1] == 1:
        p = np.concatenate([1 - p, p], axis=1)
    of_classes = [f"probability_{name}" for name in model.classes or names]
    return [[*names, *of_classes], *(row + of_row for row, of_row in zip(rows, texts_of(p), strict=True))]


def _print(text: str) -> None:
    if sys.stdout is None:
        raise CommandError("standard output is closed; write a file: --out")
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError as error:
        raise CommandError(
            f"standard output is {sys.stdout.encoding}, which lacks {error.object[error.start]!r}; write a file: --out"
        ) from None
    sys.stdout.write(text)


def _write(path: str, text: str) -> None:
    try:
        with replacing(path) as file:
            file.write(text.encode())
    except OSError as error:
        raise CommandError(f"--out: {path} cannot be written ({error.strerror or error})") from None
