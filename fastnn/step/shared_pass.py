"""The pass of one row block that all workers share: of a batch that is no more.

Where that pays wide layers are shared by columns: forward each worker multiplies by panels of its own, backward it
computes deltas of its own. So it needs no more than its part of the weights in its caches, and forward none that
another wrote, for it updates the same panels. Workers meet between layers, for each needs all columns of the layer
before. What follows the last of these `shared_layers`, narrow layers and the loss, is shared by rows, without meetings;
where there are none that is all. The stages of the pass, in this order:

- `take_rows`, by rows: where zeros are looked for, or rows are loaded or inputs dropped for a layer shared by columns;
- forward through each of the layers that are shared by columns;
- by rows: forward through the other layers, the loss, and back to the deltas of the last of those;
- back through them but the first, by columns;
- `finish_deltas`, by rows: a stage of its own only after such layers, and where there is something to do;
- where gradients are stored, a part of each layer's gradient.

Each is a unit, compiled when a batch is first shared so. Every sum is the one that a single worker forms, but for that
of the losses, which is added up worker by worker: who takes turns on one thread does all shares of a stage in one.
"""

from __future__ import annotations

from fastnn.intrinsics import flush_subnormals, lanes_of, offset, restore_subnormals
from fastnn.jit import inline_ir
from fastnn.linalg.packing import panel_count, panels_of, part_start
from fastnn.linalg.sparse_inputs import NEVER
from fastnn.step.backward import backward_layer, loss_of_rows
from fastnn.step.deltas import finish_deltas
from fastnn.step.forward import choose_columns, forward_layer, take_rows
from fastnn.step.plan import block_of, layer_of
from fastnn.step.update import accumulate_panels, accumulate_tail_and_bias, take_part
from fastnn.units import unit


@inline_ir
def begin_shared_pass(plan):
    """Whether taking the rows of the batch needs a stage of its own. Where not, each worker takes those that it needs,
    or all are taken here, where they lie."""
    needs_all, has_work = plan.shared_layers > 0, plan.load_rows != 0 or (plan.drops and plan.input_dropout > 0)
    plan.takes_rows = plan.sparsity != NEVER or (needs_all and has_work)
    if needs_all and not plan.takes_rows:
        take_rows(plan, 0, 0, plan.n, block_of(plan.blocks, 0, plan))


@inline_ir
def stages_of_step(plan):
    """How many stages the pass of a step has."""
    columns = plan.shared_layers
    finishes = columns > 1 and (plan.n > 1 or plan.fused_update or plan.clip_value > 0)
    return plan.takes_rows + max(1, 2 * columns) + finishes + plan.stores_gradients


@inline_ir
def take_share_of_rows(plan, begin, end, block):
    """`take_rows`, those from `begin` to `end`; nothing of the row block is touched where these are none."""
    if begin < end:
        take_rows(plan, 0, begin, end, block)


@unit("StepPlan int int BlockPlan -> none")
def forward_columns(plan, index, worker, block):
    """A worker's columns of a wide layer, forward."""
    if index == 0:
        # All workers write the same.
        choose_columns(plan, plan.n, block)
    layer = layer_of(plan.layers, index, plan)
    n_panels, workers = panel_count(layer.panel_vectors), plan.parts
    (begin, end), takes_tail = panels_of(n_panels, worker, workers), worker == workers - 1
    if begin < end or takes_tail:
        forward_layer(plan, index, 0, plan.n, (0, plan.n, begin, end), takes_tail, block)


@unit("StepPlan int int BlockPlan BlockPlan -> none")
def backward_columns(plan, index, worker, block, own):
    """From the deltas of a wide layer a worker's columns of those of the layer before."""
    layer = layer_of(plan.layers, index, plan)
    n_panels = panel_count(layer.input_row // lanes_of(plan.parameters))
    begin, end = panels_of(n_panels, worker, plan.parts)
    if begin < end:
        backward_layer(plan, index, 0, plan.n, (0, plan.n, begin, end), block, own)


@unit("StepPlan int int BlockPlan -> none")
def forward_by_rows(plan, begin, end, block):
    """The rows from `begin` to `end`, forward through the layers that are not shared by columns."""
    if plan.shared_layers == 0:
        if not plan.takes_rows:
            take_rows(plan, 0, begin, end, block)
        # All workers write the same.
        choose_columns(plan, plan.n, block)
    for index in range(plan.shared_layers, plan.n_layers):
        layer = layer_of(plan.layers, index, plan)
        forward_layer(plan, index, 0, plan.n, (begin, end, 0, panel_count(layer.panel_vectors)), True, block)


@inline_ir
def _losses(plan, worker, block):
    """The loss of the worker's rows; or where one does all shares, of each worker's."""
    n, workers = plan.n, plan.workers
    first, last = (worker, worker + 1) if plan.parts == workers else (0, workers)
    for own in range(first, last):
        begin, end = part_start(n, own, workers), part_start(n, own + 1, workers)
        plan.losses[own] = loss_of_rows(plan, 0, n, begin, end, block) if begin < end else 0.0


@unit("StepPlan int int int BlockPlan BlockPlan -> none")
def pass_rows(plan, worker, begin, end, block, own):
    """The rows from `begin` to `end`, forward behind the layers that are shared by columns, the loss, and back."""
    if begin < end:
        forward_by_rows(plan, begin, end, block)
    _losses(plan, worker, block)
    for index in range(plan.n_layers - 1 if begin < end else 0, max(1, plan.shared_layers) - 1, -1):
        layer = layer_of(plan.layers, index, plan)
        n_panels = panel_count(layer.input_row // lanes_of(plan.parameters))
        backward_layer(plan, index, 0, plan.n, (begin, end, 0, n_panels), block, own)


@unit("StepPlan int BlockPlan BlockPlan -> none")
def add_part_of_gradient(plan, worker, block, own):
    """The gradient of the worker's part of each layer, into the worker's own gradient, whose other parts are zero."""
    gradient = offset(plan.gradients, worker * plan.parameters_size)
    for k in range(plan.parameters_size):
        gradient[k] = 0
    for index in range(plan.n_layers):
        layer = layer_of(plan.layers, index, plan)
        takes_tail = take_part(plan, index, worker, plan.parts, own)
        accumulate_panels(plan, layer, 0, block, offset(gradient, layer.weights), own)
        if takes_tail:
            accumulate_tail_and_bias(plan, layer, 0, block, gradient)


@unit("StepPlan int int -> none")
def share_pass(plan, worker, stage):
    """A share in a stage of the pass of a batch that is one row block: that of a worker, or in turns those of all."""
    block, own = block_of(plan.blocks, 0, plan), block_of(plan.blocks, worker, plan)
    columns, n = plan.shared_layers, plan.n
    begin, end = part_start(n, worker, plan.parts), part_start(n, worker + 1, plan.parts)
    before = flush_subnormals()
    last = stage == plan.stages - 1
    stage -= plan.takes_rows
    if stage < 0:
        take_share_of_rows(plan, begin, end, block)
    elif stage < columns:
        forward_columns(plan, stage, worker, block)
    elif stage == columns:
        pass_rows(plan, worker, begin, end, block, own)
    elif stage < 2 * columns:
        backward_columns(plan, 2 * columns - stage, worker, block, own)
    if plan.stores_gradients and last:
        add_part_of_gradient(plan, worker, block, own)
    elif stage == (2 * columns if columns > 1 else columns) and begin < end:
        finish_deltas(plan, n, begin, end, block)
    restore_subnormals(before)
