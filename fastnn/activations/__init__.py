"""Activations of hidden layers: each is one block of `catalogue.py`, from which all else follows."""

from fastnn.activations import catalogue
from fastnn.activations.item import Activation, activation

__all__ = ["Activation", "activation", "catalogue"]
