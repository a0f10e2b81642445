"""Losses of nets: each is declared in one place, from which all else follows."""

# The order is that of the catalogue.
from fastnn.losses import cross_entropy, binary, divergence, margin, poisson, squared_error, robust  # noqa: I001
from fastnn.losses.choice import ChosenLoss
from fastnn.losses.elementwise import elementwise_loss
from fastnn.losses.item import Loss, loss

__all__ = [
    "ChosenLoss",
    "Loss",
    "binary",
    "cross_entropy",
    "divergence",
    "elementwise_loss",
    "loss",
    "margin",
    "poisson",
    "robust",
    "squared_error",
]
