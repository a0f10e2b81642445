"""The multi-layer perceptron: packed parameters, and the training step as one kernel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from fastnn import scalar_checks, threading
from fastnn.alloc import aligned_zeros
from fastnn.initializers import initial_weights
from fastnn.intrinsics import VECTOR_BYTES
from fastnn.kernels import activations, losses
from fastnn.kernels.metrics import argmax_rows
from fastnn.kernels.softmax import softmax
from fastnn.linalg import sparse_inputs
from fastnn.linalg.layout import layer_size, pack_weights, transposed_size, unpack_weights, weights_size
from fastnn.linalg.packing import padded
from fastnn.ops import checks
from fastnn.optimizers import Optimizer, State
from fastnn.step import forward_backward, plan, train_step, update

_LABEL = np.dtype(np.int64)

# The optimizer of a net that was not trained yet.
_NOBODY = object()

# How many share a large step where results must not depend on the number of threads.
_INVARIANT_WORKERS = 8

# An update takes as long as so many rows, and most optimizers longer.
_UPDATE_ROWS = 8


@dataclass(frozen=True, slots=True)
class _Plan:
    """All that a training step reads but its rows and targets; it keeps alive what the table points at.

    Python never changes one: a net gets another as a whole.
    """

    address: int
    table: NDArray[np.int64]
    target_like: np.generic
    labels: bool  # Whether the targets are labels, else rows.
    optimizer: object  # An Optimizer, or _NOBODY.
    state: State | None
    workspace: NDArray
    listed: NDArray
    losses: NDArray
    gradients: NDArray


class MLP:
    """A multi-layer perceptron: affine layers with one activation between them, and a loss on the last.

    Parameters
    ----------
    sizes : the widths of the layers, inputs first: (784, 50, 10). Any depth from two numbers on.
    activation : of the hidden layers: "sigmoid", "tanh" or "relu".
    loss : "softmax_cross_entropy", the mean over rows, from labels (n,) or rows of probabilities (n, outputs); or
        "mean_squared_error", the mean over all elements, from targets (n, outputs), or (n,) with one output.
    init : the scale of the normal initial weights: "xavier", "he" or a standard deviation, 0.01 in the teaching
        notes. Without it "he" for ReLU and "xavier" otherwise. Biases start at zero.
    dtype : "float32" or "float64": of the parameters, of x and of what comes out.
    seed : of the initial weights; None draws them differently each time.

    Raises ValueError or TypeError, naming the argument, for any other value. Several threads may ask a net for
    predictions, but only one at a time may train it, and none may ask or set weights meanwhile.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: str = "sigmoid",
        loss: str = "softmax_cross_entropy",
        init: str | float | None = None,
        dtype: DTypeLike = "float32",
        seed: int | None = 0,
    ) -> None:
        self.sizes = tuple(scalar_checks.count(f"sizes[{k}]", size) for k, size in enumerate(sizes))
        if len(self.sizes) < 2:
            raise ValueError(f"sizes: got {self.sizes}, expected at least two widths, inputs and outputs")
        self.activation = _one_of("activation", activation, activations.CODES)
        self.loss = _one_of("loss", loss, losses.CODES)
        self._takes_labels = loss == "softmax_cross_entropy"
        self.dtype = checks.float_dtype("dtype", dtype)
        if init is None:
            init = "he" if activation == "relu" else "xavier"
        self._sizes = np.array(self.sizes)
        self._codes = activations.CODES[activation], losses.CODES[loss]
        self._lanes = VECTOR_BYTES // self.dtype.itemsize
        self._parameters = aligned_zeros((self._parameters_size(),), self.dtype)
        self._room = 2 * forward_backward.TILE * sum(padded(o, self._lanes) for o in self.sizes[1:])
        self._like = self.dtype.type(0)
        self._rows_to_share = self.rows_for_threads(2)
        self._begin_room()
        self.set_weights(initial_weights(self.sizes, init, seed, self.dtype.name))

    def train_step(self, x: ArrayLike, t: ArrayLike, optimizer: Optimizer) -> float:
        """One step of training in place: forward, loss, backward, update.

        x : (n, inputs), n at least 1, in the net's dtype. t : see `loss` of the class. Returns the mean loss before
        the update. Nothing is changed where an argument is refused with ValueError or TypeError, nor where another
        thread is training this net: RuntimeError. An interrupted step happens wholly or not at all.
        """
        current = self._plan
        if optimizer is current.optimizer:
            # Looking at small batches in Python would take a quarter of the step: the kernel does it.
            loss, wrong = train_step.train_step(
                id(x), id(t), 0, self._like, current.target_like, current.address, 1, train_step.WHOLE
            )
            if wrong == train_step.NOWHERE:
                return loss
        return self._train_on_any(x, t, optimizer)

    def _train_on_any(self, x: ArrayLike, t: ArrayLike, optimizer: Optimizer) -> float:
        """`train_step` for whatever it is given."""
        rows = self._rows(x)
        n = len(rows)
        if n == 0:
            raise ValueError("x: got 0 rows, expected at least 1")
        targets = self._targets(t, n)
        workers = 1 if n < self._rows_to_share else self._workers(n)
        current = self._plan_for(optimizer, targets.ndim == 1, workers, n > workers * forward_backward.TILE)
        arguments = id(rows), id(targets), n, self._like, current.target_like, current.address, workers
        if workers == 1 or threading.get_num_threads() == 1:
            loss, wrong = train_step.train_step(*arguments, train_step.WHOLE)
        else:
            address = train_step.step_address(type(self._like), type(current.target_like))
            loss, wrong = train_step.parallel_train_step(address, *arguments, threading.PARALLEL_REGION)
        if wrong == train_step.IN_USE_ELSEWHERE:
            raise RuntimeError(
                "another thread is training this net; let one thread at a time train it, or give each a net of its own"
            )
        if wrong >= 0:
            checks.refuse_label("t", targets, wrong, self.sizes[-1])
        return loss

    def forward(self, x: ArrayLike) -> NDArray:
        """The last layer's affine output (n, outputs), the logits; x : (n, inputs) in the net's dtype."""
        rows = self._rows(x)
        z = np.empty((len(rows), self.sizes[-1]), self.dtype)
        # Its own room: several threads may ask one net.
        outputs = aligned_zeros((self._room // 2,), self.dtype)
        listed = np.empty(sparse_inputs.list_size(forward_backward.TILE, self.sizes[0]), np.int32)
        listing = np.array([sparse_inputs.NEVER, *sparse_inputs.addresses(self.dtype.type)])
        train_step.forward(
            rows, self._parameters, self._sizes, self._codes[0], outputs, listed, listing, forward_backward.TILE, z
        )
        return z

    def predict_proba(self, x: ArrayLike) -> NDArray:
        """softmax(forward(x)) (n, outputs)."""
        z = self.forward(x)
        softmax(z, z)
        return z

    def predict(self, x: ArrayLike) -> NDArray:
        """The label (n,) int64 of each row's largest logit; with the mean squared error forward(x) itself."""
        z = self.forward(x)
        if self.loss == "mean_squared_error":
            return z
        labels = np.empty(len(z), np.int64)
        argmax_rows(z, labels)
        return labels

    def get_weights(self) -> list[NDArray]:
        """Copies of [w1, b1, w2, b2, ...]: w (inputs, outputs), b (outputs,)."""
        weights = []
        for w_part, b_part, shape in self._parts():
            w = np.empty(shape, self.dtype)
            unpack_weights(w_part, w, self._lanes)
            weights += [w, b_part.copy()]
        return weights

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Copy [w1, b1, w2, b2, ...] in, converted to the net's dtype.

        Raises ValueError, with nothing changed, for a wrong number of arrays or a wrong shape.
        """
        shapes = [shape for i, o in pairwise(self.sizes) for shape in ((i, o), (o,))]
        arrays = [np.asarray(w) for w in weights]
        if len(arrays) != len(shapes):
            raise ValueError(f"weights: got {len(arrays)} arrays, expected {len(shapes)}: w and b of each layer")
        for k, (array, shape) in enumerate(zip(arrays, shapes, strict=True)):
            if array.shape != shape:
                raise ValueError(f"weights[{k}]: got shape {array.shape}, expected {shape}")
            if array.dtype.kind not in "fiu":
                raise TypeError(f"weights[{k}]: got dtype {array.dtype}, expected numbers")
        for layer, (w_part, b_part, _) in enumerate(self._parts()):
            pack_weights(arrays[2 * layer], w_part, self._lanes)
            b_part[...] = arrays[2 * layer + 1]

    def __getstate__(self) -> dict[str, Any]:
        """For copies: what holds addresses, belongs to an optimizer, or is but room stays behind."""
        left = {"_plan", "_in_use", "_transposed"}
        return {name: value for name, value in vars(self).items() if name not in left}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        # Copies and pickles make a dtype of their own, and arrays are told by the identity of theirs.
        self.dtype = checks.float_dtype("dtype", self.dtype)
        if (self._lanes, self._parameters.size) != (VECTOR_BYTES // self.dtype.itemsize, self._parameters_size()):
            raise ValueError(
                "pickle: got a net whose parameters lie as in another version of fastnn or on another kind of CPU, "
                "expected one of this; keep get_weights() where a net must outlive them"
            )
        self._begin_room()

    def __repr__(self) -> str:
        return f"MLP({self.sizes}, activation={self.activation!r}, loss={self.loss!r}, dtype={self.dtype.name!r})"

    def _parameters_size(self) -> int:
        return sum(layer_size(i, o, self._lanes) for i, o in pairwise(self.sizes))

    def _parts(self) -> Iterator[tuple[NDArray, NDArray, tuple[int, int]]]:
        """Of each layer: its weights as they lie, its bias, and the shape of its weights."""
        at = 0
        for i, o in pairwise(self.sizes):
            end = at + weights_size(i, o, self._lanes)
            yield self._parameters[at:end], self._parameters[end : end + o], (i, o)
            at += layer_size(i, o, self._lanes)

    def _rows(self, x: ArrayLike) -> NDArray:
        if type(x) is np.ndarray and x.dtype is self.dtype and x.ndim == 2 and x.shape[1] == self.sizes[0]:
            return checks.contiguous(x)
        rows = checks.float_array("x", x, self.dtype, ", the net's dtype")
        if rows.ndim != 2 or rows.shape[1] != self.sizes[0]:
            raise ValueError(f"x: got shape {rows.shape}, expected (n, {self.sizes[0]})")
        return checks.contiguous(rows)

    def _targets(self, t: Any, n: int) -> NDArray:
        if type(t) is np.ndarray and t.dtype is _LABEL and t.ndim == 1 and len(t) == n and self._takes_labels:
            return checks.contiguous(t)
        array = np.asarray(t)
        outputs = self.sizes[-1]
        if self._takes_labels and array.ndim == 1:
            labels = checks.label_array("t", array)
            if len(labels) != n:
                raise ValueError(f"t: got {len(labels)} labels, expected {n}, one for each row of x")
            return labels
        targets = checks.float_array("t", array, self.dtype, ", the net's dtype")
        if outputs == 1 and targets.shape == (n,):
            targets = targets.reshape(n, 1)
        if targets.shape != (n, outputs):
            raise ValueError(f"t: got shape {targets.shape}, expected ({n}, {outputs}), a row for each row of x")
        return checks.contiguous(targets)

    def _workers(self, n: int) -> int:
        """Between how many a step on n rows is shared: the share of each must outweigh what it takes to start it."""
        worth = 6 * (n + _UPDATE_ROWS) * self._parameters.size // threading.FLOPS_OF_A_WORKER
        most = threading.get_num_threads()
        if threading.is_thread_invariant():
            most, worth = _INVARIANT_WORKERS, worth // 4
        return max(1, min(most, worth))

    def rows_for_threads(self, count: int) -> int:
        """The smallest batch that is shared between so many threads."""
        return max(1, -(-count * threading.FLOPS_OF_A_WORKER // (6 * self._parameters.size)) - _UPDATE_ROWS)

    def _begin_room(self) -> None:
        """Room for small batches, the net's lock, and a plan for no optimizer yet."""
        turned = sum(transposed_size(i, o, self._lanes) for i, o in pairwise(self.sizes[1:]))
        self._transposed = aligned_zeros((turned,), self.dtype)
        self._in_use = np.zeros(1, np.int64)
        nothing = np.empty((0, 0), self.dtype)
        self._plan = _Plan(0, nothing, self._like, False, _NOBODY, None, nothing, nothing, nothing, nothing)

    def _plan_for(self, optimizer: Optimizer, labels: bool, workers: int, gradient: bool) -> _Plan:
        """A plan to train with this optimizer, on labels or rows, with so many workers; the net's from now on."""
        old = self._plan
        workspace, listed, losses, gradients = old.workspace, old.listed, old.losses, old.gradients
        if len(workspace) <= workers:
            # The last row is one of zeros.
            workspace = aligned_zeros((workers + 1, self._room + update.SCRATCH), self.dtype)
            listed = np.zeros((workers, sparse_inputs.list_size(forward_backward.TILE, self.sizes[0])), np.int32)
            losses = np.zeros(workers)
        if gradient and gradients.size < workers * self._parameters.size:
            gradients = aligned_zeros((workers, self._parameters.size), self.dtype, part=3)
        if (
            optimizer is old.optimizer
            and labels == old.labels
            and workspace is old.workspace
            and gradients is old.gradients
        ):
            return old
        if not isinstance(optimizer, Optimizer) or not hasattr(optimizer, "code"):
            raise TypeError(f"optimizer: got {optimizer!r}, expected one of fastnn's optimizers, fastnn.SGD(lr=0.1)")
        state = optimizer.state(self, self._parameters)
        table = self._table(labels, workspace, listed, losses, gradients)
        table[plan.MOMENTS] = state.moments.ctypes.data
        table[plan.MOMENTS_ROW] = state.moments.shape[1]
        table[plan.STEPS] = state.steps.ctypes.data
        table[plan.HYPER] = optimizer.hyper.ctypes.data
        table[plan.OPTIMIZER] = optimizer.code
        like = _LABEL.type(0) if labels else self._like
        new = _Plan(table.ctypes.data, table, like, labels, optimizer, state, workspace, listed, losses, gradients)
        # One assignment, when all is written: an interrupt finds the net with the one plan or the other.
        self._plan = new
        return new

    def _table(
        self, labels: bool, workspace: NDArray, listed: NDArray, losses: NDArray, gradients: NDArray
    ) -> NDArray[np.int64]:
        """The table that a training step reads, but for what belongs to the optimizer."""
        table = np.zeros(plan.TABLE_SIZE, np.int64)
        for place, array in (
            (plan.PARAMETERS, self._parameters),
            (plan.GRADIENTS, gradients),
            (plan.WORKSPACE, workspace),
            (plan.LISTED, listed),
            (plan.TRANSPOSED, self._transposed),
            (plan.SIZES, self._sizes),
            (plan.LOSSES, losses),
            (plan.IN_USE, self._in_use),
        ):
            table[place] = array.ctypes.data
        table[plan.PARAMETERS_SIZE] = self._parameters.size
        table[plan.TRANSPOSED_SIZE] = self._transposed.size
        table[plan.WORKSPACE_ROWS], table[plan.WORKSPACE_COLUMNS] = workspace.shape
        table[plan.LISTED_COLUMNS] = listed.shape[1]
        table[plan.LAYERS] = len(self.sizes) - 1
        table[plan.ACTIVATION], table[plan.LOSS] = self._codes
        table[plan.LISTING :] = sparse_inputs.NEVER, *sparse_inputs.addresses(self.dtype.type)
        table[plan.ARRAY_TYPE] = id(np.ndarray)
        table[plan.DTYPE] = id(self.dtype)
        table[plan.TARGET_DTYPE] = id(_LABEL if labels else self.dtype)
        table[plan.TARGET_DIMENSIONS] = 1 if labels else 2
        table[plan.MOST_ROWS] = min(forward_backward.TILE, self._rows_to_share - 1)
        return table


def _one_of(name: str, value: Any, known: Any) -> str:
    if value not in known:
        raise ValueError(f"{name}: got {value!r}, expected one of {', '.join(map(repr, known))}")
    return value
