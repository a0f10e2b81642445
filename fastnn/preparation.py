"""What a net's training steps need beside the net itself: the plan of the step, and the memory that it points to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from fastnn import threads
from fastnn.activations import Activation
from fastnn.alloc import aligned_zeros
from fastnn.blocking import (
    columns_of_strips,
    depth_of_a_product,
    each_panel_pays,
    rows_of_a_block,
    rows_of_an_update,
    strips_pay,
    widest_panel,
)
from fastnn.items import Chosen
from fastnn.linalg.layout import ParameterLayout
from fastnn.linalg.sparse_inputs import active_columns_size
from fastnn.losses import ChosenLoss
from fastnn.optimizers import Optimizer
from fastnn.pacing import Pace
from fastnn.regularization import Regularization
from fastnn.sharing import Sharing
from fastnn.step import plan as plans
from fastnn.step.predict import prediction_addresses
from fastnn.step.rows import compressed_loading
from fastnn.step.train_step import phase_addresses, train_step_entry, transform_address

LABEL = np.dtype(np.int64)

# Stands for the optimizer while a net has not been trained: no argument of `train_step` is this object.
NOBODY = object()

# How many plans for predictions are kept: more threads than that make theirs anew.
_MOST_IDLE = 4


class Memory(NamedTuple):
    """BLOCK records, the sums of each worker, and the arrays that the records point to. strip_columns : how many
    columns of strips each has room for. loads : whether there is room for rows that are loaded."""

    blocks: NDArray
    sums: NDArray  # (3, workers): losses, penalties, squared norms
    room: NDArray  # activations, deltas, scratch memory
    active: NDArray  # active columns
    places: NDArray  # of compressed rows
    strip_columns: int
    loads: bool

    def give(self, plan: NDArray) -> None:
        """Have the plan use the blocks."""
        plan["blocks"], plan["strip_columns"] = self.blocks.ctypes.data, self.strip_columns


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan, the optimizer that it is for, and what it points to. Python never changes one: a net gets another."""

    optimizer: object  # an Optimizer with a number as its learning rate, or NOBODY
    scheduled: object  # an Optimizer with a schedule, which is asked before each step, or NOBODY
    plan: NDArray
    address: int  # of the plan
    state: Any  # a State, or None for NOBODY
    memory: Memory
    gradients: NDArray
    stores_gradients: bool  # whatever the batch
    values: dict[str, Any]  # the optimizer's hyper-parameters
    step: Callable[[int, int, int, int, int], tuple[float, int]]  # the kernel `train_step`

    def without_optimizer(self) -> Prepared:
        """The same for nobody: the next step looks at its optimizer anew."""
        return replace(self, optimizer=NOBODY, scheduled=NOBODY)


class Predictor(NamedTuple):
    """A plan for predictions, and the memory that it points to: one prediction at a time. `rows` : of a row block."""

    begin: int  # the address of `begin_predictions`
    phase: int  # of `predict_rows`
    address: int  # of the plan
    plan: NDArray
    memory: Memory
    rows: int
    keeps: Any = None  # what else the plan points to, of one prediction alone


