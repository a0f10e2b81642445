"""Training by L-BFGS: SciPy's, on the loss and the gradient of a net in float64."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.optimize
from numpy.typing import NDArray
from sklearn.utils.optimize import _check_optimize_result

from fastnn.mlp import MLP
from fastnn.optimizers import SGD
from fastnn.sklearn.network import net_weights
from fastnn.sklearn.objective import Objective
from fastnn.training.epoch import run_epoch
from fastnn.training.sources import source_of


def fit_lbfgs(model: Any, objective: Objective, x: Any, t: NDArray, sample_weight: NDArray | None) -> None:
    """Train the estimator's weights on all rows x, with targets t as its net takes them.

    Raises ValueError with dropout: L-BFGS needs a loss that is the same each time.
    """
    if np.any(model.dropout) or model.input_dropout:
        raise ValueError(
            f"dropout: got {model.dropout!r}, and an input_dropout of {model.input_dropout!r}, expected 0 for both "
            "with the solver 'lbfgs', which needs a loss that is the same each time; use another solver"
        )
    loss = _Loss(model, objective, x, t, sample_weight)
    result = scipy.optimize.minimize(
        loss,
        np.concatenate([array.ravel() for array in (*model.coefs_, *model.intercepts_)]).astype(np.float64),
        method="L-BFGS-B",
        jac=True,
        callback=_tell() if model.verbose else None,
        options={"maxfun": model.max_fun, "maxiter": model.max_iter, "gtol": model.tol},
    )
    model.n_iter_ = _check_optimize_result("lbfgs", result, model.max_iter)
    model.loss_ = loss.reported(result.x, float(result.fun))
    model.coefs_, model.intercepts_ = loss.unpacked(result.x)


def _tell() -> Callable[..., None]:
    """What prints the loss of each iteration; SciPy itself does so no more since 1.15."""
    iterations = itertools.count(1)

    def tell(intermediate_result: scipy.optimize.OptimizeResult) -> None:
        print(f"Iteration {next(iterations)}, loss = {intermediate_result.fun:.8f}")

    return tell


class _Loss:
    """The loss and its gradient as functions of all weights and then all intercepts in one vector."""

    def __init__(self, model: Any, objective: Objective, x: Any, t: NDArray, sample_weight: NDArray | None) -> None:
        self._objective = objective
        sizes = (x.shape[1], *(coef.shape[1] for coef in model.coefs_))
        self._net = MLP(sizes, model._activation, objective.loss.argument, init="zeros", dtype=np.float64)
        # A step of no length leaves the gradient itself in the velocity, which is zero before it.
        self._optimizer = SGD(lr=0.0, momentum=0.5)
        self._velocity = self._optimizer.state(self._net).moments[0]
        self._source = source_of(self._net, x, t, sample_weight)
        self._rows = x.shape[0]
        weight = self._rows if sample_weight is None else sample_weight.sum()
        self._alpha, self._l1 = model.alpha / weight, model.l1 / weight
        self._least = 0.0 if objective.minimum is None else np.average(objective.minimum(t), weights=sample_weight)
        self._shapes = [coef.shape for coef in model.coefs_], [own.shape for own in model.intercepts_]
        self._n_coefs = sum(coef.size for coef in model.coefs_)

    def __call__(self, packed: NDArray) -> tuple[float, NDArray]:
        self._net.set_weights(net_weights(*self.unpacked(packed)))
        self._velocity[...] = 0
        # One step on all rows.
        loss = run_epoch(self._net, self._source, self._optimizer, self._rows, stops_at_nan=False).loss
        loss *= self._objective.scale
        found = self._net.layout.unpack(self._velocity[: self._net.layout.size])
        gradient = np.concatenate([array.ravel() for array in (*found[::2], *found[1::2])])
        gradient *= self._objective.scale
        coefs = packed[: self._n_coefs]
        gradient[: self._n_coefs] += self._alpha * coefs + self._l1 * np.sign(coefs)
        return loss - self._least + self._penalty(packed), gradient

    def unpacked(self, packed: NDArray) -> tuple[list[NDArray], list[NDArray]]:
        """The weights and the intercepts in the vector, as arrays of their own."""
        found: tuple[list[NDArray], list[NDArray]] = [], []
        start = 0
        for arrays, shapes in zip(found, self._shapes, strict=True):
            for shape in shapes:
                size = int(np.prod(shape))
                arrays.append(packed[start : start + size].reshape(shape).copy())
                start += size
        return found

    def reported(self, packed: NDArray, loss: float) -> float:
        """What scikit-learn calls the loss where it is that much here: less of it may be a mean over the outputs."""
        penalty = self._penalty(packed)
        return (loss - penalty) * self._objective.reported + penalty

    def _penalty(self, packed: NDArray) -> float:
        coefs = packed[: self._n_coefs]
        return float(0.5 * self._alpha * (coefs @ coefs) + self._l1 * np.abs(coefs).sum())
