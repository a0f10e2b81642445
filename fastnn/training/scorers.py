"""scikit-learn's scorers, which ask an estimator. Imported where one is used, for it imports scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastnn.training import optional
from fastnn.training.predicted import Answers

with optional.needed("a scorer", "sklearn"):
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.metrics import get_scorer, get_scorer_names
    from sklearn.utils.metaestimators import available_if

if TYPE_CHECKING:
    from fastnn.mlp import MLP


def by_name(argument: str, name: str) -> Callable[..., Any]:
    """The scorer of that name. Raises ValueError naming the argument, and all scorers, for any other."""
    try:
        return get_scorer(name)
    except ValueError:
        names = ", ".join(get_scorer_names())
        raise ValueError(f"{argument}: got 'sklearn:{name}', expected 'sklearn:' and one of {names}") from None


def score(scorer: Callable[..., Any], net: MLP, answers: Answers) -> Any:
    """The scorer's number for the net.

    The net has answered already: the estimator takes its outputs for the rows themselves.
    """
    classifies = net._loss.item.output in ("softmax", "sigmoid", "sign")
    estimator = (_Classifier if classifies else _Regressor)(net)
    weights = {} if answers.weights is None else {"sample_weight": answers.weights}
    return scorer(estimator, answers.z, answers.truth, **weights)


class _Outputs(BaseEstimator):
    """A net as an estimator that is given the net's outputs z (n, outputs) in place of rows."""

    def __init__(self, net: Any) -> None:
        self.net = net

    def predict(self, z: NDArray) -> NDArray:
        """What the net predicts; (n,) with one output."""
        prediction = self.net._predicted(z)
        return prediction[:, 0] if prediction.ndim == 2 and prediction.shape[1] == 1 else prediction


class _Regressor(RegressorMixin, _Outputs):
    pass


def _has_probabilities(estimator: Any) -> bool:
    return estimator.net._loss.item.output in ("softmax", "sigmoid")


class _Classifier(ClassifierMixin, _Outputs):
    @property
    def classes_(self) -> Any:
        """The labels, as scikit-learn has them."""
        outputs, kind = self.net.sizes[-1], self.net._loss.item.output
        if kind == "softmax":
            return np.arange(outputs)
        of_one = np.array([-1, 1]) if kind == "sign" else np.array([0, 1])
        return of_one if outputs == 1 else [of_one] * outputs

    @available_if(_has_probabilities)  # type: ignore[untyped-decorator, unused-ignore]
    def predict_proba(self, z: NDArray) -> NDArray:
        """(n, classes), or (n, outputs) of outputs that are each 0 or 1."""
        p = self.net._probabilities(z.copy())
        return np.hstack([1 - p, p]) if p.shape[1] == 1 else p

    def decision_function(self, z: NDArray) -> NDArray:
        """Larger for the second of two classes (n,), or for each class (n, classes)."""
        if z.shape[1] == 1:
            return z[:, 0]
        return z[:, 1] - z[:, 0] if z.shape[1] == 2 and self.net._loss.item.output == "softmax" else z
