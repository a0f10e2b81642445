"""Errors of training."""

from __future__ import annotations

from fastnn.training.history import History


class NonFiniteLossError(FloatingPointError):
    """The loss of a training step was NaN or infinite.

    epoch, step : where, both counted from 1. lr : the learning rate, or None where the optimizer has none. history : of
    the epochs before.
    """

    def __init__(self, message: str, epoch: int, step: int, lr: float | None, history: History) -> None:
        super().__init__(message)
        self.epoch, self.step, self.lr, self.history = epoch, step, lr, history

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (*self.args, self.epoch, self.step, self.lr, self.history)