class Preparation:
    """Makes the plans of one net, and holds what all of them point to."""

    def __init__(
        self,
        layout: ParameterLayout,
        parameters: NDArray,
        dtype: np.dtype,
        activations: Sequence[Chosen[Activation]],
        loss: ChosenLoss,
        regularization: Regularization,
        steps: NDArray,
    ) -> None:
        self._layout, self._parameters, self._dtype = layout, parameters, dtype
        self._activations, self._loss, self._regularization, self._steps = activations, loss, regularization, steps
        self._outputs, self._real = layout.layers[-1].outputs, numba.from_dtype(dtype)
        widest = max(max(layer.inputs, layer.row) for layer in layout.layers)
        self._most_rows = rows_of_a_block(widest, dtype)
        self.sharing = Sharing(layout, dtype, self._most_rows)
        # Elements of the activations of one row, all layers; of its deltas; and of its activations' inputs.
        self._row = sum(layer.row for layer in layout.layers)
        self._in_use = np.zeros(1, np.int64)
        self._layers = self._layer_plans()
        self._transposed = aligned_zeros((sum(layer.transposed_size for layer in layout.layers[1:]),), self._dtype)
        self._zeros = aligned_zeros((max(max(layer.inputs, layer.row) for layer in layout.layers),), self._dtype)
        self._loss_options = loss.record(self._outputs)
        self.pace, self.pace_of_predictions = Pace(), Pace()
        # Of predictions that are over: several threads may ask one net at a time.
        self._idle: list[Predictor] = []

    def following(
        self, last: Prepared, net: Any, optimizer: Optimizer, workers: int, n: int, labels: bool, loads: bool
    ) -> Prepared:
        """The net prepared for a step with this optimizer, so many workers and rows, and such targets; `last` is what
        it was prepared for before. loads : whether rows are loaded into row blocks.

        That is memory for a row block of each worker, and for its gradient if gradients are stored; the optimizer's
        state; and a plan with their addresses. What the last step had is used again where it suffices.
        """
        target_dtype = LABEL if labels else self._dtype
        enough_memory = len(last.memory.blocks) >= workers and last.memory.loads >= loads
        same_targets = last.plan["t_dtype"] == id(target_dtype)
        # `begin` decides whether a step stores gradients; it may where there is room for them.
        several_blocks = n > workers * self._most_rows
        if (optimizer is last.optimizer or optimizer is last.scheduled) and enough_memory and same_targets:
            gradients = workers * self._layout.size if several_blocks or last.stores_gradients else 0
            if last.gradients.size >= gradients:
                return last
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"optimizer: got {optimizer!r}, expected one of fastnn's optimizers, such as fastnn.Adam()")
        values = optimizer.values
        clip_value, clip_norm = values["clip_value"] or 0, values["clip_norm"] or 0
        penalizes, root = self._regularization.penalizes, self._loss.item.root
        stores_gradients = penalizes or clip_norm > 0
        gradients = workers * self._layout.size if several_blocks or stores_gradients else 0
        enough_gradients = last.gradients.size >= gradients
        memory = (
            last.memory
            if enough_memory
            else self.memory_of(max(workers, len(last.memory.blocks)), loads or last.memory.loads)
        )
        stored = last.gradients if enough_gradients else aligned_zeros((gradients,), self._dtype, quarter=3)
        state = optimizer.state(net)
        # A new plan: another thread may be within a step with the last one.
        plan = last.plan.copy()
        memory.give(plan)
        for name, numbers in zip(("losses", "penalties", "norms"), memory.sums, strict=True):
            plan[name] = numbers.ctypes.data
        plan["gradients"], plan["optimizer"] = stored.ctypes.data, state.address
        for slot, address in self._loss.addresses(self._real, labels, False).items():
            plan[slot] = address
        plan["clip_value"], plan["clip_norm"] = clip_value, clip_norm
        transforms = stores_gradients or root
        plan["transform_gradients"] = transform_address(self._real) if transforms else 0
        plan["t_dtype"], plan["t_dimensions"] = id(target_dtype), 1 if labels else 2
        plan["t_row_bytes"] = LABEL.itemsize if labels else self._outputs * self._dtype.itemsize
        plain, scheduled = (NOBODY, optimizer) if optimizer.is_scheduled else (optimizer, NOBODY)
        address = plan.ctypes.data
        return Prepared(plain, scheduled, plan, address, state, memory, stored, stores_gradients, values, last.step)

    def first(self) -> Prepared:
        """The first plan: all that does not change from step to step. `following` completes a copy of it."""
        plan = plans.STEP.empty()
        addresses = {
            "layers": self._layers,
            "parameters": self._parameters,
            "transposed": self._transposed,
            "zeros": self._zeros,
            "in_use": self._in_use,
            "net_steps": self._steps,
        }
        plan["shares"] = threads.SHARES
        for name, array in addresses.items():
            plan[name] = array.ctypes.data
        for slot, address in phase_addresses(self._real).items():
            plan[slot] = address
        plan["n_layers"], plan["parameters_size"] = len(self._layers), self._layout.size
        outputs, item = self._outputs, self._loss.item
        plan["loss_terms_per_row"], plan["labels"] = item.terms_per_row(outputs), item.labels(outputs) or 0
        plan["loss_is_mean"], plan["loss_has_root"] = self._loss.reduction == "mean", item.root
        plan["loss_options"] = self._loss_options.ctypes.data
        own = self._regularization
        plan["drops"], plan["dropout_key"], plan["input_dropout"] = own.drops, own.key, own.input_dropout
        plan["l1"], plan["l2"], plan["penalty_per_row"] = own.l1, own.l2, own.penalty_per_row
        plan["array_type"], plan["x_dtype"] = id(np.ndarray), id(self._dtype)
        plan["most_rows"], plan["depth"] = self._most_rows, depth_of_a_product()
        plan["max_rows"] = min(self._most_rows, self.sharing.rows - 1)
        plan["wide_layers"], plan["fewest_panels"] = self.sharing.wide_layers, self.sharing.fewest_panels
        nothing = np.empty(0, self._dtype)
        memory, step = self.memory_of(0), train_step_entry()
        return Prepared(NOBODY, NOBODY, plan, plan.ctypes.data, None, memory, nothing, False, {}, step)

    def _layer_plans(self) -> NDArray:
        layers = self._layout.layers
        records = plans.LAYER.empty(len(layers))
        start = column = transposed = 0
        input_row = layers[0].inputs
        # Behind one another, in the order of the layers.
        self._numbers = np.array([value for chosen in self._activations for value in chosen.values], np.float64)
        numbers = self._numbers.ctypes.data
        for k, (record, layer) in enumerate(zip(records, layers, strict=True)):
            record["inputs"], record["outputs"], record["input_row"] = layer.inputs, layer.outputs, input_row
            record["row"], record["panel_vectors"], record["tail"] = layer.row, layer.panel_vectors, layer.tail
            record["weights"], record["tail_weights"] = start, start + layer.panels_size
            record["bias"], record["size"] = start + layer.weights_size, layer.size
            record["transposed"], record["column"] = transposed, column
            record["transposes_each_panel"] = k > 0 and each_panel_pays(layer.transposed_size, self._dtype)
            record["update_rows"] = rows = rows_of_an_update(self._dtype)
            record["strip"] = rows if strips_pay(input_row, layer.panel_vectors, self._dtype) else 0
            if k < len(layers) - 1:
                chosen = self._activations[k]
                record["activate"], record["activate_backward"] = chosen.item.addresses(self._real)
                record["keeps_input"], record["numbers"] = chosen.item.keeps_input, numbers
                numbers += len(chosen.values) * self._numbers.itemsize
                record["dropout"] = self._regularization.dropout[k]
            start, column, input_row = start + layer.size, column + layer.row, layer.row
            transposed += layer.transposed_size if k else 0
        return records

    def predictor(self, plan: NDArray, rows: int, workers: int) -> Predictor:
        """Memory for predictions on up to so many rows, and a copy of the net's plan that points to it; give it back to
        `is_over` afterwards."""
        needed = min(self._most_rows, -(-rows // 8) * 8)
        try:
            idle = self._idle.pop()
        except IndexError:
            idle = None
        if idle is not None and idle.rows >= needed and len(idle.memory.blocks) >= workers:
            return idle
        memory = self._memory_for_predictions(workers, needed)
        own = plan.copy()
        memory.give(own)
        own["drops"] = False
        return Predictor(*prediction_addresses(self._real), own.ctypes.data, own, memory, needed)

    def compressed_predictor(self, plan: NDArray, rows: Any, workers: int) -> Predictor:
        """The same for compressed rows."""
        memory, own = self._memory_for_predictions(workers, self._most_rows, loads=True), plan.copy()
        source = plans.SOURCE.empty()
        keeps = source, rows.fill(source)
        memory.give(own)
        own["drops"] = False
        own["source"], own["x_address"] = source.ctypes.data, source["x"]
        for name, value in compressed_loading(self._real, rows.is_dense).items():
            own[name] = value
        return Predictor(*prediction_addresses(self._real), own.ctypes.data, own, memory, self._most_rows, keeps)

    def is_over(self, predictor: Predictor) -> None:
        """Keep what a prediction needed for the next."""
        if predictor.keeps is None and len(self._idle) < _MOST_IDLE:
            self._idle.append(predictor)

    def memory_of(self, count: int, loads: bool = False) -> Memory:
        """Memory for `count` row blocks of a step under way: for each, behind one another, the activations, the deltas
        and these packed, scratch memory; where weights are transposed a panel at a time room for one; where the slope
        needs them the inputs of the activations; what dropout needs; and room for rows that are loaded."""
        rows, own = self._most_rows, self._regularization
        strips = zip(self._layers["strip"].tolist(), self._layers["inputs"].tolist(), strict=True)
        strip_columns = max(columns_of_strips(count, strip, inputs) for strip, inputs in strips)
        longest = int((self._layers["row"] * self._layers["transposes_each_panel"]).max())
        sizes = {
            "activations": rows * self._row,
            "deltas": rows * self._row,
            "packed_deltas": rows * self._row,
            "scratch": plans.UPDATE_BLOCK + rows * strip_columns,
            "panel": longest * widest_panel(self._dtype),
            "activation_inputs": self._inputs_kept(rows),
            "outputs": rows * self._row if any(own.dropout) else 0,
            "inputs": rows * self._layout.layers[0].inputs if loads or own.input_dropout > 0 else 0,
        }
        return self._memory(count, rows, sizes, loads, strip_columns)

    def _memory_for_predictions(self, count: int, rows: int, loads: bool = False) -> Memory:
        sizes = {
            "activations": self._row * rows,
            "activation_inputs": self._inputs_kept(rows),
            "inputs": rows * self._layout.layers[0].inputs if loads else 0,
        }
        return self._memory(count, rows, sizes, loads)

    def _inputs_kept(self, rows: int) -> int:
        """Elements of the inputs of activations, for so many rows."""
        return self._row * rows if self._layers["keeps_input"].any() else 0

    def _memory(self, count: int, rows: int, sizes: dict[str, int], loads: bool, strip_columns: int = 0) -> Memory:
        room = aligned_zeros((count, sum(sizes.values())), self._dtype)
        active = np.zeros((count, active_columns_size(rows, self._layout.layers[0].inputs)), np.int32)
        blocks, item = plans.BLOCK.empty(count), self._dtype.itemsize
        places = np.zeros((count, 2 + 2 * count, plans.BLOCK_ROWS), np.int64)
        for block, own, columns, row_places in zip(blocks, room, active, places, strict=True):
            start = own.ctypes.data
            for name, size in sizes.items():
                block[name] = start
                start += size * item
            block["active"] = columns.ctypes.data
            block["begins"], block["ends"] = row_places.ctypes.data, row_places[1:].ctypes.data
            block["firsts"], block["lasts"] = row_places[2:].ctypes.data, row_places[2 + count :].ctypes.data
        return Memory(blocks, np.zeros((3, count)), room, active, places, strip_columns, loads)
