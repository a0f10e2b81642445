"""Losses of nets: each is declared in one place, from which all else follows."""

from fastnn.losses import cross_entropy, squared_error
from fastnn.losses.item import LOSSES, Loss, find_loss, loss

__all__ = ["LOSSES", "Loss", "cross_entropy", "find_loss", "loss", "squared_error"]
