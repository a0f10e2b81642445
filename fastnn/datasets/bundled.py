"""The small data sets that ship inside the package, as gzip-compressed CSV with a header line."""

import gzip
from importlib.resources import files
from typing import NamedTuple

import numpy as np

from fastnn.datasets.split import Split, stratified_split

_SPLIT_SEED = 0


class Table(NamedTuple):
    """A bundled table: features, then the label in the last column."""

    file: str
    scale: float
    """What the features are divided by."""
    test_rows: int


TABLES: dict[str, Table] = {
    "digits": Table("digits.csv.gz", scale=16, test_rows=360),
    "pima": Table("pima.csv.gz", scale=1, test_rows=154),
}


def load_bundled(table: Table) -> Split:
    """Training and test rows of a bundled table; see `fastnn.datasets.load`."""
    with (files(__package__) / "data" / table.file).open("rb") as file, gzip.open(file, "rt", encoding="ascii") as text:
        values = np.loadtxt(text, np.float32, delimiter=",", skiprows=1)
    x = values[:, :-1] / np.float32(table.scale)
    t = values[:, -1].astype(np.int64)
    train, test = stratified_split(t, table.test_rows, _SPLIT_SEED)
    return (x[train], t[train]), (x[test], t[test])
