"""Activations of hidden layers: each is one block of one of these files, from which all else follows."""

# In the order in which messages list them.
from fastnn.activations import sigmoids, rectifiers, gated  # isort: skip
from fastnn.activations.item import Activation, activation, layer_activations, layer_initializers

__all__ = ["Activation", "activation", "gated", "layer_activations", "layer_initializers", "rectifiers", "sigmoids"]
