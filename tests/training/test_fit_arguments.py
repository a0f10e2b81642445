"""Arguments that `fit` refuses, with the net as it was."""

from __future__ import annotations

import numpy as np
import pytest

from fastnn.callbacks import EarlyStopping
from tests.training.nets import QUIET, new_net, same_weights


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ({"epochs": -1}, ValueError, "epochs: got -1"),
        ({"batch_size": 0}, ValueError, "batch_size: got 0"),
        ({"optimizer": "adam"}, TypeError, "optimizer: got 'adam'"),
        ({"validation_split": 1.0}, ValueError, "validation_split: got 1.0"),
        ({"validation_split": 0.995}, ValueError, "validation_split: got 0.995 of 60 rows"),
        ({"stratify": True}, ValueError, "stratify: got True without a validation_split"),
        ({"validation_split": 0.1, "validation_data": ([[1.0] * 4], [0])}, ValueError, "beside validation_data"),
        ({"validation_data": ([[1.0] * 5], [0])}, ValueError, r"validation_data: x: got shape \(1, 5\)"),
        ({"validation_data": ([[1.0] * 4],)}, ValueError, "validation_data: got 1 parts"),
        ({"validation_data": (np.ones((0, 4)), np.ones(0, int))}, ValueError, "validation_data: x: got 0 rows"),
        ({"validation_data": iter([])}, TypeError, "validation_data: got a generator"),
        ({"validation_data": 3}, TypeError, "validation_data: t: got None"),
        ({"metrics": "accuracy"}, TypeError, r"metrics: got 'accuracy', expected a sequence, such as \['accuracy'\]"),
        ({"metrics": ["acuracy"]}, ValueError, r"metrics\[0\]: got 'acuracy', expected one of 'accuracy'"),
        ({"callbacks": [print]}, TypeError, r"callbacks\[0\]: .* pass fastnn.callbacks.Lambda"),
        ({"callbacks": [EarlyStopping]}, TypeError, r"callbacks\[0\]: got <class"),
        ({"callbacks": EarlyStopping()}, TypeError, "callbacks: got"),
        ({"callbacks": [EarlyStopping("val_loss")]}, ValueError, "monitor: got 'val_loss', .* validation_data"),
        ({"sample_weight": np.zeros(60)}, ValueError, "^sample_weight: got only zeros"),
        (
            {"sample_weight": np.eye(60)[0], "validation_split": 0.1, "seed": 1},
            ValueError,
            "^validation_split: sample_weight: got only zeros",
        ),
        (
            {"validation_data": (np.ones((2, 4)), [0, 1], [0, 0])},
            ValueError,
            "^validation_data: sample_weight: got only zeros",
        ),
        ({"on_nan": "warn"}, ValueError, "on_nan: got 'warn'"),
        ({"shuffle": 1}, TypeError, "shuffle: got 1"),
        ({"seed": -1}, ValueError, "seed: got -1"),
        ({"seed": "a"}, TypeError, "seed: got 'a'"),
        ({"train_metrics": "yes"}, TypeError, "train_metrics: got 'yes'"),
        ({"progress": "bar"}, TypeError, "progress: got 'bar'"),
        ({"steps_per_epoch": 3}, ValueError, "steps_per_epoch: got 3 with t"),
        ({"x": [], "t": None, "steps_per_epoch": 0}, ValueError, "steps_per_epoch: got 0"),
        ({"x": [], "t": None, "sample_weight": [1.0]}, TypeError, "sample_weight: got weights beside batches"),
        ({"x": [], "t": None, "validation_split": 0.1}, ValueError, "validation_split: got 0.1 of batches"),
        ({"x": [], "t": None, "metrics": ["accuracy"]}, ValueError, "metrics: got batches as x"),
        ({"t": None}, TypeError, "t: got None, expected targets"),
        ({"x": np.ones((0, 4)), "t": np.ones(0, int)}, ValueError, "x: got 0 rows"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_refuses(x, t, given, kind, message) -> None:
    net = new_net()
    with pytest.raises(kind, match=message):
        net.fit(**{"x": x, "t": t, **QUIET, **given})
    assert same_weights(net, new_net())
    assert net.epochs == 0
    assert net.optimizer is None
