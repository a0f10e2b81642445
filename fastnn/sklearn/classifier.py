"""The classifier."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call, type_of_target, unique_labels
from sklearn.utils.validation import validate_data

from fastnn.losses import ChosenLoss, Loss
from fastnn.mlp import MLP
from fastnn.sklearn import objective
from fastnn.sklearn.base import BaseMLP
from fastnn.sklearn.documentation import CLASSIFIER
from fastnn.sklearn.network import in_rows
from fastnn.sklearn.objective import Objective
from fastnn.sklearn.parameters import CONSTRAINTS

# What makes predictions of the outputs of a net with such a loss.
_OUTPUTS = ("softmax", "sigmoid", "sign")
_LOSSES = {name for name, loss in Loss.by_name.items() if loss.output in _OUTPUTS}


class MLPClassifier(ClassifierMixin, BaseMLP):
    __doc__ = CLASSIFIER

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **CONSTRAINTS,
        "loss": [StrOptions({"log_loss", *_LOSSES}), tuple, list, Loss],
    }

    classes_: NDArray

    def __init__(
        self,
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
        loss: Any = "log_loss",
        dropout: Any = 0.0,
        input_dropout: float = 0.0,
        l1: float = 0.0,
    ) -> None:
        self._keep(locals())

    @available_if(BaseMLP._has_steps)
    def partial_fit(
        self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None, classes: ArrayLike | None = None
    ) -> Self:
        """One more epoch over rows X and targets y; arguments and errors as of `fit`.

        classes : (classes,), all that there are in this call and later ones, which the first call needs.
        """
        if _check_partial_fit_first_call(self, classes):
            self._learn_classes(y if type_of_target(y).startswith("multilabel") else classes)
        return self._partial_fit(X, y, sample_weight)

    def predict(self, X: Any) -> NDArray:
        """The classes (n,) of rows X (n, features); 0 or 1 for each output (n, outputs) where y had several labels."""
        codes = self._predicted(X, self._codes)
        if codes.ndim == 2:
            return self._label_binarizer.inverse_transform(codes.astype(np.float64))
        # Of one class alone both answers of the net are that class.
        return self.classes_[np.minimum(codes, len(self.classes_) - 1)]

    def _has_probabilities(self) -> bool:
        """For `available_if`: whether the loss is one of probabilities."""
        if self.loss != "log_loss" and ChosenLoss.find("loss", self.loss).item.output == "sign":
            raise AttributeError(f"predict_proba: the loss {self.loss!r} makes no probabilities; use predict")
        return True

    @available_if(_has_probabilities)
    def predict_proba(self, X: Any) -> NDArray:
        """The probabilities (n, classes) of rows X (n, features), in the order of `classes_`."""
        p = in_rows(self._predicted(X, MLP.predict_proba))
        return np.stack([1 - p, p], axis=1) if p.ndim == 1 else p

    @available_if(_has_probabilities)
    def predict_log_proba(self, X: Any) -> NDArray:
        """The logarithms of `predict_proba(X)`."""
        p = self.predict_proba(X)
        return np.log(p, out=p)

    def _validated(self, X: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, NDArray]:
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse=["csr", "csc"],
            multi_output=True,
            dtype=(np.float64, np.float32),
            reset=reset,
        )
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if not hasattr(self, "classes_") or (not self.warm_start and not incremental):
            self._learn_classes(y)
        else:
            self._check_classes(unique_labels(y))
        if self._several_labels:
            codes = self._label_binarizer.transform(y)
        else:
            codes = np.searchsorted(self.classes_, y).astype(np.int64)
        of_two = not self._several_labels and len(self.classes_) <= 2
        softmax = self.loss != "log_loss" and ChosenLoss.find("loss", self.loss).item.output == "softmax"
        self.n_outputs_ = 2 if of_two and softmax else 1 if of_two else len(self.classes_)
        return X, codes

    def _learn_classes(self, y: Any) -> None:
        self._label_binarizer = LabelBinarizer().fit(y)
        self.classes_ = self._label_binarizer.classes_

    def _check_classes(self, classes: NDArray) -> None:
        if self.warm_start:
            if set(classes) != set(self.classes_):
                raise ValueError(
                    "warm_start can only be used where `y` has the same classes as in the previous call to fit. "
                    f"Previously got {self.classes_}, `y` has {classes}"
                )
        elif len(np.setdiff1d(classes, self.classes_, assume_unique=True)):
            raise ValueError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. 'y' has {classes}."
            )

    @property
    def _several_labels(self) -> bool:
        return self._label_binarizer.y_type_.startswith("multilabel")

    def _objective_of(self, t: NDArray) -> Objective:
        several_classes = t.ndim == 1 and self.n_outputs_ > 1
        if self.loss == "log_loss":
            return objective.cross_entropy(self.n_outputs_, several_classes)
        own = objective.own_loss(self.loss, _OUTPUTS)
        output = own.loss.item.output
        if (output == "sigmoid" and several_classes) or (output == "softmax" and t.ndim == 2):
            what = "several labels a row" if t.ndim == 2 else f"{self.n_outputs_} classes"
            other = "sigmoid_cross_entropy" if t.ndim == 2 else "softmax_cross_entropy"
            raise ValueError(f"loss: got {self.loss!r} for a y with {what}, expected one such as {other!r}")
        return own

    def _targets(self, t: NDArray) -> NDArray:
        """The codes t as the net's loss takes them: labels (n,), or a number for each output."""
        item = self._objective_of(t).loss.item
        if item.output != "sign" and t.ndim == 1 and item.takes_labels(self.n_outputs_):
            return t
        rows = (
            t.reshape(len(t), -1) if t.ndim == 2 or self.n_outputs_ == 1 else t[:, None] == np.arange(self.n_outputs_)
        )
        return 2.0 * rows - 1.0 if item.output == "sign" else rows.astype(np.float64)

    def _codes(self, net: MLP, x: NDArray) -> NDArray:
        """What the net predicts: the position in `classes_` (n,), or 0 or 1 for each output."""
        if not self._several_labels and self.n_outputs_ > 1 and self.out_activation_ == "identity":
            return net.forward(x).argmax(axis=1)
        return np.maximum(net.predict(x), 0)

    def _strata(self, t: NDArray) -> NDArray | None:
        """As scikit-learn, which splits those of several classes without strata."""
        return (t > 0).reshape(-1, 1) if self.n_outputs_ == 1 else None

    def _validation_score(self, net: MLP, X: Any, t: NDArray, sample_weight: NDArray | None) -> float:
        right = self._codes(net, X) == t
        return np.average(right.all(axis=1) if right.ndim == 2 else right, weights=sample_weight)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
