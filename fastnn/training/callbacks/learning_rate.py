"""Learning rates that change from epoch to epoch. Those that change from step to step: `fastnn.schedules`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastnn import schedules
from fastnn.training.callbacks.base import Callback
from fastnn.training.callbacks.better import checked_mode
from fastnn.training.run import Training


class LearningRate(Callback):
    """Sets the learning rate before each epoch.

    rate : function of the number of epochs that the net has made before, 0 at first, to the rate, as for
    `keras.callbacks.LearningRateScheduler`: LearningRate(lambda epochs: 1e-3 * 0.9**epochs).

    Raises TypeError for what is no function; at the beginning of fit ValueError where the optimizer's `lr` is a
    schedule; and what the optimizer raises for a rate that is no number of at least 0.
    """

    def __init__(self, rate: Callable[[int], float]) -> None:
        if not callable(rate):
            raise TypeError(f"rate: got {rate!r}, expected a function of the number of epochs")
        self._rate = rate

    def on_train_begin(self, training: Training) -> None:
        """Look at the optimizer before any epoch is made."""
        if training.optimizer.is_scheduled:
            rate = training.optimizer.values["lr"]
            raise ValueError(f"optimizer: got the schedule {rate!r} as lr, expected a number")

    def on_epoch_begin(self, training: Training) -> None:
        """Set the rate."""
        rate: Any = self._rate(training.epoch - 1)
        if callable(rate):
            raise TypeError(f"rate: got {rate!r} from {self._rate!r}, expected a number")
        training.optimizer.lr = rate


class ReduceOnPlateau(Callback):
    """Reduces the learning rate when a number no longer gets better.

    monitor : the name of the number, such as "val_accuracy"; None is "val_loss", or "loss" without validation data.
    factor : what the rate is multiplied by, from 0 to less than 1. patience : after how many epochs without a better
    number one more reduces the rate; an integer of at least 0. mode : "min" or "max", whichever is better; None goes by
    the name. threshold, threshold_mode : better is below best (1 - threshold) in mode "min" and above best
    (1 + threshold) in mode "max"; with "abs" in place of "rel" below best - threshold and above best + threshold.
    threshold is at least 0. cooldown : how many epochs after a reduction are not counted, an integer of at least 0.
    min_lr : what the rate is not reduced below, at least 0. A reduction by no more than 1e-8 is not made.

    The rule is that of `fastnn.schedules.ReduceOnPlateau`, and so PyTorch's. It makes such a schedule the optimizer's
    `lr`, which is saved and loaded with the net. Where `lr` is one already, that goes on, with its own settings.

    Raises TypeError where a number is of another type, ValueError for any other value that is none of these, naming the
    argument; at the beginning of fit ValueError where the net has no number `monitor`, where mode is None and the name
    says nothing, or where `lr` is another schedule.
    """

    def __init__(
        self,
        monitor: str | None = None,
        factor: float = 0.1,
        patience: int = 10,
        mode: str | None = None,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        self._monitor, self._mode = monitor, checked_mode(mode)
        self._settings: dict[str, Any] = {
            "factor": factor,
            "patience": patience,
            "threshold": threshold,
            "threshold_mode": threshold_mode,
            "cooldown": cooldown,
            "min_lr": min_lr,
        }
        schedules.ReduceOnPlateau(1.0, **self._settings)  # which checks them

    def on_train_begin(self, training: Training) -> None:
        """Make the schedule the optimizer's."""
        optimizer = training.optimizer
        self._name = training.monitored(self._monitor)
        rate = optimizer.values.get("lr")
        if isinstance(rate, schedules.ReduceOnPlateau):
            return
        if rate is None or callable(rate):
            raise ValueError(f"optimizer: got {optimizer!r}, expected one whose lr is a number")
        mode = training.direction(self._name, self._mode)
        optimizer.lr = schedules.ReduceOnPlateau(rate, mode=mode, **self._settings)

    def on_epoch_end(self, training: Training) -> None:
        """Tell the schedule the number."""
        schedule = training.optimizer.values["lr"]
        if isinstance(schedule, schedules.ReduceOnPlateau):  # unless another callback has put a number in its place
            schedule.step(training.logs[self._name])
