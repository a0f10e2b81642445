"""The pass of one row block that all workers share: of few rows, or of more through large layers.

Each wide layer is shared by columns: forward each worker multiplies by panels of its own, backward it computes deltas
of its own. So it needs no more than its part of the weights in its caches, and forward none that another wrote, for it
updates the same panels. Workers meet between layers, for each needs all columns of the layer before. What follows the
last wide layer, narrow layers and the loss, is shared by rows, without meetings. The stages of the pass, in this order:

- `take_rows`, by rows: only where rows are loaded, inputs are dropped, or zeros are looked for;
- forward through each of the `wide_layers`, by columns;
- by rows: forward through the other layers, the loss, and back to the deltas of the last wide layer;
- back through the wide layers but the first, by columns;
- `finish_deltas`, by rows: a stage of its own only after such layers, and where there is something to do;
- where gradients are stored, a part of each layer's gradient.

Each is a unit, compiled when a batch is first shared so.
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
    """Whether taking the rows of the batch needs a stage of its own; where not, they are taken here."""
    plan.takes_rows = plan.load_rows != 0 or (plan.drops and plan.input_dropout > 0) or plan.sparsity != NEVER
    if not plan.takes_rows:
        take_rows(plan, 0, 0, plan.n, block_of(plan.blocks, 0, plan))


@inline_ir
def stages_of_step(plan):
    """How many stages the pass of a step has."""
    wide = plan.wide_layers
    finishes = wide > 1 and (plan.n > 1 or plan.fused_update or plan.clip_value > 0)
    return plan.takes_rows + 2 * wide + finishes + plan.stores_gradients


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
    n_panels, workers = panel_count(layer.panel_vectors), plan.workers
    (begin, end), takes_tail = panels_of(n_panels, worker, workers), worker == workers - 1
    if begin < end or takes_tail:
        forward_layer(plan, index, 0, plan.n, (0, plan.n, begin, end), takes_tail, block)


@unit("StepPlan int int BlockPlan BlockPlan -> none")
def backward_columns(plan, index, worker, block, own):
    """From the deltas of a wide layer a worker's columns of those of the layer before."""
    layer = layer_of(plan.layers, index, plan)
    n_panels = panel_count(layer.input_row // lanes_of(plan.parameters))
    begin, end = panels_of(n_panels, worker, plan.workers)
    if begin < end:
        backward_layer(plan, index, 0, plan.n, (0, plan.n, begin, end), block, own)


@unit("StepPlan int int BlockPlan -> none")
def forward_narrow_layers(plan, begin, end, block):
    """The rows from `begin` to `end`, forward through the layers behind the wide ones."""
    for index in range(plan.wide_layers, plan.n_layers):
        layer = layer_of(plan.layers, index, plan)
        forward_layer(plan, index, 0, plan.n, (begin, end, 0, panel_count(layer.panel_vectors)), True, block)


@unit("StepPlan int int int BlockPlan BlockPlan -> none")
def pass_rows(plan, worker, begin, end, block, own):
    """The rows from `begin` to `end`, forward behind the wide layers, the loss, and back to them."""
    n, total = plan.n, 0.0
    if begin < end:
        forward_narrow_layers(plan, begin, end, block)
        total = loss_of_rows(plan, 0, n, begin, end, block)
        for index in range(plan.n_layers - 1, plan.wide_layers - 1, -1):
            layer = layer_of(plan.layers, index, plan)
            n_panels = panel_count(layer.input_row // lanes_of(plan.parameters))
            backward_layer(plan, index, 0, n, (begin, end, 0, n_panels), block, own)
    plan.losses[worker] = total


@unit("StepPlan int BlockPlan BlockPlan -> none")
def add_part_of_gradient(plan, worker, block, own):
    """The gradient of the worker's part of each layer, into the worker's own gradient, whose other parts are zero."""
    gradient = offset(plan.gradients, worker * plan.parameters_size)
    for k in range(plan.parameters_size):
        gradient[k] = 0
    for index in range(plan.n_layers):
        layer = layer_of(plan.layers, index, plan)
        takes_tail = take_part(plan, index, worker, plan.workers, own)
        accumulate_panels(plan, layer, 0, block, offset(gradient, layer.weights), own)
        if takes_tail:
            accumulate_tail_and_bias(plan, layer, 0, block, gradient)


@unit("StepPlan int int -> none")
def share_pass(plan, worker, stage):
    """A worker's share in a stage of the pass of a batch that is one row block."""
    block, own = block_of(plan.blocks, 0, plan), block_of(plan.blocks, worker, plan)
    wide, n = plan.wide_layers, plan.n
    begin, end = part_start(n, worker, plan.workers), part_start(n, worker + 1, plan.workers)
    before = flush_subnormals()
    last = stage == plan.stages - 1
    stage -= plan.takes_rows
    if stage < 0:
        take_share_of_rows(plan, begin, end, block)
    elif stage < wide:
        forward_columns(plan, stage, worker, block)
    elif stage == wide:
        pass_rows(plan, worker, begin, end, block, own)
    elif stage < 2 * wide:
        backward_columns(plan, 2 * wide - stage, worker, block, own)
    if plan.stores_gradients and last:
        add_part_of_gradient(plan, worker, block, own)
    elif stage == (2 * wide if wide > 1 else wide) and begin < end:
        finish_deltas(plan, n, begin, end, block)
    restore_subnormals(before)
