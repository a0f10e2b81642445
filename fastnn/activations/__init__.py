"""Activations of hidden layers: each is one block of `catalogue.py`, from which all else follows."""

from fastnn.activations import catalogue
from fastnn.activations.item import ACTIVATIONS, Activation, activation, find_activation

__all__ = ["ACTIVATIONS", "Activation", "activation", "catalogue", "find_activation"]
