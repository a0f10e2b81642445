"""A training under way, as callbacks see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fastnn.optimizers import Optimizer
from fastnn.training.history import History

if TYPE_CHECKING:
    from fastnn.mlp import MLP


@dataclass
class Training:
    """What a callback is given.

    net, optimizer : what is trained, and by what; a callback may change weights (`net.set_weights`) and `optimizer.lr`.
    epoch : the number of the epoch under way or just done, from 1 for the first epoch of the net; before the first of
    this training how many the net had made. last_epoch : the
    number of the last one of this training. logs : the numbers of the epoch just done, by their names, such as
    logs["val_loss"]; empty before the first. history : of all epochs done in this training. names : of all numbers that
    each epoch will have. directions : by the same names, "min" or "max", whichever is better; None where that is
    unknown.
    """

    net: MLP
    optimizer: Optimizer
    epoch: int
    last_epoch: int
    names: tuple[str, ...]
    directions: Mapping[str, str | None]
    history: History = field(default_factory=History)
    logs: dict[str, float] = field(default_factory=dict)

    def monitored(self, monitor: str | None) -> str:
        """The name itself; for None "val_loss", or "loss" where there is no validation data.

        Raises ValueError where no epoch will have such a number.
        """
        if monitor is None:
            return "val_loss" if "val_loss" in self.names else "loss"
        if monitor not in self.names:
            why = "; give fit validation_data or a validation_split" if monitor.startswith("val_") else ""
            raise ValueError(f"monitor: got {monitor!r}, expected one of {', '.join(map(repr, self.names))}{why}")
        return monitor

    def direction(self, monitor: str, mode: str | None) -> str:
        """The mode itself; for None what is better of the monitored name.

        Raises ValueError where that is unknown.
        """
        found: Any = mode or self.directions.get(monitor)
        if found is None:
            raise ValueError(
                f"mode: got None, expected 'min' or 'max', for nothing says which of {monitor!r} is better"
            )
        return found
