"""What a loss is: one declaration, from which all else about it follows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, get_args

from numba.core import types
from numba.core.dispatcher import Dispatcher
from numpy.typing import NDArray

from fastnn.items import Item
from fastnn.jit import address_of
from fastnn.losses.weights import sum_label_weights, sum_row_weights
from fastnn.ops.arguments import Array, Number
from fastnn.step.plan import LOSS

Output = Literal["softmax", "sigmoid", "sign", "exp", "identity"]

# What a loss may be asked for beside its numbers: arguments of its function, and options of a net's loss. The weights
# of samples belong to a batch, and so to a step.
OPTIONS: Mapping[str, Any] = {"class_weight": None, "sample_weight": None, "ignore_label": None, "reduction": "mean"}


@dataclass(frozen=True, eq=False)
class Loss(Item):
    """A loss of the last layer's output z.

    name : of the public function, and of the option of `fastnn.MLP`.
    label_sum, row_sum : the kernels of the training step for labels (n,) int64 and for rows (n, outputs) of targets;
        None where the loss does not take such targets. Their arguments are addresses and numbers: z (m, row), rows of
        full vectors; m; the columns of z; row; the address of the targets, an integer; dz, laid out like z, to be
        written; the scale of dz; the LOSS record (`fastnn.step.plan`), which holds the numbers; the position of the
        first of the m rows in the batch. They return the sum of the rows' losses in float64, leave its
        gradient times the scale in dz and zeros in its padding, and may overwrite z.
    output : what turns z into the net's predictions: "softmax" into probabilities of classes, "sigmoid" into the
        probability of each output, "sign" into -1 and +1, "exp" into rates, "identity" into values.
    mean_over : what the loss is a mean of, "rows" or "elements".
    reference : in NumPy, (z, t, **numbers and options) to the loss and its gradient, in the dtype of z.
    numbers, defaults : the loss's own numbers by their names, each with its check; and their defaults.
    options : those of `OPTIONS` that it takes. With sample or class weights, or a label that is ignored,
        `weighted_label_sum` and `weighted_row_sum` take the place of the kernels above: the same, of weighted losses. A
        row of weight 0 counts nothing, whatever is in it.
    plain_takes_numbers : whether the kernels without weights take any numbers; or else the defaults alone.
    weighs_labels : whether the mean over labels is one weighted by the weights of their classes.
    labels : of how many labels there are, given the outputs; with None labels are no targets.
    targets : the kind of argument that targets are: rows with other numbers `MLP.fit`, `train_epoch` and `evaluate`
        refuse.
    root : whether the loss is the square root of the mean. The kernels of the step know nothing of that: they return
        the sum, and leave the gradient of the mean.
    magnitude : in NumPy, as the reference, what errors of the loss and of its gradient are relative to; for tests.
    """

    by_name: ClassVar[dict[str, Loss]] = {}

    name: str
    label_sum: Dispatcher | None
    row_sum: Dispatcher | None
    output: Output
    mean_over: Literal["rows", "elements"]
    reference: Callable[..., tuple[Any, NDArray]]
    numbers: Mapping[str, Number] = field(default_factory=dict)
    defaults: Mapping[str, float] = field(default_factory=dict)
    options: tuple[str, ...] = ("reduction",)
    weighted_label_sum: Dispatcher | None = None
    weighted_row_sum: Dispatcher | None = None
    plain_takes_numbers: bool = True
    weighs_labels: bool = False
    labels: Callable[[int], int | None] = lambda outputs: outputs
    targets: Array = field(default_factory=Array)
    root: bool = False
    magnitude: Callable[..., tuple[Any, NDArray]] | None = None

    def __post_init__(self) -> None:
        if self.output not in get_args(Output):
            raise ValueError(f"output: got {self.output!r}, expected one of {', '.join(map(repr, get_args(Output)))}")

    @property
    def module(self) -> str:
        """The module that declares it."""
        return self.reference.__module__

    def takes_labels(self, outputs: int) -> bool:
        """Whether targets of so many outputs may be labels (n,)."""
        return self.label_sum is not None and self.labels(outputs) is not None

    def terms_per_row(self, outputs: int) -> int:
        """How many terms of the mean one row has."""
        return outputs if self.mean_over == "elements" else 1

    def address(self, real: types.Float, labels: bool, weighted: bool = False) -> int:
        """Where the kernel of the training step for such targets is in memory, compiled for that precision."""
        numbers, size = types.CPointer(real), types.int64
        plain = self.label_sum if labels else self.row_sum
        with_weights = self.weighted_label_sum if labels else self.weighted_row_sum
        return address_of(
            with_weights if weighted else plain,
            (numbers, size, size, size, size, numbers, types.float64, LOSS.kind(real), size),
        )

    def address_of_weights(self, real: types.Float, labels: bool) -> int:
        """Where the kernel is that sums the weights of a batch's rows."""
        weighs = sum_label_weights if labels and self.weighs_labels else sum_row_weights
        return address_of(weighs, (types.int64, types.int64, LOSS.kind(real)))


def loss(name: str, **parts: Any) -> Loss:
    """Declare a loss of nets: register it under its name. See `Loss` for the parts; returns it.

    Raises TypeError for a part that is missing or that a loss has not; ValueError for a name that is taken or cannot be
    a function's, and for another `output`. Nothing is registered then. The kernels are not looked at: what Numba cannot
    compile shows when a net is made, as its TypingError.
    """
    item = Loss(name, **parts)
    item.register(name)
    return item
