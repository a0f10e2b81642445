"""Training by steps: scikit-learn's epochs, its validation and its rules of stopping, over fastnn's compiled epochs."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from fastnn.mlp import MLP
from fastnn.sklearn.network import net_weights
from fastnn.sklearn.objective import Objective
from fastnn.sklearn.solver import Solver
from fastnn.training.epoch import run_epoch
from fastnn.training.sources import source_of


def begin_stochastic(model: Any) -> None:
    """The attributes of an estimator that was not trained yet."""
    model.loss_curve_ = []
    model._no_improvement_count = 0
    model.validation_scores_ = [] if model.early_stopping else None
    model.best_validation_score_ = -np.inf if model.early_stopping else None
    model.best_loss_ = None if model.early_stopping else np.inf
    # What stays where no score is ever better than none, as when all are NaN.
    first = [array.copy() for array in net_weights(model.coefs_, model.intercepts_)]
    model._best_weights = first if model.early_stopping else None


def has_begun(model: Any) -> bool:
    """Whether the estimator was trained by steps before, with or without validation as now."""
    scored = getattr(model, "validation_scores_", None) is not None
    return hasattr(model, "loss_curve_") and scored == bool(model.early_stopping)


def fit_stochastic(
    model: Any, objective: Objective, x: Any, t: NDArray, sample_weight: NDArray | None, incremental: bool
) -> None:
    """Train the estimator's weights on rows x, targets t as its net takes them, for one epoch if `incremental`.

    Raises ValueError for early stopping in single epochs, and for less than two rows of validation.
    """
    if model.early_stopping and incremental:
        raise ValueError("partial_fit does not support early_stopping=True")
    rows = _Rows(model, x, t, sample_weight)
    solver = _solver_of(model, objective, rows, incremental)
    source = source_of(solver.net, rows.x, model._targets(rows.t), rows.weights)
    minimum = None if objective.minimum is None else objective.minimum(rows.t)
    order = np.arange(rows.n)
    model.n_iter_ = 0
    try:
        while model.n_iter_ < model.max_iter:
            if model.shuffle:
                order = order[_permutation(model._random_state, rows.n)]
            taken = order if model.shuffle else None
            result = run_epoch(solver.net, source, solver.optimizer, rows.batch, taken, stops_at_nan=False)
            model.n_iter_ += 1
            model.t_ += rows.n
            model.loss_ = objective.scale * objective.reported * result.loss
            if minimum is not None:
                model.loss_ -= _mean_over_batches(minimum[order], rows, order)
            model.loss_curve_.append(model.loss_)
            if model.verbose:
                print(f"Iteration {model.n_iter_}, loss = {model.loss_:.8f}")
            _count_improvement(model, solver.net, rows)
            solver.epoch_ends(model.t_)
            if model._no_improvement_count > model.n_iter_no_change:
                if solver.stops(_no_progress(model), model.verbose):
                    break
                model._no_improvement_count = 0
            if incremental:
                break
            if model.n_iter_ == model.max_iter:
                warnings.warn(
                    f"Stochastic Optimizer: Maximum iterations ({model.max_iter}) reached and the optimization hasn't "
                    "converged yet.",
                    ConvergenceWarning,
                    stacklevel=4,
                )
    except KeyboardInterrupt:
        warnings.warn("Training interrupted by user.", stacklevel=4)
    weights = model._best_weights if model.early_stopping else solver.net.get_weights()
    model.coefs_, model.intercepts_ = weights[::2], weights[1::2]


class _Rows:
    """What is trained on, and what is set aside for validation.

    Raises ValueError for less than two of the latter.
    """

    def __init__(self, model: Any, x: Any, t: NDArray, sample_weight: NDArray | None) -> None:
        self.x, self.t, self.weights = x, t, sample_weight
        self.x_val: Any = None
        self.weights_val: NDArray | None = None
        if model.early_stopping:
            given = [x, t] if sample_weight is None else [x, t, sample_weight]
            parts = train_test_split(
                *given,
                random_state=model._random_state,
                test_size=model.validation_fraction,
                stratify=model._strata(t),
            )
            if parts[1].shape[0] < 2:
                raise ValueError(
                    "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
                )
            self.x, self.x_val, self.t, self.t_val = parts[:4]
            if sample_weight is not None:
                self.weights, self.weights_val = parts[4:]
        self.n = self.x.shape[0]
        if model.batch_size == "auto":
            self.batch = min(200, self.n)
        else:
            if model.batch_size > self.n:
                warnings.warn(
                    "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped", stacklevel=4
                )
            self.batch = int(min(model.batch_size, self.n))


def _solver_of(model: Any, objective: Objective, rows: _Rows, incremental: bool) -> Solver:
    """A new net and a new optimizer; or with `incremental` those of the last time, if they fit, with their moments."""
    sizes = (rows.x.shape[1], *(coef.shape[1] for coef in model.coefs_))
    dtype = np.result_type(np.float32, *(coef.dtype for coef in model.coefs_))
    penalties = {"l1": model.l1 / objective.scale, "l2": 0.5 * model.alpha / objective.scale}
    dropout = (np.atleast_1d(model.dropout).tolist(), model.input_dropout)
    made_of = (sizes, dtype, model._activation, objective.loss, dropout, penalties)
    solver = getattr(model, "_optimizer", None)
    if not incremental or solver is None or model._trains != made_of:
        drops = bool(np.any(model.dropout)) or model.input_dropout > 0
        seed = int(model._random_state.randint(2**31 - 1)) if drops else 0
        net = MLP(
            sizes,
            model._activation,
            objective.loss.argument,
            init="zeros",
            dtype=dtype,
            seed=seed,
            dropout=model.dropout,
            input_dropout=model.input_dropout,
            penalty_per_row=True,
            **penalties,
        )
        solver = Solver(model, net, objective.scale)
        model._optimizer, model._trains = solver, made_of
    solver.net.set_weights(net_weights(model.coefs_, model.intercepts_))
    return solver


def _permutation(random_state: np.random.RandomState, n: int) -> NDArray[np.int64]:
    """What `sklearn.utils.shuffle` takes n rows by."""
    indices = np.arange(n)
    random_state.shuffle(indices)
    return indices


def _mean_over_batches(of_rows: NDArray, rows: _Rows, order: NDArray) -> float:
    """The mean of numbers of the rows, in the order in which they were taken, as the loss of an epoch is a mean: of the
    batches' weighted means."""
    if rows.weights is None:
        return float(of_rows.mean())
    weights, starts = rows.weights[order], np.arange(0, rows.n, rows.batch)
    of_batches = np.add.reduceat(weights * of_rows, starts) / np.add.reduceat(weights, starts)
    return float(np.average(of_batches, weights=np.diff(starts, append=rows.n)))


def _count_improvement(model: Any, net: MLP, rows: _Rows) -> None:
    """Whether the epoch just done was better than the best before by `tol`, in the validation score or else the loss;
    keeps the best score with its weights, or the least loss."""
    if model.early_stopping:
        score = float(model._validation_score(net, rows.x_val, rows.t_val, rows.weights_val))
        model.validation_scores_.append(score)
        if model.verbose:
            print(f"Validation score: {score:f}")
        improved = not score < model.best_validation_score_ + model.tol
        if score > model.best_validation_score_:
            model.best_validation_score_, model._best_weights = score, net.get_weights()
    else:
        improved = not model.loss_ > model.best_loss_ - model.tol
        model.best_loss_ = min(model.best_loss_, model.loss_)
    model._no_improvement_count = 0 if improved else model._no_improvement_count + 1


def _no_progress(model: Any) -> str:
    what = "Validation score did not improve" if model.early_stopping else "Training loss did not improve"
    return f"{what} more than tol={model.tol:f} for {model.n_iter_no_change:d} consecutive epochs."
