"""Signals: when they raise, and that a run which one of them ends saves its results and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.interrupts import SAME_REQUEST, SIGNALS, Interrupts
from benchmarks.results import Results

ROOT = Path(__file__).parents[2]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def interrupts(clock: Clock) -> Iterator[Interrupts]:
    """Installed; afterwards this process has its own handlers again."""
    handlers, hook = {number: signal.getsignal(number) for number in SIGNALS}, sys.unraisablehook
    made = Interrupts(clock)
    made.install()
    yield made
    sys.unraisablehook = hook
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_each_signal_raises_where_work_is_done_and_is_noted_elsewhere(name: str, interrupts: Interrupts):
    number = getattr(signal, name, None)
    if number is None:
        pytest.skip("not on this system")
    with pytest.raises(KeyboardInterrupt), interrupts.raised():
        signal.raise_signal(number)
    signal.raise_signal(number)
    assert interrupts.exit_status == 128 + number


def test_further_signals_are_the_same_request_for_a_while(interrupts: Interrupts, clock: Clock):
    closed = []

    def work() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            clock.now += 0.9 * SAME_REQUEST
            signal.raise_signal(signal.SIGTERM)
            closed.append("worker")

    with pytest.raises(KeyboardInterrupt), interrupts.raised():
        work()
    assert closed
    clock.now += SAME_REQUEST
    with pytest.raises(KeyboardInterrupt), interrupts.raised():
        signal.raise_signal(signal.SIGTERM)
    assert interrupts.exit_status == 128 + signal.SIGINT


def test_what_was_only_noted_raises_as_soon_as_something_may(interrupts: Interrupts):
    signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), interrupts.raised():
        pytest.fail("was to be interrupted at once")
    with interrupts.raised():
        pass


def test_a_signal_that_comes_in_a_finalizer_is_not_lost(interrupts: Interrupts, capfd: pytest.CaptureFixture):
    """Python prints and drops what a finalizer raises."""

    class Finalized:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    def work() -> None:
        Finalized()
        for _ in range(6000):
            time.sleep(0.01)

    with pytest.raises(KeyboardInterrupt), interrupts.raised():
        work()
    assert capfd.readouterr().err == ""


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="POSIX signals")
@pytest.mark.usefixtures("interrupts")
def test_what_nohup_ignores_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        Interrupts().install()
        signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


# A race whose first part, which has no worker yet, takes no time.
PROGRAM = """
import sys
from benchmarks import __main__ as cli, ceilings
from benchmarks.interrupts import Interrupts
from benchmarks.results import Ceiling
interrupts = Interrupts()
interrupts.install()
ceilings.measure = lambda threads, dtype: Ceiling(threads, dtype, 1e11, 1e10)
sys.exit(cli.main(["--quick", "--data", "digits", "--peers", "numpy", "--out", sys.argv[1]], interrupts))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks for workers in /proc")
@pytest.mark.parametrize("sent", [["SIGTERM"], ["SIGHUP"], ["SIGTERM", "SIGHUP"], ["SIGINT"] * 3], ids="-".join)
def test_a_signal_ends_a_run_with_its_results_saved(sent: list[str], tmp_path: Path):
    folder, out = tmp_path / "temporary", tmp_path / "out"
    folder.mkdir()
    race = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(out)],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        worker = _worker(race, folder)
        for name in sent:
            race.send_signal(getattr(signal, name))
            time.sleep(0.05)
        _, said = race.communicate(timeout=60)
    finally:
        race.kill()
    assert "Traceback" not in said
    assert race.returncode == 128 + getattr(signal, sent[0])
    assert {cell.status for cell in Results.load(out / "results.json").cells} == {"interrupted"}
    assert (out / "report.html").exists()
    assert list(folder.iterdir()) == []
    assert not Path(f"/proc/{worker}").exists()


def _worker(race: subprocess.Popen, folder: Path) -> int:
    """The process of fastnn's worker, once it compiles."""
    while not list(folder.glob("fastnn-*/caches")):
        assert race.poll() is None, race.stderr.read()
        time.sleep(0.02)
    (child,) = Path(f"/proc/{race.pid}/task/{race.pid}/children").read_text().split()
    return int(child)
