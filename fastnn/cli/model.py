"""A saved model: the net and the task that it was trained for."""

from __future__ import annotations

from typing import NamedTuple

from numpy.typing import NDArray

import fastnn
from fastnn.cli.errors import UsageError
from fastnn.cli.tables import Table
from fastnn.cli.task import Task, encoded, learns_classes
from fastnn.losses import Loss
from fastnn.saving import FileError, read_metadata


class Model(NamedTuple):
    """path : of the file."""

    path: str
    net: fastnn.MLP
    task: Task

    @property
    def loss(self) -> Loss:
        """What the net minimizes, without its options."""
        return loss_of(self.net)

    @property
    def classes(self) -> tuple[str | int, ...] | None:
        """The names of the classes; where it learned a column of probabilities for each, those of the columns; of a net
        that was saved in Python, the labels that it takes. None where it predicts no classes."""
        outputs = self.net.sizes[-1]
        if self.task.classes is not None:
            return self.task.classes
        if self.task.targets:
            return self.task.targets if self.loss.output == "softmax" and len(self.task.targets) == outputs else None
        if self.loss.output == "softmax":
            return tuple(range(outputs))
        return {"sigmoid": (0, 1), "sign": (-1, 1)}.get(self.loss.output) if outputs == 1 else None

    def rows(self, table: Table) -> NDArray:
        """The rows of a table as the net takes them. Raises UsageError where it has other features."""
        features, inputs = table.x.shape[1], self.net.sizes[0]
        if features != inputs:
            raise UsageError(f"{table.source}: has {features} features, and the net takes {inputs}")
        return self.task.scaled(table.x, self.net.dtype)

    def targets(self, table: Table) -> NDArray:
        """The targets of a table as the net takes them. Raises UsageError where they do not fit."""
        assert table.t is not None
        classes = self.classes if learns_classes(self.loss, table.t) else None
        t, outputs = encoded(self.loss, table.t, classes, table.source), self.net.sizes[-1]
        if classes is None and t.shape[1] != outputs:
            raise UsageError(f"{table.source}: has {t.shape[1]} columns of targets, and the net has {outputs} outputs")
        return t


def loss_of(net: fastnn.MLP) -> Loss:
    """What a net minimizes, without its options."""
    return Loss.by_name[net.loss if isinstance(net.loss, str) else net.loss[0]]


def load_model(path: str) -> Model:
    """The model in a file. Raises UsageError where that cannot be read, or is none."""
    try:
        net, metadata = fastnn.load(path), read_metadata(path)
    except FileError as error:
        raise UsageError(" ".join(str(error).split())) from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror or error})") from None
    return Model(path, net, Task.from_metadata(path, metadata))
