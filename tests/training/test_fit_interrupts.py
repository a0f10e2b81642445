"""Ctrl-C while a net is trained: wherever it comes, what was learned is kept."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import Any

import pytest

import fastnn
from fastnn.callbacks import EarlyStopping
from fastnn.training import fit as loop
from tests.training.nets import QUIET, new_net, same_weights
from tests.training.recorder import Recorder


@pytest.mark.parametrize("where", ["begin 0", "epoch 2", "done 2", "end 3"])
def test_ctrl_c_in_a_callback(x, t, where) -> None:
    net, log = new_net(), []
    interrupting = Recorder([], raise_at={where: KeyboardInterrupt()})
    history = net.fit(x, t, epochs=3, callbacks=[Recorder(log), interrupting], **QUIET)
    assert history.interrupted
    assert history.ended == "interrupted"
    epochs = {"begin 0": 0, "epoch 2": 1, "done 2": 2, "end 3": 3}[where]
    assert net.epochs == len(history) == epochs
    assert log[-1].startswith("end ")


def test_ctrl_c_twice(x, t) -> None:
    net, log = new_net(), []
    interrupting = Recorder([], raise_at={"done 2": KeyboardInterrupt(), "end 2": KeyboardInterrupt()})
    with pytest.raises(KeyboardInterrupt):
        net.fit(x, t, epochs=3, callbacks=[Recorder(log), interrupting], **QUIET)
    assert net.epochs == 2
    assert log[-1] == "end 2"  # the others come to their end all the same


def test_ctrl_c_within_an_epoch(x, t, monkeypatch) -> None:
    net, twin, sgd = new_net(), new_net(), fastnn.SGD(lr=0.05)
    steps = []

    def interrupted(*arguments: Any, **options: Any) -> Any:
        if len(steps) == 2:  # in the third epoch, after its first step
            order = arguments[4]
            net.train_step(x[order[:16]], t[order[:16]], arguments[2])
            raise KeyboardInterrupt
        steps.append(1)
        return run(*arguments, **options)

    run = loop.run_epoch
    monkeypatch.setattr(loop, "run_epoch", interrupted)
    history = net.fit(x, t, optimizer=fastnn.SGD(lr=0.05), epochs=5, batch_size=16, **QUIET)
    assert history.interrupted
    assert history.epochs == [1, 2]
    for _ in range(2):
        twin.train_epoch(x, t, sgd, 16)
    first = loop.order_of(twin, 60, None)[:16]
    twin.train_step(x[first], t[first], sgd)
    assert same_weights(net, twin)
    assert net.epochs == 2


def test_ctrl_c_at_any_line(x, t) -> None:
    """In whatever line of the loop it comes, the history is returned, and the net can be trained on."""
    code = {getattr(loop, name).__code__ for name in ("fit", "_epochs", "_measured", "_last_rate", "_stops")}

    def interrupted_at(line: int, net: fastnn.MLP) -> tuple[Any, int]:
        count = 0

        def trace(frame: Any, event: str, argument: Any) -> Any:
            nonlocal count
            if frame.f_code not in code:
                return None
            if event == "line":
                count += 1
                if count == line:
                    raise KeyboardInterrupt
            return trace

        callbacks = [EarlyStopping(patience=3)]
        before = sys.gettrace()
        sys.settrace(trace)
        try:
            return net.fit(x, t, epochs=2, validation_split=0.2, callbacks=callbacks, **QUIET), count
        finally:
            sys.settrace(before)

    new_net().fit(x, t, epochs=1, validation_split=0.2, **QUIET)
    lines = interrupted_at(10**9, new_net())[1]
    assert lines > 50
    returned = 0
    for line in range(1, lines + 1):
        net = new_net()
        try:
            history = interrupted_at(line, net)[0]
        except KeyboardInterrupt:
            continue
        returned += 1
        assert history.interrupted or history.ended == "finished"
        assert len(history) in (net.epochs, net.epochs - 1)
        net.train_step(x, t, fastnn.SGD(lr=0.1))
    # Not caught are the lines before the loop begins, and the last one.
    assert returned >= lines - 12


PROGRAM = """
import sys, numpy as np, fastnn
rng = np.random.default_rng(0)
net = fastnn.MLP((4, 8, 3), activation="relu")
# Epochs so long that the interrupt comes within one, and not while Python counts it.
history = net.fit(rng.standard_normal((300_000, 4)), np.arange(300_000) % 3, epochs=10**9)
print(history.ended, len(history) == net.epochs > 0, np.isfinite(net.forward(np.ones((1, 4), "f"))).all())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is no signal there")
def test_ctrl_c_of_a_program() -> None:
    command = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        assert program.stderr is not None
        for line in program.stderr:
            if line.startswith("epoch"):
                break
        program.send_signal(signal.SIGINT)
        out, _ = program.communicate(timeout=60)
    assert out == "interrupted True True\n"
    assert program.returncode == 0
