"""How one layer is stored in the flat array of parameters: panels, tail columns, padded bias.

Weights (inputs, outputs) are packed in panels of full vectors. If only a few columns are left for the last vector, most
of its lanes would be empty. These *tail columns* are stored after the panels instead, each as a row along the inputs,
without padding. Gradients and optimizer moments have the same layout.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from fastnn.linalg.packing import pack, padded, unpack


@dataclass(frozen=True)
class LayerLayout:
    """The sizes of one layer for registers of `lanes` lanes, in elements."""

    inputs: int
    outputs: int
    lanes: int

    @property
    def tail(self) -> int:
        """Tail columns: none if they would fill more than two-thirds of a vector, or if the number of inputs is not a
        multiple of the lanes."""
        left = self.outputs % self.lanes
        return left if self.inputs % self.lanes == 0 and 3 * left <= 2 * self.lanes else 0

    @property
    def panel_vectors(self) -> int:
        """Vectors in a row of the panels; none where all columns are tail columns."""
        return padded(self.outputs - self.tail, self.lanes) // self.lanes

    @property
    def panels_size(self) -> int:
        """Elements of the panels."""
        return self.inputs * self.panel_vectors * self.lanes

    @property
    def weights_size(self) -> int:
        """Elements of the weights: panels and tail columns."""
        return self.panels_size + self.inputs * self.tail

    @property
    def row(self) -> int:
        """The elements of the bias, and of a row of outputs or deltas, padded to full vectors."""
        return padded(self.outputs, self.lanes)

    @property
    def size(self) -> int:
        """Elements of the layer: weights and bias."""
        return self.weights_size + self.row

    @property
    def transposed_size(self) -> int:
        """Elements of the panels of the transposed weights; tail columns need no transposing."""
        return padded(self.inputs, self.lanes) * (self.outputs - self.tail)

    def pack(self, w: NDArray, flat: NDArray) -> None:
        """flat (weights_size,) ← the weights w (inputs, outputs)."""
        panels, columns, tail, rows = self._parts(flat, w)
        pack(columns, panels, self.lanes)
        rows[...] = tail.T

    def unpack(self, flat: NDArray, w: NDArray) -> None:
        """w (inputs, outputs) ← the weights that lie in flat (weights_size,)."""
        panels, columns, tail, rows = self._parts(flat, w)
        unpack(panels, columns, self.lanes)
        tail[...] = rows.T

    def _parts(self, flat: NDArray, w: NDArray) -> tuple[NDArray, NDArray, NDArray, NDArray]:
        """The panels and the columns of w that they hold; the tail columns of w and the rows that hold them."""
        n_packed = self.outputs - self.tail
        panels, rows = flat[: self.panels_size], flat[self.panels_size :].reshape(self.tail, self.inputs)
        return panels, w[:, :n_packed], w[:, n_packed:], rows


class ParameterLayout:
    """How the parameters of a net lie in one flat array: layer behind layer."""

    def __init__(self, sizes: Sequence[int], lanes: int) -> None:
        self.layers = tuple(LayerLayout(i, o, lanes) for i, o in pairwise(sizes))
        self.size = sum(layer.size for layer in self.layers)

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Of the arrays w1 (inputs, outputs), b1 (outputs,), w2, b2, ..."""
        return [shape for layer in self.layers for shape in ((layer.inputs, layer.outputs), (layer.outputs,))]

    def pack(self, arrays: Sequence[NDArray], flat: NDArray) -> None:
        """flat (size,) ← [w1, b1, w2, b2, ...], converted to its dtype; padding is zero."""
        for k, (layer, weights, bias) in enumerate(self._parts(flat)):
            layer.pack(arrays[2 * k], weights)
            bias[: layer.outputs] = arrays[2 * k + 1]
            bias[layer.outputs :] = 0

    def unpack(self, flat: NDArray) -> list[NDArray]:
        """Copies of [w1, b1, w2, b2, ...]."""
        arrays: list[NDArray] = []
        for layer, weights, bias in self._parts(flat):
            w = np.empty((layer.inputs, layer.outputs), flat.dtype)
            layer.unpack(weights, w)
            arrays += [w, bias[: layer.outputs].copy()]
        return arrays

    def _parts(self, flat: NDArray) -> Iterator[tuple[LayerLayout, NDArray, NDArray]]:
        """Of each layer: its layout, its weights as they lie, and its bias with what pads it."""
        start = 0
        for layer in self.layers:
            bias = start + layer.weights_size
            yield layer, flat[start:bias], flat[bias : bias + layer.row]
            start += layer.size
