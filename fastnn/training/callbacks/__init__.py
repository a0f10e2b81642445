"""What is called between the epochs of a training. Users find it as `fastnn.callbacks`."""

from fastnn.training.callbacks.base import Callback
from fastnn.training.callbacks.checkpoint import Checkpoint
from fastnn.training.callbacks.csv_log import CSVLog
from fastnn.training.callbacks.early_stopping import EarlyStopping
from fastnn.training.callbacks.function import Lambda
from fastnn.training.callbacks.learning_rate import LearningRate, ReduceOnPlateau

__all__ = ["CSVLog", "Callback", "Checkpoint", "EarlyStopping", "Lambda", "LearningRate", "ReduceOnPlateau"]
