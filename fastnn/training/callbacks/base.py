"""What a callback is."""

from __future__ import annotations

from fastnn.training.run import Training


class Callback:
    """Base of the callbacks of `MLP.fit`. Override what you need; each method is given the `Training`.

    An error that a method raises ends the training, which keeps what was learned, and reaches the caller of fit. Ctrl-C
    within one ends it too, and fit returns.
    """

    def on_train_begin(self, training: Training) -> None:
        """Before the first epoch."""

    def on_epoch_begin(self, training: Training) -> None:
        """Before each epoch; `training.epoch` is its number."""

    def on_epoch_end(self, training: Training) -> bool | None:
        """After each epoch, with `training.logs` as its numbers. Returning True stops the training."""

    def on_train_end(self, training: Training) -> None:
        """After the last epoch; after an error or Ctrl-C too, if `on_train_begin` of this callback had been called."""
