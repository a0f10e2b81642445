"""The regressor."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import validate_data

from fastnn.losses import Loss
from fastnn.mlp import MLP
from fastnn.sklearn import objective
from fastnn.sklearn.base import BaseMLP
from fastnn.sklearn.documentation import REGRESSOR
from fastnn.sklearn.network import in_rows
from fastnn.sklearn.objective import Objective
from fastnn.sklearn.parameters import CONSTRAINTS

# What makes predictions of the outputs of a net with such a loss.
_OUTPUTS = ("identity", "exp")
_LOSSES = {name for name, loss in Loss.by_name.items() if loss.output in _OUTPUTS}


class MLPRegressor(RegressorMixin, BaseMLP):
    __doc__ = REGRESSOR

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **CONSTRAINTS,
        "loss": [StrOptions({"squared_error", *_LOSSES}), tuple, list, Loss],
    }

    def __init__(
        self,
        loss: Any = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: Any = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: Any = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        dropout: Any = 0.0,
        input_dropout: float = 0.0,
        l1: float = 0.0,
    ) -> None:
        self._keep(locals())

    @available_if(BaseMLP._has_steps)
    def partial_fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """One more epoch over rows X and targets y; arguments and errors as of `fit`."""
        return self._partial_fit(X, y, sample_weight)

    def predict(self, X: Any) -> NDArray:
        """The values (n,) of rows X (n, features), or (n, outputs) where y had several."""
        return in_rows(self._predicted(X, MLP.predict))

    def _validated(self, X: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, NDArray]:
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse=["csr", "csc"],
            multi_output=True,
            y_numeric=True,
            dtype=(np.float64, np.float32),
            reset=reset,
        )
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        t = y.reshape(len(y), -1).astype(np.promote_types(y.dtype, np.float32), copy=False)
        self.n_outputs_ = t.shape[1]
        return X, t

    def _objective_of(self, t: NDArray) -> Objective:
        if self.loss == "squared_error":
            return objective.squared_error(t.shape[1])
        return objective.poisson(t) if self.loss == "poisson" else objective.own_loss(self.loss, _OUTPUTS)

    def _targets(self, t: NDArray) -> NDArray:
        return t

    def _strata(self, t: NDArray) -> NDArray | None:
        return None

    def _validation_score(self, net: MLP, X: Any, t: NDArray, sample_weight: NDArray | None) -> float:
        predicted = net.predict(X)
        if not np.isfinite(predicted).all():
            return np.nan
        return r2_score(t, predicted, sample_weight=sample_weight)
