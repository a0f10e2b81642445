"""The plan of a training step: everything that it needs to know, in records that Python fills once.

`STEP` is one record per net, `LAYER` one per layer, `BLOCK` one per row block in progress, `OPTIMIZER` one per pair of
net and optimizer, `LOSS` one per net, and one per step with sample weights, `SOURCE` one per data set. Python keeps the
arrays alive whose addresses they hold. The step itself writes the numbers of one step (`x`, `t`, `n`, ...), so that its
functions take little more than the plan.

A *slot* is a field that holds the address of a compiled kernel: activations, losses and updates are called that way,
and compiled on first need. The phases of the step are slots too. What the kernel in a slot takes is said by the comment
at `call_activation` and `call_load_rows` (forward.py), `call_loss` (backward.py), `call_update` and
`_call_rank_one_update` (one_row.py), `_call_sum_weights` (train_step.py).

As in all products, fields and parameters whose names end in `row` are lengths: the elements from one row of a matrix to
the next.

A batch is processed in *row blocks* of at most BLOCK_ROWS rows. Each one in progress has a BLOCK: memory for the
activations and deltas of all layers, in padded rows, one layer after the other; for the inputs of activations if a
slope needs them, and their outputs if some are dropped; for a panel of transposed weights; and scratch memory. In a
shared pass the first BLOCK holds the rows; of its own each worker uses the last two, and its part. Deltas are the
gradients of the loss with respect to a layer's affine output.
"""

from __future__ import annotations

from fastnn.intrinsics import RecordLayout

# The most rows of a row block: enough that a panel of weights is used often while it is in the cache, and that sums of
# as many products hide where each begins and ends. A net whose rows are wide has fewer (fastnn/blocking.py).
BLOCK_ROWS = 128

# Elements of a block of weights whose gradient is used while it is in the first-level cache.
UPDATE_BLOCK = 8192

LAYER = RecordLayout(
    "LayerPlan",
    inputs="int",
    outputs="int",
    input_row="int",  # elements from one row of the layer's input to the next
    row="int",  # of its output, padded
    panel_vectors="int",
    tail="int",  # tail columns (linalg/layout.py)
    # Where they begin, in elements from the first parameter.
    weights="int",
    tail_weights="int",
    bias="int",
    size="int",
    transposed="int",  # where the transposed weights begin
    # Whether they are transposed a panel at a time where threads have one row block each, or share one.
    transposes_each_panel="int",
    update_rows="int",  # rows of its panels in an update block
    strip="int",  # columns of its input that its gradient copies together; 0 for none
    # The padded outputs of all layers before, together; 0 in the first layer alone. The layer's activations and deltas
    # for m rows begin m * column elements after those of the first layer.
    column="int",
    activate="int",  # slots: of the activation and its backward pass; 0 in the last layer
    activate_backward="int",
    numbers="float64*",  # of the activation, as the loops in these slots take them
    keeps_input="int",  # whether the slope needs the activation's input
    dropout="float",  # the fraction of its outputs that a step drops
)

BLOCK = RecordLayout(
    "BlockPlan",
    x="real*",  # the rows of the net's input, in `inputs` if they are loaded there or some of it is dropped
    activations="real*",  # after dropout
    deltas="real*",
    packed_deltas="real*",  # the same by `pack_rows`, laid out alike: what gradients are products with
    activation_inputs="real*",  # laid out like the activations; only where slopes need them
    outputs="real*",  # of activations, before dropout; laid out like the activations; only where there is dropout
    inputs="real*",  # room for rows of the net's input; only where they are loaded there, or some of it is dropped
    # Of compressed rows: where each row of the row block begins and ends among the values of the source; and for each
    # row of the batch, where the columns that the worker is at begin and end.
    begins="int64*",
    ends="int64*",
    firsts="int64*",
    lasts="int64*",
    panel="real*",  # room for one of transposed weights, where a worker transposes each
    # The part of a layer's panels that the worker updates: from which row to which, and from which panel to which.
    top="int",
    bottom="int",
    begin_panel="int",
    end_panel="int",
    scratch="real*",  # an update block, and behind it strips of all row blocks (`strip_of`)
    active="int32*",  # active columns (linalg/sparse_inputs.py)
)

OPTIMIZER = RecordLayout(
    "OptimizerPlan",
    steps="int",  # made so far
    moments="real*",  # the first moment
    moment_stride="int",  # elements from one moment to the next
    # Arrays that are prefetched before an update: the weights and the moments, or none where they stay in a near cache.
    n_fetched="int",
    hyper="float64*",  # hyper-parameters, as the optimizer's `constants` slot takes them
    constants="float64*",  # what that slot works out of them for the step
    compute_constants="int",  # slots
    update="int",
    rank_one_update="int",
    is_linear="int",  # whether the update is w ← w - rate g and no more
)

LOSS = RecordLayout(
    "LossPlan",
    numbers="float64*",  # in the order of the loss's own
    # What follows is for the kernels with weights alone.
    class_weights="float64*",  # one per output
    sample_weights="float64*",  # from the batch's first row on
    sample_stride="int",  # from the weight of one row to that of the next; 0 where one weight serves all rows
    ignores="int",  # whether rows with a certain label count nothing, and that label
    ignored="int",
)

