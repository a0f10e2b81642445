"""What a training was like, epoch by epoch."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any, Literal

from fastnn.training import optional

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# How a training came to its end: all epochs made; a callback stopped it; Ctrl-C; the loss was not finite; an error.
Ending = Literal["finished", "stopped", "interrupted", "not finite", "failed"]


class History:
    """The loss, metrics, learning rate and time of each epoch, as `MLP.fit` returns them.

    history["loss"] is a list with a number for each epoch; `names` are all such names. `ended` says how the training
    came to its end: "finished" after all epochs, "stopped" by a callback, "interrupted" by Ctrl-C, "not finite" where a
    loss was NaN or infinite, or "failed" where something else was raised.

    "loss" : the mean over the rows of the epoch, each before the update of its batch. "accuracy" and the like : metrics
    on the training data, after the epoch. "val_loss", "val_accuracy" : on the validation data, after the epoch. "lr" :
    the learning rate of the epoch's last step. "seconds" : how long the epoch took, without validation, metrics and
    callbacks; the first one may include the time in which kernels are compiled.

    It pickles.
    """

    def __init__(self) -> None:
        # Each with its number in one: an interrupt finds both or neither.
        self._rows: list[tuple[int, dict[str, float]]] = []
        self.ended: Ending = "failed"

    def add(self, epoch: int, row: dict[str, float]) -> None:
        """Note down an epoch. For `fastnn.training`."""
        self._rows.append((epoch, dict(row)))

    @property
    def epochs(self) -> list[int]:
        """The numbers of the epochs: the net's first is 1, and a net that is trained again goes on counting."""
        return [epoch for epoch, _ in self._rows]

    @property
    def names(self) -> list[str]:
        """What there are numbers of, in order."""
        return list(dict.fromkeys(name for _, row in self._rows for name in row))

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended the training."""
        return self.ended == "interrupted"

    @property
    def frame(self) -> pd.DataFrame:
        """A pandas DataFrame with a row for each epoch, whose number is the index, and a column for each name.

        Raises ImportError without pandas.
        """
        with optional.needed("history.frame", "pandas"):
            import pandas as pd
        index = pd.Index(self.epochs, name="epoch", dtype="int64")
        return pd.DataFrame({name: self[name] for name in self.names}, index=index, dtype="float64")

    def plot(
        self, path: str | PathLike[str] | None = None, ax: Axes | None = None, names: list[str] | None = None
    ) -> Figure:
        """Draw curves of the loss and of each metric against the epoch.

        path : where the figure is written, as PNG, SVG or PDF by its ending; None writes nothing. ax : Matplotlib axes
        to draw on, in place of a figure with axes for the loss and each metric; without `names` the loss. names : what
        to draw, such as ["loss", "val_loss"]; None draws everything but "lr" and "seconds". Returns the figure.

        Raises ImportError without Matplotlib; ValueError where there is no epoch to draw, or none of these names.
        """
        with optional.needed("history.plot", "matplotlib"):
            from fastnn.training import curves
        return curves.draw(self, path, ax, names)

    def __getitem__(self, name: str) -> list[float]:
        if name not in self.names:
            raise KeyError(f"{name!r}: this history has {', '.join(map(repr, self.names)) or 'no epoch'}")
        return [row.get(name, float("nan")) for _, row in self._rows]

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __iter__(self) -> Any:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        if not self._rows:
            return f"History(no epoch, {self.ended})"
        epoch, row = self._rows[-1]
        last = ", ".join(f"{name}={value:.4g}" for name, value in row.items())
        return f"History({len(self)} epochs, {self.ended}; epoch {epoch}: {last})"
