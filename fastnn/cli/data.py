"""The data of a command: a data set by its name, or a file of the user's."""

from __future__ import annotations

import argparse
from pathlib import Path

from fastnn import datasets
from fastnn.cli.errors import UsageError
from fastnn.cli.tables import STDIN, Table, columns, read, shown
from fastnn.cli.task import Task

HELP = (
    f"the data: {', '.join(datasets.NAMES)}; or the path of a CSV file, with or without a header line, of fields "
    "separated by commas, semicolons, tabs or bars (.gz too; needs pandas), or of an NPZ file. For a file named "
    "like a data set, write ./mnist"
)


def add_source(parser: argparse.ArgumentParser, help: str = HELP) -> None:
    """The positional argument DATA and the options that say what is what in a file."""
    parser.add_argument("data", metavar="DATA", help=help)
    group = parser.add_argument_group("what is what in a file")
    group.add_argument(
        "--target",
        action="append",
        default=[],
        metavar="COLUMN",
        help="the column that is to be learned: its name, or its number from 1, from -1 backwards; once for each "
        "column where there are several. Of an NPZ file, the array of targets (default t)",
    )
    add_columns(group)


def add_columns(group: argparse._ActionsContainer) -> None:
    """The options that say which columns and arrays are features."""
    group.add_argument(
        "--drop",
        action="append",
        default=[],
        metavar="COLUMN",
        help="a column to leave out, by name or number, such as a row number; as often as there are",
    )
    group.add_argument("--features", metavar="ARRAY", help="of an NPZ file, the array of rows (default x)")


def is_data_set(source: str) -> bool:
    """Whether it is the name of a data set, and no path."""
    return source in datasets.NAMES


def read_data_set(name: str, part: str) -> Table:
    """The "train" or "test" part of a data set. Raises UsageError where it is not to be had."""
    try:
        x, t = datasets.load(name)[part == "test"]
    except datasets.DatasetError as error:
        raise UsageError(f"{name}: {' '.join(str(error).split())}") from None
    return Table(name, (), x, (), t)


def read_file(source: str, options: argparse.Namespace, targets: list[str], wanted: tuple[str, ...] = ()) -> Table:
    """A user's table with its targets, and the features that are wanted, or else all. Raises UsageError where it cannot
    be read."""
    if not _exists(source):
        raise UsageError(f"{source}: no such file, and names of data sets are not taken here")
    return read(source, targets, options.drop, options.features, wanted)


def read_with_targets(options: argparse.Namespace, part: str, task: Task | None = None) -> Table:
    """The data of a command that needs targets: those of the options, or else of the task that a net was trained for,
    which also says what the features are.

    part : which one of a data set. Raises UsageError.
    """
    if is_data_set(options.data):
        for option in ("target", "drop", "features"):
            if getattr(options, option):
                raise UsageError(f"--{option}: says what is what in a file, and {options.data} is a data set")
        return read_data_set(options.data, part)
    if not _exists(options.data):
        raise UsageError(
            f"{options.data}: no such file, and no data set of that name; the data sets are {', '.join(datasets.NAMES)}"
        )
    known = task or Task()
    chosen = options.target or list(known.targets)
    if not chosen:
        if options.data.lower().endswith(".npz"):
            chosen = ["t"]
        else:
            raise UsageError(
                f"--target: missing; which column is to be learned? {options.data} has {shown(columns(options.data))}"
            )
    return read_file(options.data, options, chosen, known.features)


def _exists(source: str) -> bool:
    return source == STDIN or Path(source).exists()