SOURCE = RecordLayout(
    "SourcePlan",
    # Rows one after another, in the order in which they are taken where there is one; or compressed sparse rows.
    x="int",  # the address of the first row
    row_bytes="int",
    n="int",
    order="int64*",  # the indices of the rows, as they are taken
    is_ordered="int",
    values="real*",  # of the elements that are stored, row by row
    columns="int32*",  # of these elements, ascending in each row
    starts="int64*",  # where each row begins among them, and where the last one ends
    t="int",  # the address of the first row's target
    targets="int32*",  # room for the targets of a batch
    targets_address="int",  # of the same
    sample_weights="float64*",
    has_weights="int",
    weights="float64*",  # room for the weights of a batch
    rates="float64*",  # the learning rate of each step to come
    rate="float64*",  # where the optimizer's hyper-parameters have it
    has_rates="int",
)

STEP = RecordLayout(
    "StepPlan",
    layers="int",  # the address of the first LAYER
    n_layers="int",
    parameters="real*",
    parameters_size="int",
    transposed="real*",  # transposed weights of all layers but the first
    blocks="int",  # the address of the first BLOCK
    zeros="real*",  # what products without a bias start from: as many as the widest row of inputs or outputs
    gradients="real*",  # one per worker, laid out like the parameters; allocated where a step may store them
    losses="float64*",  # one per worker
    penalties="float64*",  # of the weights, one per worker
    norms="float64*",  # the squared norm of the gradient, one part per worker
    loss_terms_per_row="int",  # how many terms of the mean one row has
    loss_is_mean="int",  # or else a sum
    loss_has_root="int",  # whether the loss is the square root of that mean
    loss_options="int",  # the address of the LOSS
    labels="int",  # labels are from 0 to labels - 1
    optimizer="int",  # the address of the OPTIMIZER
    in_use="int64*",  # the lock of the net, which all its plans share: at most one step at a time
    net_steps="int64*",  # how many steps the net has made, with any optimizer
    drops="int",  # whether elements are dropped: not in predictions
    dropout_key="int",
    input_dropout="float",  # the fraction of the net's input that is dropped
    l1="float",  # the penalty of the weights is l1 Σ|w| + l2 Σw²
    l2="float",
    penalty_per_row="int",  # whether it is divided by what the rows of the batch weigh, where the loss is a mean
    penalty_share="float",  # what it is multiplied by in this step
    clip_value="float",  # bounds of each element of the gradient, and of its norm; 0 for none
    clip_norm="float",
    # Slots.
    loss="int",  # for targets as the last ones, labels or rows
    sum_weights="int",  # of the rows of a batch; 0 where all weigh 1
    load_rows="int",  # into a row block; 0 where the rows of a batch lie one after another
    compressed="int",  # whether the first layer takes rows as they are compressed, and not as a matrix
    begin="int",
    accumulate_gradients="int",
    share_pass="int",
    transform_gradients="int",  # 0 where nothing but their sum is needed
    apply_update="int",
    # What arrays are like the last ones (`step/arguments.py`), by the `id` of their type and data types. And the most
    # rows that a step takes without asking Python: those of a row block, unless two workers would share them.
    array_type="int",
    x_dtype="int",
    t_dtype="int",
    t_dimensions="int",
    t_row_bytes="int",
    max_rows="int",
    most_rows="int",  # of a row block
    wide_layers="int",  # how many layers, the first ones, workers share by columns in a shared pass where that pays
    fewest_panels="int",  # of the large ones among them
    strip_columns="int",  # that strips of all row blocks may have together, in the scratch memory of each
    depth="int",  # of the products with panels (`multiply_panels`)
    shares="int64*",  # whether steps are shared between workers
    # Of the step under way.
    x_address="int",
    x="real*",
    t="int",  # an address
    n="int",
    source="int",  # the address of the SOURCE; only where rows are loaded
    position="int",  # of the batch's first row, in the order in which the rows of the source are taken
    z="int",  # an address: where predictions are written
    workers="int",
    parts="int",  # of the update and of a shared pass: as many as workers, or one in turns (`begin`)
    block_rows="int",
    n_blocks="int",
    shares_pass="int",  # whether all workers share the pass of one row block
    shared_layers="int",  # how many layers, the first ones, they share by columns there
    stages="int",  # of the passes, between which workers meet
    takes_rows="int",  # whether the first stage of a shared pass is `take_rows`
    stores_gradients="int",  # whether the whole gradient is formed before any of it is used
    updates_on_the_way="int",  # whether the pass backward updates the panels that it has read, but the first layer's
    fused_update="int",  # whether deltas are scaled by -rate and their products added to the weights
    sparsity="int",  # NEVER, GRADIENT or ALWAYS
    divisor="float",  # of the sum of the losses
    scale="float",  # of the loss's gradient
)


# In kernels: layer_of(plan.layers, index, plan) and block_of(plan.blocks, index, plan) are the records of that index,
# optimizer_of(plan.optimizer, 0, plan) that of the optimizer, loss_of(plan.loss_options, 0, plan) that of the loss,
# source_of(plan.source, 0, plan) that of the rows.
layer_of, block_of, optimizer_of, loss_of, source_of = LAYER.at, BLOCK.at, OPTIMIZER.at, LOSS.at, SOURCE.at
