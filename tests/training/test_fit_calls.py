"""When `fit` calls its callbacks, what they may change, and what is left where one of them fails."""

from __future__ import annotations

import numpy as np
import pytest

import fastnn
from fastnn.callbacks import Lambda, LearningRate
from tests.training.nets import QUIET, new_net, same_weights
from tests.training.recorder import Recorder


def test_order_of_calls_and_stopping(x, t) -> None:
    net, log, other = new_net(), [], []
    history = net.fit(x, t, epochs=5, callbacks=[Recorder(log, stop_at=2), Recorder(other)], **QUIET)
    assert log == other == ["begin 0", "epoch 1", "done 1", "epoch 2", "done 2", "end 2"]
    assert history.ended == "stopped"
    assert history.epochs == [1, 2]


def test_an_error_in_a_callback_keeps_what_was_learned(x, t) -> None:
    net, twin, log = new_net(), new_net(), []
    failing = Recorder([], raise_at={"done 2": RuntimeError("disk full")})
    with pytest.raises(RuntimeError, match="disk full"):
        net.fit(x, t, epochs=5, callbacks=[Recorder(log), failing], **QUIET)
    twin.fit(x, t, epochs=2, **QUIET)
    assert same_weights(net, twin)
    assert net.epochs == 2
    assert log[-1] == "end 2"


def test_callbacks_that_did_not_begin_do_not_end(x, t) -> None:
    log, other = [], []
    failing = Recorder(log, raise_at={"begin 0": RuntimeError("no")})
    with pytest.raises(RuntimeError, match="no"):
        new_net().fit(x, t, callbacks=[Recorder(other), failing], **QUIET)
    assert log == ["begin 0"]
    assert other == ["begin 0", "end 0"]


def test_refuses_other_answers(x, t) -> None:
    with pytest.raises(TypeError, match="callbacks: got 'yes' from on_epoch_end"):
        new_net().fit(x, t, callbacks=[Lambda(lambda training: "yes")], **QUIET)  # type: ignore[arg-type,return-value]


def test_callbacks_may_change_weights_and_rate(x, t) -> None:
    net, zero = new_net(), [np.zeros_like(w) for w in new_net().get_weights()]
    forget, halve = (
        Lambda(lambda training: training.net.set_weights(zero)),
        LearningRate(lambda epochs: 0.1 / 2**epochs),
    )
    history = net.fit(x, t, optimizer=fastnn.SGD(lr=0.1), epochs=3, callbacks=[forget, halve], **QUIET)
    assert history["lr"] == [0.1, 0.05, 0.025]
    assert same_weights(net, new_net(init=0.0))
