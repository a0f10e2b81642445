"""How one layer lies in the flat array of parameters: its weights, then its padded bias.

Weights (inputs, outputs) are panels, padded to whole vectors. But where only a few columns are left over for the last
vector, most of its lanes would be empty: the *remainder* of such a layer lies behind its panels, each column a row
along the inputs, and nothing is padded. Gradients and optimizer moments have the same layout.
"""

from __future__ import annotations

from numpy.typing import NDArray

from fastnn.jit import force_inline
from fastnn.linalg.packing import pack, padded, unpack


@force_inline
def tail_columns(inputs, outputs, lanes):
    """Columns that lie outside the panels: none where they fill two thirds of a vector, or where their rows would not
    be whole vectors."""
    left = outputs % lanes
    return left if inputs % lanes == 0 and 3 * left <= 2 * lanes else 0


@force_inline
def panel_vectors(inputs, outputs, lanes):
    """Vectors in a row of the panels; none where all columns are remainder."""
    return padded(outputs - tail_columns(inputs, outputs, lanes), lanes) // lanes


@force_inline
def weights_size(inputs, outputs, lanes):
    """Elements of the weights of one layer."""
    remainder = tail_columns(inputs, outputs, lanes)
    return inputs * (panel_vectors(inputs, outputs, lanes) * lanes + remainder)


@force_inline
def layer_size(inputs, outputs, lanes):
    """Elements of one layer: weights and bias."""
    return weights_size(inputs, outputs, lanes) + padded(outputs, lanes)


@force_inline
def transposed_size(inputs, outputs, lanes):
    """Elements of the panels of a layer's weights, transposed; its remainder needs no transposing."""
    return padded(inputs, lanes) * (outputs - tail_columns(inputs, outputs, lanes))


def pack_weights(w: NDArray, flat: NDArray, lanes: int) -> None:
    """flat ← the weights w of a layer."""
    panels, columns, remainder, rows = _parts(flat, w, lanes)
    pack(columns, panels, lanes)
    rows[...] = remainder.T


def unpack_weights(flat: NDArray, w: NDArray, lanes: int) -> None:
    """w ← the weights of a layer."""
    panels, columns, remainder, rows = _parts(flat, w, lanes)
    unpack(panels, columns, lanes)
    remainder[...] = rows.T


def _parts(flat: NDArray, w: NDArray, lanes: int) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """The panels and the columns of w that they hold; the remainder of w and the rows that hold it."""
    inputs, outputs = w.shape
    remainder = tail_columns(inputs, outputs, lanes)
    panels = flat[: flat.size - inputs * remainder]
    return (
        panels,
        w[:, : outputs - remainder],
        w[:, outputs - remainder :],
        flat[panels.size :].reshape(remainder, inputs),
    )
