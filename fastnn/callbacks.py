"""What `MLP.fit` calls between epochs: early stopping, checkpoints, learning rates, logs, and callbacks of your own.

`net.fit(x, t, validation_split=0.1, callbacks=[EarlyStopping(patience=5), Checkpoint("best.npz", best_only=True)])`
"""

from fastnn.training.callbacks import (
    Callback,
    Checkpoint,
    CSVLog,
    EarlyStopping,
    Lambda,
    LearningRate,
    ReduceOnPlateau,
)
from fastnn.training.run import Training

__all__ = ["CSVLog", "Callback", "Checkpoint", "EarlyStopping", "Lambda", "LearningRate", "ReduceOnPlateau", "Training"]
