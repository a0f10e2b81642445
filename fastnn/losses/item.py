"""What a loss is: one declaration, from which all else about it follows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numba.core import types
from numba.core.dispatcher import Dispatcher
from numpy.typing import NDArray

from fastnn.items import Item
from fastnn.jit import address_of


@dataclass(frozen=True, eq=False)
class Loss(Item):
    """A loss of the last layer's output z.

    name : of the public function, and of the option of `fastnn.MLP`.
    label_sum, row_sum : the kernels of the training step for labels (n,) int64 and for rows (n, outputs) of targets;
        None where the loss does not take such targets. Their arguments are addresses and numbers: z (m, row), rows of
        full vectors; m; the columns of z; row; the address of the targets, an integer; dz, laid out like z, to be
        written; the scale of dz. They return the sum of the rows' losses in float64, leave its
        gradient times the scale in dz and zeros in its padding, and may overwrite z.
    output : what turns z into the net's prediction: "softmax" into probabilities of classes, "identity" into values.
    mean_over : what the loss is a mean of, "rows" or "elements".
    root : whether the loss is the square root of that mean; the kernels compute the mean and its gradient.
    reference : in NumPy, (z, t) to the mean loss and its gradient, in the dtype of z.
    """

    by_name: ClassVar[dict[str, Loss]] = {}

    name: str
    label_sum: Dispatcher | None
    row_sum: Dispatcher | None
    output: Literal["softmax", "identity"]
    mean_over: Literal["rows", "elements"]
    reference: Callable[..., tuple[np.floating, NDArray]]
    root: bool = False

    @property
    def module(self) -> str:
        """The module that declares it."""
        return self.reference.__module__

    @property
    def takes_labels(self) -> bool:
        """Whether targets may be labels (n,)."""
        return self.label_sum is not None

    def terms_per_row(self, outputs: int) -> int:
        """How many terms of the mean one row has."""
        return outputs if self.mean_over == "elements" else 1

    def address(self, real: types.Float, labels: bool) -> int:
        """Where the kernel of the training step for such targets is in memory, compiled for that precision."""
        numbers, size = types.CPointer(real), types.int64
        return address_of(
            self.label_sum if labels else self.row_sum,
            (numbers, size, size, size, size, numbers, types.float64),
        )


def loss(name: str, **parts: Any) -> Loss:
    """Declare a loss of nets: register it under its name. See `Loss` for the parts."""
    item = Loss(name, **parts)
    item.register()
    return item
