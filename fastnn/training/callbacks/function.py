"""A callback of functions."""

from __future__ import annotations

from collections.abc import Callable

from fastnn.training.callbacks.base import Callback
from fastnn.training.run import Training

Hook = Callable[[Training], object]


class Lambda(Callback):
    """Calls functions of the `Training`: Lambda(on_epoch_end=lambda training: training.logs["loss"] < 0.01).

    on_epoch_end : may return True, which stops the training, False or None. on_train_begin, on_epoch_begin,
    on_train_end : what they return counts nothing. Each may be None.

    Raises TypeError for what is no function.
    """

    def __init__(
        self,
        on_epoch_end: Callable[[Training], bool | None] | None = None,
        *,
        on_train_begin: Hook | None = None,
        on_epoch_begin: Hook | None = None,
        on_train_end: Hook | None = None,
    ) -> None:
        hooks = {
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_epoch_begin": on_epoch_begin,
            "on_train_end": on_train_end,
        }
        for name, hook in hooks.items():
            if hook is not None and not callable(hook):
                raise TypeError(f"{name}: got {hook!r}, expected a function of the training, or None")
        self._on_epoch_end = on_epoch_end
        self._hooks: dict[str, Hook | None] = {**hooks}

    def _call(self, name: str, training: Training) -> None:
        hook = self._hooks[name]
        if hook is not None:
            hook(training)

    def on_train_begin(self, training: Training) -> None:
        """Call the function."""
        self._call("on_train_begin", training)

    def on_epoch_begin(self, training: Training) -> None:
        """Call the function."""
        self._call("on_epoch_begin", training)

    def on_epoch_end(self, training: Training) -> bool | None:
        """Call the function. Returns what it returns."""
        return None if self._on_epoch_end is None else self._on_epoch_end(training)

    def on_train_end(self, training: Training) -> None:
        """Call the function."""
        self._call("on_train_end", training)
