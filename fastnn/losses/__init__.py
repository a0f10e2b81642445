"""Losses of nets: each is declared in one place, from which all else follows."""

from fastnn.losses import cross_entropy, squared_error
from fastnn.losses.item import Loss, loss

__all__ = ["Loss", "cross_entropy", "loss", "squared_error"]
