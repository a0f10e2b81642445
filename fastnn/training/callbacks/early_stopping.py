"""Stop when the net no longer gets better."""

from __future__ import annotations

from numpy.typing import NDArray

from fastnn import scalar_checks
from fastnn.training.callbacks.base import Callback
from fastnn.training.callbacks.better import checked_mode, is_better
from fastnn.training.run import Training


class EarlyStopping(Callback):
    """Stops the training when a number was not better than the best before in `patience` epochs in a row.

    monitor : the name of the number, such as "val_accuracy"; None is "val_loss", or "loss" without validation data.
    patience : how many epochs; 0 does as 1. min_delta : by how much it must be better to count. mode : "min" or "max",
    whichever is better; None goes by the name. restore_best_weights : whether the net has the weights of the best epoch
    at the end, however the training ends: after its last epoch, Ctrl-C and a loss that is not finite too. (An epoch
    that was not finished is then lost.) start_from_epoch : how many epochs pass before it looks at any.

    The rule is that of `keras.callbacks.EarlyStopping`, but NaN is never the best. Each fit begins anew. Afterwards
    `best` is the best number, `best_epoch` its epoch, and `stopped_epoch` the epoch after which it stopped; None
    where there is none.

    Raises ValueError or TypeError, naming the argument; at the beginning of fit where there is no such number.
    """

    def __init__(
        self,
        monitor: str | None = None,
        patience: int = 10,
        min_delta: float = 0.0,
        mode: str | None = None,
        restore_best_weights: bool = True,
        start_from_epoch: int = 0,
    ) -> None:
        self._monitor, self._mode = monitor, checked_mode(mode)
        self._patience = scalar_checks.count("patience", patience, 0)
        self._min_delta = scalar_checks.number("min_delta", min_delta, 0.0)
        self._restores = scalar_checks.flag("restore_best_weights", restore_best_weights)
        self._skipped = scalar_checks.count("start_from_epoch", start_from_epoch, 0)
        self._forget()

    def _forget(self) -> None:
        self.best: float | None = None
        self.best_epoch: int | None = None
        self.stopped_epoch: int | None = None
        self._weights: list[NDArray] | None = None
        self._waited = self._seen = 0

    def on_train_begin(self, training: Training) -> None:
        """Begin anew."""
        self._forget()
        self._name = training.monitored(self._monitor)
        self._direction = training.direction(self._name, self._mode)

    def on_epoch_end(self, training: Training) -> bool:
        """Look at the number. Returns whether to stop."""
        value = training.logs[self._name]
        self._seen += 1
        if self._seen <= self._skipped:
            return False
        if is_better(value, self.best, self._direction, self._min_delta):
            if self._restores:
                self._weights = training.net.get_weights()
            self.best, self.best_epoch, self._waited = value, training.epoch, 0
            return False
        self._waited += 1
        # As Keras: never after the very first epoch.
        if self._waited < self._patience or self._seen == 1:
            return False
        self.stopped_epoch = training.epoch
        return True

    def on_train_end(self, training: Training) -> None:
        """Give the net the weights of its best epoch."""
        if self._weights is not None:
            training.net.set_weights(self._weights)
            self._weights = None
