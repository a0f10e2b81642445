"""What the classifier and the regressor have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from fastnn.mlp import MLP
from fastnn.sklearn import parameters
from fastnn.sklearn.lbfgs import fit_lbfgs
from fastnn.sklearn.network import Predictor, glorot_weights
from fastnn.sklearn.objective import Objective
from fastnn.sklearn.stochastic import begin_stochastic, fit_stochastic, has_begun

# The nets of the last predictions: no part of the estimators, which they would make larger when these are pickled.
_PREDICTORS: WeakKeyDictionary[Any, Predictor] = WeakKeyDictionary()


class BaseMLP(BaseEstimator):
    """A multi-layer perceptron with scikit-learn's parameters, fitted attributes, messages and rules of stopping.

    A subclass says what y is: `_validated`, `_objective_of`, `_validation_score`, `_strata`.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = parameters.CONSTRAINTS

    coefs_: list[NDArray]
    intercepts_: list[NDArray]
    solver: Any
    activation: Any
    hidden_layer_sizes: Any
    random_state: Any
    warm_start: bool
    n_outputs_: int
    out_activation_: str

    def _keep(self, given: Mapping[str, Any]) -> None:
        """Keep the parameters as they are given: `clone` compares them."""
        for name in self._get_param_names():
            setattr(self, name, given[name])

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the weights to rows X and targets y.

        X : (n, features), an array, a DataFrame or a scipy.sparse matrix, of float32 or float64 or else converted to
        float64. The net computes in that precision, twice as fast in float32; with the solver "lbfgs" in float64. y :
        (n,) or (n, outputs). sample_weight : (n,), at least 0 and not all 0; a row of weight 0 is left out.

        Returns the estimator. Raises ValueError for parameters, rows, targets or weights that do not fit, and where
        weights of the net become infinite or NaN.
        """
        return self._fit(X, y, sample_weight, incremental=False)

    def _partial_fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None) -> Self:
        return self._fit(X, y, sample_weight, incremental=True)

    def _has_steps(self) -> bool:
        """For `available_if`: whether the solver takes steps."""
        if self.solver == "lbfgs":
            raise AttributeError("partial_fit is only available for stochastic optimizers. lbfgs is not stochastic.")
        return True

    def _fit(self, X: Any, y: Any, sample_weight: Any, incremental: bool) -> Self:
        self._validate_params()
        hidden = parameters.widths(self.hidden_layer_sizes)
        first = not hasattr(self, "coefs_") or (not self.warm_start and not incremental)
        X, t = self._validated(X, y, incremental, first)
        X = X if isinstance(X, np.ndarray) else X.tocsr()
        if sample_weight is not None:
            X, t, sample_weight = _rows_that_count(X, t, sample_weight)
        self._objective = objective = self._objective_of(t)
        self._random_state = check_random_state(self.random_state)
        if first:
            self._begin([X.shape[1], *hidden, self.n_outputs_], objective, X.dtype)
        if self.solver == "lbfgs":
            fit_lbfgs(self, objective, X, self._targets(t), sample_weight)
        else:
            if first or not has_begun(self):
                begin_stochastic(self)
            fit_stochastic(self, objective, X, t, sample_weight, incremental)
        if not all(np.isfinite(array).all() for array in (*self.coefs_, *self.intercepts_)):
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large values and need to be "
                "preprocessed."
            )
        return self

    def _begin(self, sizes: list[int], objective: Objective, dtype: np.dtype) -> None:
        self.n_iter_ = self.t_ = 0
        self.n_layers_ = len(sizes)
        self.out_activation_ = objective.out_activation
        self.coefs_, self.intercepts_ = glorot_weights(sizes, self.activation, self._random_state, dtype)

    @property
    def _activation(self) -> Any:
        return parameters.activation(self.activation)

    def _predicted(self, X: Any, function: Callable[[MLP, NDArray], NDArray]) -> NDArray:
        """function(net, rows) of rows X, with the weights as they are."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse=["csr", "csc"], reset=False)
        kinds = [array.dtype for array in (*self.coefs_, *self.intercepts_, X)]
        net = self._net_for_predictions(np.result_type(np.float32, *kinds))
        return function(net, X)

    def _net_for_predictions(self, dtype: np.dtype) -> MLP:
        made_of = self.coefs_, self.intercepts_, self._activation, self._objective, dtype
        predictor = _PREDICTORS.get(self)
        if predictor is None or not predictor.fits(*made_of):
            # Never changed, for several threads may ask: another takes its place.
            predictor = _PREDICTORS[self] = Predictor(*made_of)
        return predictor.net

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _rows_that_count(X: Any, t: NDArray, sample_weight: Any) -> tuple[Any, NDArray, NDArray]:
    """The rows of a weight above 0, with their weights. Raises ValueError for one below 0, and if none is above."""
    weights = _check_sample_weight(sample_weight, X)
    if weights.min() < 0:
        raise ValueError(f"sample_weight: got {weights.min():g}, expected weights of at least 0")
    counts = weights > 0
    if counts.all():
        return X, t, weights
    if not counts.any():
        raise ValueError("sample_weight: got only zeros, expected at least one weight above 0")
    return X[counts], t[counts], weights[counts]
