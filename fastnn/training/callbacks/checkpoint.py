"""Save the net while it is trained."""

from __future__ import annotations

import os
from os import PathLike
from pathlib import Path

from fastnn import scalar_checks
from fastnn.training.callbacks.base import Callback
from fastnn.training.callbacks.better import checked_mode, is_better
from fastnn.training.run import Training


class Checkpoint(Callback):
    """Saves the net, with its optimizer, after every epoch, or after each that is the best so far.

    path : of the file, as for `net.save`. Names in braces stand for numbers of the epoch: "model-{epoch}.npz",
    "model-{epoch:03d}-{val_loss:.4f}.npz". Without any, each save replaces the one before. best_only : whether only the
    best so far is saved. monitor : the name of the number that tells, such as "val_accuracy"; None is "val_loss", or
    "loss" without validation data. mode : "min" or "max", whichever is better; None goes by the name. better_than : the
    number that the first save must beat, such as that of the file of an earlier training; None saves any.

    Put it behind callbacks that change the net or its learning rate: it saves what they left.

    Afterwards `best` is the best number, and `saved` the path of the last file; None where there is none. Both stay
    from one fit to the next.

    Raises ValueError or TypeError, naming the argument; at the beginning of fit where there is no such number, and
    FileNotFoundError where there is no such folder; and whatever `net.save` raises.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        best_only: bool = False,
        monitor: str | None = None,
        mode: str | None = None,
        better_than: float | None = None,
    ) -> None:
        self._path, self._best_only = os.fspath(path), scalar_checks.flag("best_only", best_only)
        if not best_only and (monitor, mode, better_than) != (None, None, None):
            raise ValueError("best_only: got False beside monitor, mode or better_than, which it needs; pass True")
        self._monitor, self._mode = monitor, checked_mode(mode)
        self.best = None if better_than is None else scalar_checks.number("better_than", better_than, -float("inf"))
        self.saved: Path | None = None

    def on_train_begin(self, training: Training) -> None:
        """Look at the arguments before any epoch is made."""
        # 1 does for any format of a number.
        self._place(dict.fromkeys(training.names, 1.0), 1)
        if self._best_only:
            self._name = training.monitored(self._monitor)
            self._direction = training.direction(self._name, self._mode)

    def on_epoch_end(self, training: Training) -> None:
        """Save the net."""
        if self._best_only:
            value = training.logs[self._name]
            if not is_better(value, self.best, self._direction):
                return
        path = self._place(training.logs, training.epoch)
        training.net.save(path)
        self.saved = path
        if self._best_only:
            self.best = value

    def _place(self, logs: dict[str, float], epoch: int) -> Path:
        try:
            path = Path(self._path.format(**{**logs, "epoch": epoch}))
        except (KeyError, IndexError, ValueError) as error:
            known = ", ".join(f"{{{name}}}" for name in ("epoch", *logs))
            raise ValueError(f"path: got {self._path!r}, expected braces around some of {known} ({error})") from None
        if not path.parent.is_dir():
            raise FileNotFoundError(f"path: got {self._path!r}, but there is no folder {str(path.parent)!r}; make it")
        return path
