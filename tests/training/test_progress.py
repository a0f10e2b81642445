"""What a person sees of a training."""

from __future__ import annotations

import io
import re
import sys
from typing import Any

import pytest

import fastnn
from fastnn.callbacks import Lambda
from fastnn.training import progress, time_left
from tests.training.nets import new_net


class Terminal(io.StringIO):
    """stderr of a terminal."""

    def isatty(self) -> bool:
        return True


def on_terminal(monkeypatch) -> Terminal:
    """From now on stderr is a terminal of 100 columns. (Not a fixture: pytest puts its own there before the test.)"""
    made = Terminal()
    monkeypatch.setattr(sys, "stderr", made)
    for name, value in {"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)
    return made


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def test_lines(x, t, capsys) -> None:
    for value in (None, True):
        new_net().fit(x, t, epochs=10, validation_split=0.2, metrics=["accuracy"], progress=value)
        out, err = capsys.readouterr()
        lines = err.splitlines()
        number = r"\d[\d.e+-]*"
        for epoch, line in zip([*(f" {k}" for k in range(1, 10)), "10"], lines, strict=True):
            left = "" if epoch in (" 1", "10") else r", [\d.]+ (ms|s) left"
            numbers = f"loss {number}  val_loss {number}  val_accuracy {number}"
            assert re.fullmatch(rf"epoch {epoch}/10  {numbers}  [\d.]+ (ms|s){left}", line), line
        assert out == ""


def test_silence(x, t, capsys, monkeypatch) -> None:
    terminal = on_terminal(monkeypatch)
    new_net().fit(x, t, epochs=2, progress=False)
    assert terminal.getvalue() == ""
    assert capsys.readouterr() == ("", "")


def test_without_stderr(x, t, monkeypatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    new_net().fit(x, t, epochs=1)


def test_bar(x, t, monkeypatch) -> None:
    pytest.importorskip("rich")
    terminal = on_terminal(monkeypatch)
    net = new_net()
    said = Lambda(lambda training: print("said by a callback"))
    history = net.fit(x, t, epochs=3, batch_size=1, validation_split=0.2, callbacks=[said])
    text = plain(terminal.getvalue())
    assert "epoch 1/3" in text
    last = text.replace("\r", "\n").strip().splitlines()[-1]
    assert "epoch 3/3" in last
    assert "100%" in last
    assert f"loss {history['loss'][-1]:.4g}  val_loss {history['val_loss'][-1]:.4g}" in last
    assert terminal.getvalue().rstrip().endswith("\x1b[?25h")  # the cursor is shown again


def test_bar_of_an_unknown_number_of_rows(monkeypatch) -> None:
    pytest.importorskip("rich")
    terminal = on_terminal(monkeypatch)
    shown = progress.Bar()
    shown.begin(5, 8, None)
    shown.report(1000, 0.5)  # type: ignore[misc]
    shown._next = 0.0
    shown.epoch_end(5, {"loss": 0.25, "lr": 0.1, "seconds": 1.0})
    shown.end()
    text = plain(terminal.getvalue())
    assert "epoch 5/8" in text
    assert " 0% loss 0.5" in text
    assert " 25% loss 0.25" in text


def test_bar_is_drawn_ten_times_a_second(monkeypatch) -> None:
    pytest.importorskip("rich")
    on_terminal(monkeypatch)
    now = 100.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    shown, drawn = progress.Bar(), []
    shown.begin(1, 1000, 10)
    monkeypatch.setattr(shown._bar, "update", lambda *arguments, **fields: drawn.append(fields))
    for epoch in range(1, 1001):
        shown.report(10, 0.5)  # type: ignore[misc]
        shown.epoch_end(epoch, {"loss": 0.5, "seconds": 0.001})
        now += 0.001
    assert 10 <= len(drawn) <= 12
    shown.end()
    assert drawn[-1] == {"completed": 10000, "epoch": 1000, "numbers": "loss 0.5", "left": "", "refresh": True}


def test_time_left(monkeypatch) -> None:
    """In the first epoch, and after it, by what it does once it has begun; later by the median."""
    now = 100.0
    monkeypatch.setattr(time_left.time, "monotonic", lambda: now)
    left = time_left.TimeLeft(10)
    assert left.seconds() is None
    now += 60  # compiling
    assert left.seconds(0.25) is None
    now += 1
    assert left.seconds(0.5) == 4 * 9.5
    assert left.seconds() is None
    now += 2
    left.epoch_end()
    assert left.seconds() == 4 * 9
    for seconds, expected in ((4, 4 * 8), (30, 4 * 7), (4, 4 * 6)):
        now += seconds
        left.epoch_end()
        assert left.seconds() == expected
    now += 1
    assert left.seconds(0.5) == 23
    now += 50  # an epoch that takes longer: the others are still to come
    assert left.seconds(0.9) == 20


def test_time_left_is_that_of_the_last_epochs(monkeypatch) -> None:
    now = 0.0
    monkeypatch.setattr(time_left.time, "monotonic", lambda: now)
    left = time_left.TimeLeft(101)
    for epoch in range(100):
        now += 1 if epoch < 80 else 2
        left.epoch_end()
    assert left.seconds() == 2


def test_time_left_is_shown(monkeypatch, capsys) -> None:
    pytest.importorskip("rich")
    on_terminal(monkeypatch)
    now, drawn = 100.0, []
    monkeypatch.setattr(time_left.time, "monotonic", lambda: now)
    bar, lines = progress.Bar(), progress.Lines()
    for shown in (bar, lines):
        shown.begin(1, 3, 10)
    monkeypatch.setattr(bar._bar, "update", lambda *arguments, **fields: drawn.append(fields["left"]))
    monkeypatch.setattr(lines, "say", drawn.append)
    for epoch, seconds in ((1, 10.0), (2, 3.0)):
        now += seconds
        for shown in (bar, lines):
            shown.epoch_end(epoch, {"loss": 0.5, "seconds": seconds})
    now += 1
    bar.report(5, 0.5)  # type: ignore[misc]
    bar.end()
    line = "epoch {}/3  loss 0.5  {} s, {} s left"
    first = "epoch 1/3  loss 0.5  10 s"
    assert drawn == ["", first, "3 s left", line.format(2, 3, 3), "2 s left", ""]


def test_bar_of_a_training_that_stops(x, t, monkeypatch) -> None:
    pytest.importorskip("rich")
    terminal = on_terminal(monkeypatch)
    history = new_net().fit(x, t, epochs=100, callbacks=[Lambda(lambda training: training.epoch == 7)])
    last = plain(terminal.getvalue()).replace("\r", "\n").strip().splitlines()[-1].rstrip()
    assert last.startswith("epoch 7/100 ")
    assert last.endswith(f"  7% loss {history['loss'][-1]:.4g}")  # and no time left


def test_bar_ends_after_an_error(x, t, monkeypatch) -> None:
    pytest.importorskip("rich")
    terminal = on_terminal(monkeypatch)

    def fail(training: Any) -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        new_net().fit(x, t, callbacks=[Lambda(fail)])
    assert terminal.getvalue().rstrip().endswith("\x1b[?25h")


def test_lines_on_a_terminal_without_rich(x, t, monkeypatch) -> None:
    terminal = on_terminal(monkeypatch)
    monkeypatch.setitem(sys.modules, "rich.console", None)
    new_net().fit(x, t, epochs=1)
    assert terminal.getvalue().startswith("epoch 1/1  loss ")


def test_ctrl_c_is_told(x, t, capsys) -> None:
    def press(training: fastnn.callbacks.Training) -> None:
        if training.epoch == 2:
            raise KeyboardInterrupt

    new_net().fit(x, t, epochs=5, callbacks=[Lambda(press)])
    assert capsys.readouterr().err.splitlines()[-1] == "interrupted after 2 epochs; the net keeps what it has learned"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0000123, "0.0123 ms"), (0.0123, "12.3 ms"), (0.0994, "99.4 ms"), (0.0996, "0.1 s"), (1.26, "1.3 s"),
        (9.96, "10 s"), (99.4, "99 s"), (99.6, "1:40 min"), (3599, "59:59 min"), (3600, "1:00:00"),
        (86399.6, "24:00:00"),
    ],
)  # fmt: skip
def test_span(seconds, text) -> None:
    assert progress.span(seconds) == text
