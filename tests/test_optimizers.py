"""Hyper-parameters are checked when they are set, shown, and read back as they were given."""

from __future__ import annotations

import gc

import numpy as np
import pytest

import fastnn


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: fastnn.SGD(lr=0), r"^lr: got 0, expected a number in \(0, inf\)"),
        (lambda: fastnn.SGD(lr=float("nan")), "^lr: got nan"),
        (lambda: fastnn.SGD(lr=float("inf")), "^lr: got inf"),
        (lambda: fastnn.SGD(0.1, momentum=1.0), r"^momentum: got 1.0, expected a number in \[0, 1\)"),
        (lambda: fastnn.SGD(0.1, weight_decay=-1), "^weight_decay: got -1"),
        (lambda: fastnn.SGD(0.1, nesterov=True), "^nesterov: got True with momentum 0"),
        (lambda: fastnn.Adam(beta2=1.5), "^beta2: got 1.5"),
        (lambda: fastnn.Adam(eps=-1e-8), "^eps: got -1e-08"),
    ],
)
def test_out_of_range(make, message) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_wrong_type() -> None:
    with pytest.raises(TypeError, match="^lr: got '0.1', expected a number"):
        fastnn.SGD(lr="0.1")
    with pytest.raises(TypeError, match="^nesterov: got 1, expected True or False"):
        fastnn.SGD(0.1, momentum=0.9, nesterov=1)


def test_refused_change_keeps_the_old_value() -> None:
    optimizer = fastnn.Adam(lr=0.01)
    with pytest.raises(ValueError, match="^lr: got -1"):
        optimizer.lr = -1
    assert optimizer.lr == 0.01


def test_shown_as_made() -> None:
    for optimizer in (fastnn.SGD(0.1, momentum=0.9, nesterov=True), fastnn.Adam(0.01)):
        assert repr(eval(repr(optimizer), vars(fastnn))) == repr(optimizer)


def test_state_goes_with_its_net() -> None:
    optimizer, net = fastnn.Adam(), fastnn.MLP((3, 2))
    net.train_step(np.ones((1, 3), np.float32), np.array([0]), optimizer)
    assert len(optimizer._states) == 1
    del net
    gc.collect()
    assert len(optimizer._states) == 0
