"""A table of epochs in a file that grows while the net is trained."""

from __future__ import annotations

import csv
from os import PathLike
from pathlib import Path
from typing import TextIO

from fastnn.training.callbacks.base import Callback
from fastnn.training.run import Training


class CSVLog(Callback):
    """Writes a row of numbers after each epoch to a CSV file: the epoch, and what `history.frame` has.

    path : of the file. A file of an earlier training is continued: rows of epochs that the net has made before
    (`net.epochs`) stay, and later ones, which are made again, are removed. So a net that begins anew begins a new file,
    and one that is loaded from a checkpoint goes on in the old one. Each row is written before the next epoch begins.

    Raises ValueError at the beginning of fit for a file with other columns; OSError where it cannot be written.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self._path = Path(path)
        self._file: TextIO | None = None

    def on_train_begin(self, training: Training) -> None:
        """Open the file, with the rows of the epochs made before."""
        header = ["epoch", *training.names]
        rows = self._rows_before(training.epoch, header)
        beside = self._path.with_name(self._path.name + ".part")
        with beside.open("w", newline="") as file:
            csv.writer(file).writerows([header, *rows])
        beside.replace(self._path)
        self._file = self._path.open("a", newline="")

    def _rows_before(self, epoch: int, header: list[str]) -> list[list[str]]:
        if not self._path.exists() or not self._path.stat().st_size:
            return []
        with self._path.open(newline="") as file:
            text = file.read()
        # The last row may be incomplete where the training before was killed.
        found, *rows = list(csv.reader(text[: text.rfind("\n") + 1].splitlines())) or [[]]
        if found[:1] != ["epoch"]:
            raise ValueError(f"path: got {str(self._path)!r}, a file that is no log of epochs; give it another name")
        kept = [row for row in rows if row and int(row[0]) <= epoch]
        if kept and found != header:
            raise ValueError(
                f"path: got {str(self._path)!r}, a log with the columns {', '.join(found)}, expected "
                f"{', '.join(header)}; give it another name"
            )
        return kept

    def on_epoch_end(self, training: Training) -> None:
        """Write the row."""
        assert self._file is not None
        csv.writer(self._file).writerow([training.epoch, *(repr(training.logs[name]) for name in training.names)])
        self._file.flush()

    def on_train_end(self, training: Training) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
