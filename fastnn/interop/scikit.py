"""scikit-learn: a net as a fitted MLPClassifier or MLPRegressor, and from one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnn.interop.layers import OUTPUTS, cannot, hidden_layers, library, net_of
from fastnn.mlp import MLP

# By fastnn's names.
_NAMES = {"identity": "identity", "sigmoid": "logistic", "tanh": "tanh", "relu": "relu"}
_OUTPUTS = {"identity": "half_squared_error", "exp": "poisson"} | {
    {"sigmoid": "logistic"}.get(output, output): OUTPUTS[output][1] for output in ("softmax", "sigmoid")
}


def from_sklearn(estimator: Any, **options: Any) -> MLP:
    """A net of a fitted `sklearn.neural_network.MLPClassifier` or `MLPRegressor`, of its `coefs_`, `intercepts_`,
    `activation` and `out_activation_`.

    The loss is the one that scikit-learn minimises: "softmax_cross_entropy"; with two classes, or several labels at
    once, "sigmoid_cross_entropy", with two classes of one output; "half_squared_error" or "poisson" of a regressor. The
    net predicts the index of a class: `estimator.classes_[net.predict(x)]`. options : dropout, input_dropout, l1, l2
    and seed of `fastnn.MLP`; scikit-learn's `alpha` is none of them, for it weighs less the larger a batch is.

    Raises ValueError or TypeError for an estimator that is not fitted or is another.
    """
    for name in ("coefs_", "intercepts_", "activation", "out_activation_"):
        if not hasattr(estimator, name):
            raise TypeError(
                f"estimator: got {type(estimator).__name__} without {name}, expected a fitted MLPClassifier or "
                "MLPRegressor"
            )
    names = {own: name for name, own in _NAMES.items()}
    if estimator.activation not in names:
        raise ValueError(f"estimator: got the activation {estimator.activation!r}, expected one of {', '.join(names)}")
    if estimator.out_activation_ not in _OUTPUTS:
        raise ValueError(
            f"estimator: got the out_activation_ {estimator.out_activation_!r}, expected one of {', '.join(_OUTPUTS)}"
        )
    weights = [array for pair in zip(estimator.coefs_, estimator.intercepts_, strict=True) for array in pair]
    return net_of(weights, names[estimator.activation], _OUTPUTS[estimator.out_activation_], options)


def to_sklearn(net: MLP, classes: Sequence[Any] | None = None) -> Any:
    """The net as a fitted `sklearn.neural_network.MLPClassifier`, or as an `MLPRegressor`, which predicts the same.

    A classifier if the loss is a cross-entropy, whose labels 0, 1, ... are then named by `classes`, in ascending order
    as scikit-learn has them; None for the numbers themselves. With "sigmoid_cross_entropy" of one output it has two
    classes, and of several it tells several labels at once. A regressor otherwise, with the output of "poisson" too.

    Raises ValueError for an activation other than "identity", "sigmoid", "tanh" and "relu", or several of them, for a
    loss without such an estimator ("hinge", "squared_hinge"), and for classes that do not fit; ImportError without
    scikit-learn.
    """
    hidden, output = hidden_layers(net), net._loss.item.output
    kinds = {name: numbers for name, numbers, _ in hidden} or {"identity": {}}
    for name, numbers in kinds.items():
        if name not in _NAMES:
            raise cannot("scikit-learn", name, numbers, _NAMES)
    if len(kinds) > 1:
        raise ValueError(f"activation: got {net.activation}, expected one for all layers, as scikit-learn has")
    if output == "sign":
        raise ValueError(f"loss: got {net._loss.item.name!r}, which no estimator of scikit-learn has")
    outputs, is_classifier = net.sizes[-1], output in ("softmax", "sigmoid")
    if classes is not None and not is_classifier:
        raise ValueError(f"classes: got {classes!r} for a net with the loss {net._loss.item.name}, expected None")
    module = library("sklearn.neural_network", "scikit-learn")
    options = {"hidden_layer_sizes": net.sizes[1:-1], "activation": _NAMES[next(iter(kinds))], "random_state": 0}
    # Rows of nothing, for scikit-learn itself to set all attributes of a fitted estimator. One row of each class.
    if not is_classifier:
        # A loss "poisson" came with scikit-learn 1.7; without the option the error is scikit-learn's.
        options |= {"loss": "poisson"} if output == "exp" else {}
        estimator = module.MLPRegressor(**options)
        estimator.partial_fit(_rows(net, 2), np.ones(2) if outputs == 1 else np.ones((2, outputs)))
    else:
        estimator = module.MLPClassifier(**options)
        if output == "sigmoid" and outputs > 1:
            if classes is not None:
                raise ValueError(f"classes: got {classes!r} for a net that tells several labels at once, expected None")
            every_and_none = np.array([[1], [0]]).repeat(outputs, 1)
            estimator.partial_fit(_rows(net, 2), every_and_none, classes=[*range(outputs)])
        else:
            count = max(outputs, 2)
            labels = np.arange(count) if classes is None else np.asarray(classes)
            if labels.shape != (count,) or not np.array_equal(np.unique(labels), labels):
                raise ValueError(f"classes: got {classes!r}, expected {count} in ascending order")
            estimator.partial_fit(_rows(net, count), labels, classes=labels)
    weights = net.get_weights()
    if output == "softmax" and outputs == 2:
        # scikit-learn has one output for two classes: the softmax of both is the logistic function of the difference.
        weights[-2:] = [array[..., 1:] - array[..., :1] for array in weights[-2:]]
    estimator.coefs_, estimator.intercepts_ = weights[::2], weights[1::2]
    return estimator


def _rows(net: MLP, count: int) -> np.ndarray:
    return np.zeros((count, net.sizes[0]), net.dtype)
