"""The small data sets that ship inside the package, as gzip-compressed CSV with a header line."""

import gzip
import os
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fastnn.datasets.errors import DatasetError
from fastnn.datasets.locate import SPELLING, expand, find_table, unusable_folder
from fastnn.datasets.split import Split, stratified_split
from fastnn.datasets.table_csv import read_table

_SPLIT_SEED = 0


class Table(NamedTuple):
    """A bundled table: features, then the label in the last column."""

    name: str
    file: str
    scale: float
    """What the features are divided by."""
    test_rows: int
    own_files: tuple[str, ...] = ()
    """Names under which people have the same table as CSV; the least ambiguous first."""


TABLES: dict[str, Table] = {
    "digits": Table("digits", "digits.csv.gz", scale=16, test_rows=360),
    "pima": Table(
        "pima",
        "pima.csv.gz",
        scale=1,
        test_rows=154,
        own_files=(
            "pima-indians-diabetes.csv",
            "pima-indians-diabetes.data.csv",
            "pima-indians-diabetes.data",
            "pima.csv",
            "diabetes.csv",
        ),
    ),
}


def load_table(table: Table, directory: str | os.PathLike[str] | None) -> Split:
    """Training and test rows of a bundled table, or of the user's own copy; see `fastnn.datasets.load`."""
    with (files(__package__) / "data" / table.file).open("rb") as file, gzip.open(file, "rt", encoding="ascii") as text:
        columns = text.readline().strip().split(",")
        values = np.loadtxt(text, np.float32, delimiter=",")
    if directory is not None:
        values = read_table(_own_file(table, directory), columns, values)
    x = values[:, :-1] / np.float32(table.scale)
    t = values[:, -1].astype(np.int64)
    train, test = stratified_split(t, table.test_rows, _SPLIT_SEED)
    return (x[train], t[train]), (x[test], t[test])


def table_at_hand(table: Table, directory: str | os.PathLike[str] | None) -> bool:
    """Whether `load_table` would find its file."""
    return directory is None or find_table(table.name, table.own_files, expand(directory)) is not None


def _own_file(table: Table, directory: str | os.PathLike[str]) -> Path:
    root = expand(directory)
    path = find_table(table.name, table.own_files, root)
    if path is None:
        reason = unusable_folder(table.name, root) or f"{root}: holds none of the files"
        raise DatasetError(
            f"{table.name} is not in the given directory: {reason}\n"
            f"  Looked for: {', '.join(table.own_files)}: in the folder itself or in {table.name}{os.sep}. "
            f"{SPELLING}.\n"
            f'  load("{table.name}") without a directory takes the table that ships with fastnn.'
        )
    return path
