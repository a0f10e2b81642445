"""A callback that notes down what it is told, and fails or ends the training as it is told to."""

from __future__ import annotations

from fastnn.callbacks import Callback


class Recorder(Callback):
    """Notes down what it is told, and ends the training as it is told to."""

    def __init__(self, log: list[str], stop_at: int | None = None, raise_at: dict[str, BaseException] | None = None):
        self._log, self._stop_at, self._raise_at = log, stop_at, raise_at or {}

    def _note(self, what: str, epoch: int) -> None:
        self._log.append(f"{what} {epoch}")
        if f"{what} {epoch}" in self._raise_at:
            raise self._raise_at[f"{what} {epoch}"]

    def on_train_begin(self, training):
        self._note("begin", training.epoch)

    def on_epoch_begin(self, training):
        self._note("epoch", training.epoch)

    def on_epoch_end(self, training):
        assert training.logs["loss"] == training.history["loss"][-1]
        self._note("done", training.epoch)
        return training.epoch == self._stop_at

    def on_train_end(self, training):
        self._note("end", training.epoch)
