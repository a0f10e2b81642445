"""`fastnn evaluate`: loss and metrics of a saved model on data."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from fastnn.cli import choices, data
from fastnn.cli.errors import DONE, arguments_as_options, refused_as
from fastnn.cli.model import Model, load_model
from fastnn.cli.parsing import add_threads, names, threads_of
from fastnn.cli.results import add_json, print_results
from fastnn.cli.tables import Table
from fastnn.mlp import MLP
from fastnn.training.metrics import BUILT_IN, default_metrics

HELP = "loss and accuracy of a saved model on data"
EPILOG = """examples:
  fastnn evaluate model.npz mnist        its 10,000 test images
  fastnn evaluate model.npz flowers.csv
  fastnn evaluate model.npz test.csv --target species --json

Columns are found by the names that the model was trained on, and others are left out."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The model, the data, and what to print."""
    parser.add_argument("model", metavar="MODEL", help="a file of fastnn train --save, or of net.save")
    data.add_source(parser)
    parser.add_argument(
        "--part", choices=("test", "train"), default="test", help="which part of a data set (default test)"
    )
    add_metrics(parser)
    add_json(parser)
    add_threads(parser)


def add_metrics(parser: argparse._ActionsContainer) -> None:
    """--metrics."""
    parser.add_argument(
        "--metrics",
        type=names,
        metavar="NAME,...",
        help=f"what is measured beside the loss: of {choices.listed(BUILT_IN)}, or sklearn:NAME, a scorer of "
        "scikit-learn (default accuracy, or r2 where numbers are learned)",
    )


def metrics(options: argparse.Namespace, net: MLP) -> Sequence[Any]:
    """Those of --metrics, or else those that suit the net. Raises UsageError."""
    if options.metrics is None:
        return default_metrics(net)
    with refused_as("--metrics"):
        return [choices.metric(text) for text in options.metrics]


def run(options: argparse.Namespace) -> int:
    """Print loss and metrics."""
    model = load_model(options.model)
    table = data.read_with_targets(options, options.part, model.task)
    with threads_of(options.threads):
        print_results(results(model, table, metrics(options, model.net)), options.json)
    return DONE


def results(model: Model, table: Table, metrics: Sequence[Any]) -> dict[str, float]:
    """Loss and metrics on the rows of a table. Raises UsageError where it does not fit the model."""
    x, t = model.rows(table), model.targets(table)
    with arguments_as_options():
        return dict(model.net.evaluate(x, t, metrics=metrics))
