"""The multi-layer perceptron: packed parameters, the plan of its training step, and the step as one kernel."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

import numba
import numpy as np
from numba.core import types
from numpy.typing import ArrayLike, DTypeLike, NDArray

from fastnn import saving, scalar_checks, threads
from fastnn.activations import Activation, layer_activations, layer_initializers
from fastnn.alloc import aligned_zeros
from fastnn.initializers import Initializer, initial_weights
from fastnn.intrinsics import VECTOR_BYTES
from fastnn.items import Chosen
from fastnn.jit import DISABLED
from fastnn.kernels.metrics import argmax_rows
from fastnn.kernels.softmax import softmax
from fastnn.linalg.layout import ParameterLayout
from fastnn.losses import ChosenLoss, Loss
from fastnn.ops import DECLARED, checks
from fastnn.optimizers import Optimizer
from fastnn.preparation import LABEL, Preparation, Prepared
from fastnn.regularization import Regularization, regularization
from fastnn.step.predict import parallel_predict, predict
from fastnn.step.train_step import DONE, IN_USE, MORE_ROWS, parallel_train_step
from fastnn.training.callbacks import Callback
from fastnn.training.epoch import run_epoch
from fastnn.training.evaluation import evaluate
from fastnn.training.fit import fit
from fastnn.training.history import History
from fastnn.training.inputs import CompressedRows, parts
from fastnn.training.metrics import chosen_metrics, default_metrics
from fastnn.training.planning import plan_of
from fastnn.training.progress import shown
from fastnn.training.sources import order_of, source_of

# What a net predicts whose loss has such an output.
_PREDICTS = {"sign": "signs", "exp": "rates", "identity": "values"}


class MLP:
    """A multi-layer perceptron: affine layers with activations between them, and a loss on the last.

    Parameters
    ----------
    sizes : the widths of the layers, inputs first: (784, 50, 10). Any depth from two numbers on.
    activation : of the hidden layers: "identity", "sigmoid", "hard_sigmoid", "tanh", "relu", "relu6", "leaky_relu",
        "elu", "selu", "celu", "gelu", "gelu_tanh", "silu" (or "swish"), "hard_swish", "softplus", "softsign",
        "exponential", "mish" or a `fastnn.Activation`; the function of that name has the formula. Its numbers go with
        it, ("leaky_relu", 0.2) or ("leaky_relu", {"negative_slope": 0.2}). A list or tuple has one for each hidden
        layer.
    loss : the name of one, such as "softmax_cross_entropy", a `fastnn.Loss`, or either with its options:
        ("huber", {"delta": 2.0}), ("softmax_cross_entropy", {"label_smoothing": 0.1, "class_weight": [1.0, 3.0]}). Each
        is the function of that name, where formulas and options are; targets are rows (n, outputs), or (n,) with one
        output.
        Of logits: "softmax_cross_entropy", from labels (n,) too, and "kl_divergence", from rows of probabilities;
        "sigmoid_cross_entropy", from a 0 or 1 for each output, with one output from labels (n,) of 0 and 1 too; "hinge"
        and "squared_hinge", from -1 and +1; "poisson", from counts. Of values: "mean_squared_error",
        "half_squared_error", "sum_squared_error", "root_mean_squared_error", "mean_absolute_error", "huber" (delta) and
        "log_cosh".
        Options: "reduction", "mean" or "sum", of all but the root; "label_smoothing" and "class_weight" of the first
        and of "sigmoid_cross_entropy"; "ignore_label" of the first. Weights of samples are an argument of `train_step`.
    init : how the initial weights of all layers are drawn; biases start at zero. None is for each layer what its
        activation declares, and for the last one that of the layer before: "he_normal" for those of the family of ReLU,
        "lecun_normal" for SELU, "xavier_normal" for the others.
        A name, of a function of `fastnn.initializers` whose docstring has the formula and its source: "normal" and
        "uniform" (0.05 whatever the sizes), "xavier_normal", "xavier_uniform", "he_normal", "he_uniform",
        "lecun_normal", "lecun_uniform" (scaled to the sizes of the layer), "orthogonal", "zeros".
        A number: normal with that standard deviation, 0.01 in the teaching notes.
        A function: init(rng, shape), with a `numpy.random.Generator` and the shape (inputs, outputs) of a layer, first
        layer first, returns an array of that shape of finite real numbers.
    dtype : "float32" or "float64": of the parameters, of x and of what comes out.
    seed : of the initial weights and of dropout; None draws them differently each time.
    dropout : the fraction of a hidden layer's outputs that a training step drops (Srivastava et al., 2014): one number
        for all hidden layers, or a list of one per layer. Those that are kept become larger by 1 / (1 - dropout), as in
        `torch.nn.functional.dropout`. Which are dropped depends on the seed and the number of the net's step, and on
        neither the CPU nor the number of threads.
    input_dropout : the same for the inputs of the net.
    l1, l2 : the loss of a training step includes the penalty l1 Σ|w| + l2 Σw² of all weights, not of biases, as
        `keras.regularizers.L1L2`; its gradient 2 l2 w is that of a weight decay of 2 l2.
    penalty_per_row : whether that penalty is divided by the number of rows of the batch, or the sum of their weights,
        as that of scikit-learn's `MLPClassifier`; not with the reduction "sum".

    Raises ValueError or TypeError, naming the argument, for any other value. Several threads may ask a net for
    predictions, but only one at a time may train it, and none may ask or set weights meanwhile.

    What a net is made of cannot be changed afterwards: its attributes are read-only.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: str | Activation | Sequence[Any] = "sigmoid",
        loss: str | Loss | tuple[str | Loss, Mapping[str, Any] | float] = "softmax_cross_entropy",
        init: str | float | Initializer | None = None,
        dtype: DTypeLike = "float32",
        seed: int | None = 0,
        *,
        dropout: float | Sequence[float] = 0.0,
        input_dropout: float = 0.0,
        l1: float = 0.0,
        l2: float = 0.0,
        penalty_per_row: bool = False,
    ) -> None:
        if DISABLED:
            raise RuntimeError("NUMBA_DISABLE_JIT is set, and a net is all compiled code; unset it to build an MLP")
        widths = tuple(
            scalar_checks.count(f"sizes[{k}]", size) for k, size in enumerate(checks.sequence("sizes", sizes))
        )
        if len(widths) < 2:
            raise ValueError(f"sizes: got {widths}, expected at least two widths, inputs and outputs")
        hidden = len(widths) - 2
        activations, own_loss = layer_activations("activation", activation, hidden), ChosenLoss.find("loss", loss)
        if own_loss.item.output == "softmax" and widths[-1] == 1:
            raise ValueError(
                f"sizes: got {widths}, expected at least 2 outputs with {own_loss.item.name}: the softmax of one "
                "output is always 1, and the net could not learn"
            )
        own_loss.check_outputs(widths[-1])
        own_dtype = checks.float_dtype("dtype", dtype)
        weights = initial_weights(widths, layer_initializers(init, activations, hidden), seed, own_dtype.name)
        against_overfitting = regularization(
            hidden,
            seed,
            dropout=dropout,
            input_dropout=input_dropout,
            l1=l1,
            l2=l2,
            penalty_per_row=penalty_per_row,
        )
        self._begin(widths, activations, own_loss, own_dtype, weights, against_overfitting, 0, 0)

    def _begin(
        self,
        sizes: tuple[int, ...],
        activations: tuple[Chosen[Activation], ...],
        loss: ChosenLoss,
        dtype: np.dtype,
        weights: Sequence[NDArray],
        against_overfitting: Regularization,
        steps: int,
        epochs: int,
    ) -> None:
        self._sizes, self._activations, self._loss, self._dtype = sizes, activations, loss, dtype
        self._regularization, self._steps = against_overfitting, np.array([steps])
        self._epochs = epochs
        self._layout = ParameterLayout(sizes, VECTOR_BYTES // dtype.itemsize)
        self._parameters = aligned_zeros((self._layout.size,), dtype)
        self._layout.pack(weights, self._parameters)
        self._preparation = Preparation(
            self._layout, self._parameters, dtype, activations, loss, against_overfitting, self._steps
        )
        self._takes_labels = loss.item.takes_labels(sizes[-1])
        self._prepared = self._preparation.first()
        self._optimizer: Optimizer | None = None
        # The last step on many rows: for what it was prepared, its rows, what they were shared by, between how many.
        self._many_rows: tuple[Any, int, Any, int] = None, 0, None, 1

    @property
    def sizes(self) -> tuple[int, ...]:
        """The widths of the layers, inputs first."""
        return self._sizes

    @property
    def activation(self) -> str | tuple[Any, ...]:
        """The name of the hidden layers' activation; with its number or a dict of its numbers if they are not the
        defaults; a tuple with one of these for each hidden layer if they differ. It builds the same net."""
        first, *others = self._activations
        if all(other == first for other in others):
            return first.argument
        return tuple(chosen.argument for chosen in self._activations)

    @property
    def loss(self) -> str | tuple[str, dict[str, Any]]:
        """The name of the loss; with its options, as the class takes them, where they are not the defaults."""
        return self._loss.argument

    @property
    def dropout(self) -> tuple[float, ...]:
        """The fraction of each hidden layer's outputs that a training step drops."""
        return self._regularization.dropout

    @property
    def input_dropout(self) -> float:
        """The fraction of the inputs that a training step drops."""
        return self._regularization.input_dropout

    @property
    def l1(self) -> float:
        """The factor of Σ|w| in the loss."""
        return self._regularization.l1

    @property
    def l2(self) -> float:
        """The factor of Σw² in the loss."""
        return self._regularization.l2

    @property
    def penalty_per_row(self) -> bool:
        """Whether the penalty of the weights is divided by the rows of the batch."""
        return self._regularization.penalty_per_row

    @property
    def dtype(self) -> np.dtype:
        """Of the parameters, of x and of what comes out."""
        return self._dtype

    @property
    def layout(self) -> ParameterLayout:
        """How the parameters, and an optimizer's moments, lie in a flat array."""
        return self._layout

    def train_step(
        self, x: ArrayLike, t: ArrayLike, optimizer: Optimizer, sample_weight: ArrayLike | None = None
    ) -> float:
        """One step of training in place: forward, loss, backward, update.

        x : (n, inputs), n at least 1, in the net's dtype. t : see `loss` of the class. sample_weight : (n,), finite, of
        at least 0: the loss and its gradient are the weighted mean, to which a row of weight 2 counts as two rows, and
        one of weight 0 nothing; with the reduction "sum" the weighted sum. Whether the numbers in rows t are such as
        the loss is for is not looked at here, but by `fit`, `train_epoch` and `evaluate`. (A NaN or an infinity in a
        row of x makes weights NaN whatever the row weighs, for 0 times these is NaN.) Returns the loss before the
        update, with the penalty of the weights. If all that counts weighs 0 it is NaN, and no weight moves. Nothing is
        changed where an argument is refused with ValueError or TypeError, nor where another thread is training this
        net: RuntimeError.
        An interrupted step happens wholly or not at all.
        """
        prepared = self._prepared
        if optimizer is prepared.optimizer and sample_weight is None:
            # Looking at small batches in Python would take a quarter of the step: the kernel does it.
            loss, status = prepared.step(id(x), id(t), 0, prepared.address, 1)
        elif optimizer is prepared.scheduled and sample_weight is None:
            prepared.state.ask(optimizer)
            loss, status = prepared.step(id(x), id(t), 0, prepared.address, 1)
        else:
            return self._train_on_any(x, t, optimizer, sample_weight)
        if status == DONE:
            return loss
        if status == MORE_ROWS and isinstance(x, np.ndarray) and isinstance(t, np.ndarray):
            before, n, sharing, workers = self._many_rows
            if before is prepared and n == len(x) and sharing is threads.sharing():
                return self._train_on_many(x, t, n, prepared.plan, prepared.address, workers)
        return self._train_on_any(x, t, optimizer, None)

    def train_epoch(
        self,
        x: Any,
        t: Any | None,
        optimizer: Optimizer,
        batch_size: int = 32,
        *,
        sample_weight: Any = None,
        shuffle: bool = True,
        seed: int | None = None,
    ) -> float:
        """Train on each row of x once, in steps of `batch_size` rows, the last one smaller, in compiled code.

        x, t, sample_weight : as for `train_step`, of any numeric dtype, converted once; x also a DataFrame, a sparse
        matrix of SciPy, which is never made dense, or a memory map, which is read as it is needed. Or x is an iterable
        of batches (x, t) or (x, t, sample_weight), or a function that returns one, and t is None: then each is one
        step, in the order in which they come. Integers t (n,) are labels where the loss takes labels. Rows t that the
        loss is not for, such as negative ones with "poisson", are refused, but for rows of weight 0.
        shuffle : whether the rows are taken in an order drawn from `seed` and the number of the net's epochs before, or
        else as they lie; the seed None is the net's. Rows are gathered as they are needed: nothing is copied. Zeros
        that a sparse matrix does not store are skipped, so that with an infinite weight they may give no NaN.

        Returns the mean loss over the rows, each before the update of its batch. It may be NaN: nothing stops then.
        Ctrl-C is seen within a tenth of a second, between two steps. Raises as `train_step` does, before the first
        step.
        """
        source = source_of(self, x, t, sample_weight)
        size = scalar_checks.count("batch_size", batch_size)
        n = source.n if scalar_checks.flag("shuffle", shuffle) else None
        own_seed = None if seed is None else scalar_checks.count("seed", seed, 0)
        order = None if n is None else order_of(self, n, own_seed)
        return run_epoch(self, source, optimizer, size, order, stops_at_nan=False).loss

    def fit(
        self,
        x: Any,
        t: Any = None,
        *,
        optimizer: Optimizer | None = None,
        epochs: int = 10,
        batch_size: int | None = 32,
        sample_weight: Any = None,
        validation_data: Any = None,
        validation_split: float = 0.0,
        stratify: bool = False,
        shuffle: bool = True,
        seed: int | None = None,
        metrics: Sequence[Any] = (),
        train_metrics: bool = False,
        callbacks: Sequence[Callback] = (),
        progress: bool | None = None,
        on_nan: Literal["raise", "stop", "ignore"] = "raise",
        steps_per_epoch: int | None = None,
    ) -> History:
        """Train for `epochs` epochs more, and return their losses, metrics and times.

        x, t, sample_weight : rows, their targets and weights, as for `train_epoch`: arrays of any numeric dtype, a
            DataFrame, a sparse matrix, a memory map. Or t is None, and x gives batches (x, t) or (x, t, sample_weight)
            of which each is one step: a function that returns an iterable of them, or an iterable, anew for each epoch;
            a generator gives each batch once, and the next epoch goes on where it was left. Of rows that are not
            batches some must count: weights that are all 0 are refused.
        optimizer : None goes on with the one that trained the net last, or is `fastnn.Adam()` for a new net. Copies and
            pickles of a net are without it: then a UserWarning says so. Copy or pickle both to go on with it.
        batch_size : rows in a step, of which the last of an epoch may have fewer; None is all rows.
        steps_per_epoch : how many of the batches that x gives make an epoch; None for all that there are.
        validation_data : (x, t) or (x, t, sample_weight), on which the loss and the metrics are measured after each
            epoch; or batches, as x may be, but no generator.
        validation_split : the fraction of the rows, above 0 and below 1, that is held out for that instead. Which rows
            is drawn from the seed, whatever their order (Keras takes the last ones); so it is the same rows when the
            training goes on. stratify : whether each class has its share of them, to within one row.
        shuffle : whether rows are taken in another order in each epoch, drawn from `seed` and the number of the epoch.
            seed : None is the net's own.
        metrics : what to measure on the validation data beside the loss, or on the training data if there is none or
            with `train_metrics`; always after the epoch, without dropout. Names: "accuracy" and "error", the fraction
            of right and of wrong predictions; "top_k_accuracy" for the five largest outputs, ("top_k_accuracy", 3) for
            others; of values "mean_absolute_error", "mean_squared_error", "root_mean_squared_error" and "r2". A
            function (t, prediction) -> number, under its name, or ("name", function); both arguments are as `predict`
            returns them, labels or values, (n,) with one output. Scorers of scikit-learn: "sklearn:f1_macro", the
            object, or a function whose first parameter is `estimator`; the estimator predicts, and stands for the net,
            and what it is given for x are the net's outputs. Metrics by name and scorers weigh rows by their weights;
            rows with a label that the loss ignores count nothing.
        callbacks : of `fastnn.callbacks`, or your own; called in this order between epochs, with a
            `fastnn.callbacks.Training`.
        progress : None shows a bar on a terminal if rich is installed, and else a line after each epoch, on stderr;
            True does as None; False shows nothing.
        on_nan : what to do as soon as the loss of a step is NaN or infinite: "raise" `fastnn.NonFiniteLossError`,
            "stop" and return, or "ignore" it.

        The loss of an epoch is the mean over its rows, each before the update of its batch. "val_loss" is the loss of
        `evaluate`. Ctrl-C ends the training; the net keeps what it has learned, and the history is returned, with
        `history.interrupted`; a second one, while callbacks come to their end, is raised. After any error the net keeps
        what it has learned too.

        Training twice for some epochs equals training once for all of them, bit for bit, at the same number of threads:
        the order of rows depends on the number of the epoch alone, and dropout on that of the step.

        Raises ValueError or TypeError naming the argument, before any step is made; RuntimeError where another
        thread is training this net; and whatever a callback, metric or generator raises.
        """
        plan = plan_of(
            self,
            x,
            t,
            optimizer=optimizer,
            epochs=epochs,
            batch_size=batch_size,
            sample_weight=sample_weight,
            validation_data=validation_data,
            validation_split=validation_split,
            stratify=stratify,
            shuffle=shuffle,
            seed=seed,
            metrics=metrics,
            train_metrics=train_metrics,
            callbacks=callbacks,
            on_nan=on_nan,
            steps_per_epoch=steps_per_epoch,
        )
        return fit(self, plan, shown(progress))

    def evaluate(
        self, x: Any, t: Any = None, metrics: Sequence[Any] | None = None, sample_weight: Any = None
    ) -> dict[str, float]:
        """The loss and metrics of its predictions for rows x with targets t, by their names, "loss" first.

        x, t, sample_weight : as for `fit`, batches too. metrics : as for `fit`; None is "accuracy" for a net that
        predicts classes, and "r2" for one that predicts values. The loss is what `train_step` returns for all rows as
        one batch, without dropout: with label smoothing, the weights of classes and samples, and the penalty of the
        net's weights, to the rounding of the net's dtype. Rows are taken in chunks, so that memory does not grow with
        them; functions and scorers among the metrics are given the predictions for all rows at once.

        Raises ValueError or TypeError naming the argument.
        """
        chosen = chosen_metrics(self, default_metrics(self) if metrics is None else metrics)
        return evaluate(self, source_of(self, x, t, sample_weight), chosen)

    @property
    def epochs(self) -> int:
        """How many epochs it was trained by `train_epoch` and `fit`."""
        return self._epochs

    @property
    def optimizer(self) -> Optimizer | None:
        """The optimizer that trained it last, or None before."""
        return self._optimizer

    def count_epoch(self) -> None:
        """One more epoch is done. For `fastnn.training`."""
        self._epochs += 1

    def _train_on_any(self, x: ArrayLike, t: ArrayLike, optimizer: Optimizer, sample_weight: ArrayLike | None) -> float:
        """`train_step` with all checks: for arguments unlike the last ones, and for more rows than `max_rows`."""
        rows = self._rows(x)
        n = len(rows)
        if n == 0:
            raise ValueError("x: got 0 rows, expected at least 1")
        targets = self._targets(t, n)
        sharing, workers = threads.sharing(), self._preparation.sharing.workers(n)
        weights = None if sample_weight is None else checks.weights("sample_weight", sample_weight, n, "row of x")
        prepared = self._prepare(optimizer, workers, n, targets.ndim == 1)
        if optimizer is prepared.scheduled:
            prepared.state.ask(optimizer)
        plan, address = prepared.plan, prepared.address
        if weights is not None:
            # A plan of its own: another thread may be within a step with the other.
            plan, options = plan.copy(), self._loss.record(self._sizes[-1], weights)
            plan["loss_options"], address = options.ctypes.data, plan.ctypes.data
            for slot, kernel in self._loss.addresses(self._real, targets.ndim == 1, True).items():
                plan[slot] = kernel
        elif n > int(plan["max_rows"][0]):
            # The next step on as many rows may be like this one.
            self._many_rows = prepared, n, sharing, workers
        return self._train_on_many(rows, targets, n, plan, address, workers)

    def _train_on_many(
        self, rows: NDArray, targets: NDArray, n: int, plan: NDArray, address: int, workers: int
    ) -> float:
        """A step on arrays that fit the plan at that address, between so many workers, on threads or in turns."""
        arguments, step = (id(rows), id(targets), n, address, workers), self._prepared.step
        if workers == 1 or threads.at_hand() == 1:
            loss, status = step(*arguments)
        else:
            pace, begun = self._preparation.pace, time.perf_counter()
            threaded = pace.threaded
            if threaded:
                loss, status = parallel_train_step(*arguments, threads.PARALLEL_REGION)
            else:
                loss, status = step(*arguments)
            if status == DONE:
                pace.took(threaded, time.perf_counter() - begun, n)
        if status == IN_USE:
            raise RuntimeError(
                "another thread is training this net; let one thread at a time train it, or give each a net of its own"
            )
        if status != DONE:
            checks.refuse_label("t", targets, status, int(plan["labels"][0]))
        return loss

    def forward(self, x: Any) -> NDArray:
        """The last layer's affine output (n, outputs), the logits, in the net's dtype.

        x : (n, inputs). Beside an array in the net's dtype it may be anything that NumPy makes numbers of, such as a
        DataFrame, which is converted some megabytes at a time; or a sparse matrix of SciPy, which is never made dense
        (see `train_epoch`).
        """
        if type(x) is np.ndarray and x.dtype is self._dtype and x.flags.c_contiguous:
            return self._forward(self._rows(x))
        found = [self._forward(rows) for rows in parts(self, x)]
        return found[0] if len(found) == 1 else np.concatenate(found)

    def _forward(self, rows: NDArray | CompressedRows) -> NDArray:
        n = len(rows)
        z, workers = np.empty((n, self._sizes[-1]), self._dtype), self._preparation.sharing.workers_of_predictions(n)
        if n == 0:
            return z
        if isinstance(rows, CompressedRows):
            own = self._preparation.compressed_predictor(self._prepared.plan, rows, workers)
        else:
            own = self._preparation.predictor(self._prepared.plan, n, workers)
        x = id(rows) if isinstance(rows, np.ndarray) else 0
        if workers == 1:
            predict(own.begin, own.phase, own.address, x, n, id(z))
        else:
            pace, begun = self._preparation.pace_of_predictions, time.perf_counter()
            threaded = pace.threaded and threads.at_hand() > 1
            if threaded:
                parallel_predict(own.begin, own.phase, own.address, x, n, id(z), workers, threads.PARALLEL_REGION)
            else:
                predict(own.begin, own.phase, own.address, x, n, id(z))
            pace.took(threaded, time.perf_counter() - begun, n)
        self._preparation.is_over(own)
        return z

    def predict_proba(self, x: ArrayLike) -> NDArray:
        """Probabilities (n, outputs): softmax(forward(x)), of the classes, or with "sigmoid_cross_entropy"
        sigmoid(forward(x)), of each output. A row with a NaN has probabilities of NaN.

        Raises ValueError with any other loss.
        """
        output = self._loss.item.output
        if output not in ("softmax", "sigmoid"):
            raise ValueError(
                f"predict_proba: a net with the loss {self._loss.item.name} predicts {_PREDICTS[output]} and no "
                "probabilities; use predict"
            )
        return self._probabilities(self.forward(x))

    def _probabilities(self, z: NDArray) -> NDArray:
        """The probabilities of outputs z, which may be overwritten."""
        if self._loss.item.output == "softmax":
            softmax(z, z)
            return z
        return DECLARED["sigmoid"](z)

    def predict(self, x: ArrayLike) -> NDArray:
        """What the loss makes of z = forward(x) (n, outputs).

        The label (n,) of each row's largest logit after a softmax. 1 where z is above 0, else 0 with
        "sigmoid_cross_entropy", or else -1 with "hinge" and "squared_hinge"; (n, outputs), or (n,) with one output.
        exp(z) with "poisson"; z itself with other losses. Labels are int64, values have the net's dtype.

        No row is refused for what is in it. Where z is NaN, as of a row with a NaN, or of weights that are NaN, the
        answer means nothing: the first label whose logit is NaN, mostly 0; 0 or -1, for NaN is not above 0; or NaN as a
        rate or a value. Where x may lack values, look at `numpy.isfinite(x)` before.
        """
        return self._predicted(self.forward(x))

    def _predicted(self, z: NDArray) -> NDArray:
        """What `predict` makes of outputs z."""
        output = self._loss.item.output
        if output == "identity":
            return z
        if output == "exp":
            return DECLARED["exp"](z)
        if output == "softmax":
            labels = np.empty(len(z), np.int64)
            argmax_rows(z, labels)
            return labels
        answers = np.where(z > 0, 1, {"sigmoid": 0, "sign": -1}[output])
        return answers[:, 0] if answers.shape[1] == 1 else answers

    def get_weights(self) -> list[NDArray]:
        """Copies of [w1, b1, w2, b2, ...]: w (inputs, outputs), b (outputs,)."""
        return self._layout.unpack(self._parameters)

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Copy [w1, b1, w2, b2, ...] in, converted to the net's dtype.

        Raises ValueError, with nothing changed, for a wrong number of arrays, a wrong shape, or a finite weight beyond
        the range of the dtype; TypeError for what is no number.
        """
        shapes = self._layout.shapes
        if len(checks.sequence("weights", weights)) != len(shapes):
            raise ValueError(f"weights: got {len(weights)} arrays, expected {len(shapes)}: w and b of each layer")
        arrays = [checks.converted(f"weights[{k}]", w, self.dtype) for k, w in enumerate(weights)]
        for k, (array, shape) in enumerate(zip(arrays, shapes, strict=True)):
            if array.shape != shape:
                raise ValueError(f"weights[{k}]: got shape {array.shape}, expected {shape}")
        self._layout.pack(arrays, self._parameters)

    def save(
        self, path: str | os.PathLike[str], *, optimizer: bool = True, metadata: Mapping[str, Any] | None = None
    ) -> None:
        """Save the net in one file, which `fastnn.load` reads, for training to go on as if it had not stopped: to the
        last bit, or on another kind of CPU to rounding.

        path : as it is; no suffix is added. A file that is there is replaced as a whole: whatever happens meanwhile, it
        is the old one or the new one. optimizer : whether `net.optimizer`, its schedule, and the steps and moments
        that it keeps for this net are saved too. metadata : a dict of what JSON can hold, such as the names of the
        classes, which `fastnn.saving.read_metadata(path)` gives back; the net knows nothing of it.

        The file is an npz archive without pickles, which `numpy.load` reads: w1, b1, ..., optimizer.m.w1, ... and
        `fastnn.json`, with a digest of all. Own activations, losses and optimizers are saved by their names. Raises
        TypeError for a schedule that is a function of your own, or metadata, that no file can hold, and for an
        activation or a loss that is not declared; OSError where the file cannot be written. Then nothing is changed.
        """
        saving.save(path, self, self._optimizer if scalar_checks.flag("optimizer", optimizer) else None, metadata)

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_"):
            raise AttributeError(f"{name}: the attributes of an MLP cannot be set; build another net")
        super().__setattr__(name, value)

    def __getstate__(self) -> dict[str, Any]:
        """For copies and pickles: weights without padding, which do not depend on the CPU."""
        made_of = {
            name: getattr(self, name) for name in ("_sizes", "_activations", "_loss", "_dtype", "_regularization")
        }
        return {**made_of, "weights": self.get_weights(), "steps": int(self._steps[0]), "epochs": self._epochs}

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Copies and pickles make a dtype of their own, and arrays are told by the identity of theirs.
        dtype = checks.float_dtype("dtype", state["_dtype"])
        sizes, activations, loss = state["_sizes"], state["_activations"], state["_loss"]
        counts = state["steps"], state["epochs"]
        self._begin(sizes, activations, loss, dtype, state["weights"], state["_regularization"], *counts)

    def _twin(self, dtype: DTypeLike, weights: Sequence[NDArray]) -> Self:
        """Another net made of the same parts, in that precision and with these weights."""
        twin = type(self).__new__(type(self))
        twin.__setstate__({**self.__getstate__(), "_dtype": dtype, "weights": weights})
        return twin

    def __repr__(self) -> str:
        own = self._regularization
        more = {"dropout": own.dropout if any(own.dropout) else 0, "input_dropout": own.input_dropout}
        more |= {"l1": own.l1, "l2": own.l2, "penalty_per_row": own.penalty_per_row}
        given = "".join(f", {name}={value}" for name, value in more.items() if value)
        return (
            f"MLP({self.sizes}, activation={self.activation!r}, loss={self.loss!r}, dtype={self.dtype.name!r}{given})"
        )

    @property
    def _real(self) -> types.Float:
        return numba.from_dtype(self._dtype)

    def _rows(self, x: ArrayLike) -> NDArray:
        if type(x) is np.ndarray and x.dtype is self._dtype and x.ndim == 2 and x.shape[1] == self._sizes[0]:
            return checks.contiguous(x)
        rows = checks.float_array("x", x, self._dtype, ", the net's dtype")
        if rows.ndim != 2 or rows.shape[1] != self._sizes[0]:
            raise ValueError(f"x: got shape {rows.shape}, expected (n, {self._sizes[0]})")
        return checks.contiguous(rows)

    def _targets(self, t: Any, n: int) -> NDArray:
        outputs, labels_too = self._sizes[-1], self._takes_labels
        if type(t) is np.ndarray and t.dtype is LABEL and t.shape == (n,) and labels_too:
            return checks.contiguous(t)
        # One output has targets (n,) as well as rows, and labels are told from them by their dtype.
        either = labels_too and (outputs > 1 or checks.holds_integers(t))
        check = checks.label_array_or_rows if either else checks.float_array
        targets = check("t", t, self._dtype, ", the net's dtype")
        if targets.dtype == LABEL:
            if len(targets) != n:
                raise ValueError(f"t: got {len(targets)} labels, expected {n}, one for each row of x")
            return targets
        if outputs == 1 and targets.shape == (n,):
            targets = targets.reshape(n, 1)
        if targets.shape != (n, outputs):
            raise ValueError(f"t: got shape {targets.shape}, expected ({n}, {outputs}), a row for each row of x")
        return checks.contiguous(targets)

    def rows_for_threads(self, count: int) -> int:
        """The smallest batch that is shared between so many threads."""
        return self._preparation.sharing.rows_for_threads(count)

    def _prepare(self, optimizer: Optimizer, workers: int, n: int, labels: bool, loads: bool = False) -> Prepared:
        """The net prepared for a step with this optimizer, so many workers and rows, and such targets; `loads` :
        whether rows are loaded into row blocks."""
        prepared = self._preparation.following(self._prepared, self, optimizer, workers, n, labels, loads)
        if prepared is self._prepared:
            return prepared
        # In one assignment: an interrupt finds the net prepared for the one step or the other.
        self._prepared, self._optimizer = prepared, optimizer
        if optimizer.values != prepared.values:
            # What another thread set meanwhile it had the last plan forgotten for, and not this one.
            self.forget_optimizer()
            return self._prepare(optimizer, workers, n, labels, loads)
        return prepared

    def forget_optimizer(self) -> None:
        """Have the next step look at its optimizer anew. For optimizers, when `lr` becomes a schedule or a number, or
        a bound of the gradient is set."""
        self._prepared = self._prepared.without_optimizer()


def load(path: str | os.PathLike[str]) -> MLP:
    """The net that `MLP.save` saved, with its counts of steps and epochs; its `optimizer` is the one that was saved
    with it, or None.

    Activations, losses and optimizers of your own must be declared before, under the same names. Nothing in the file is
    run. Raises `fastnn.FileError`, a ValueError, for a file that is damaged, of a newer format, or not one of fastnn's;
    OSError where it cannot be read.
    """
    saved = saving.load(path)
    net = MLP.__new__(MLP)
    net.__setstate__(saved.state)
    if saved.optimizer is not None:
        net._optimizer = saved.optimizer(net)
    return net
