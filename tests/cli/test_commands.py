"""Commands about fastnn itself: info, verify, warmup; how commands are called, and how they end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

import fastnn
from fastnn import warmup
from fastnn.activations import Activation
from fastnn.cli import main as cli
from fastnn.cli import verify
from fastnn.cli.choices import OPTIMIZERS, SCHEDULES
from fastnn.cli.main import main
from fastnn.losses import Loss
from fastnn.ops import DECLARED
from fastnn.optimizers import RULES
from fastnn.units import UNITS


def test_info(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info"]) == 0
    printed = capsys.readouterr().out
    for word in (fastnn.__version__, "NumPy", "vector registers", "bits", "kernel cache"):
        assert word in printed


def test_verify_fails_for_a_wrong_kernel(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    class Wrong:
        declaration = fastnn.relu.declaration

        def __call__(self, x):
            return x

    monkeypatch.setattr(verify, "DECLARED", {"tanh": fastnn.tanh})
    assert main(["verify"]) == 0
    monkeypatch.setattr(verify, "DECLARED", {"relu": Wrong()})
    assert main(["verify"]) == 1
    assert "WRONG" in capsys.readouterr().out


@pytest.mark.exhaustive
def test_warmup_leaves_nothing_to_compile(tmp_path: Path) -> None:
    environment = {**os.environ, "FASTNN_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "fastnn", "warmup"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr
    assert "ready in" in done.stdout
    program = """
import numpy as np, fastnn
from fastnn.step import train_step
x, t = np.ones((5, 3), np.float32), np.zeros(5, int)
fastnn.MLP((3, 2)).train_step(x, t, fastnn.Adam())
fastnn.softmax(x)
print(*(sum(k.stats.cache_misses.values()) for k in (train_step.train_step, fastnn.softmax.kernel)))
"""
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=100)
    assert done.stdout.split() == ["0", "0"], done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fly"], "COMMAND: invalid choice: 'fly' .choose from .*warmup.*"),
        (["info", "--fast"], r"unrecognized arguments: --fast .*"),
        (["train"], r"missing: DATA .*"),
        (["train", "digits", "--epochs", "many"], r"--epochs: got 'many', expected a whole number of at least 1 .*"),
        (["train", "digits", "--epoch", "1"], r"unrecognized arguments: --epoch 1 .*"),
        (["train", "digits", "--dtype", "int8"], r"--dtype: invalid choice: 'int8' .*"),
    ],
)
def test_usage_errors_are_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert re.fullmatch(rf"fastnn: error: {message}\(see fastnn.* --help\)\n", printed.err), printed.err


def test_without_a_command_there_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error, and no success: a script that forgot the command must not go on."""
    assert main([]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == cli.parser().format_help()


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"fastnn {fastnn.__version__}\n"


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    for word in (*cli.COMMANDS, "fastnn train mnist --layers 784-128-10", "exit status"):
        assert word in printed
    assert main(["train", "--help"]) == 0
    printed = capsys.readouterr().out
    for word in (*Activation.by_name, *Loss.by_name, *OPTIMIZERS, *SCHEDULES, "default 32", "examples:"):
        assert word in printed
    for name in cli.COMMANDS:
        assert main([name, "--help"]) == 0


def test_help_needs_little() -> None:
    """What only some commands need is not imported for all."""
    program = (
        "import sys; from fastnn.cli.main import main; main(['train', '--help']); "
        "print([m for m in ('pandas', 'matplotlib', 'rich', 'sklearn', 'urllib.request', "
        "'concurrent.futures.process') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.splitlines()[-1] == "[]"
    assert done.stderr == ""


def test_an_interrupted_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(options: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.info, "run", interrupted)
    assert main(["info"]) == 130
    assert capsys.readouterr().err == "fastnn: error: interrupted\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no full device here")
def test_results_that_cannot_be_written() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "fastnn", "info"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=120
        )
    assert (done.returncode, done.stderr) == (
        1,
        "fastnn: error: standard output cannot be written to (No space left on device)\n",
    )


def test_nobody_reads() -> None:
    """As `| head` ends."""
    done = subprocess.Popen([sys.executable, "-m", "fastnn", "info"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.stdout is not None
    assert done.stderr is not None
    done.stdout.close()
    assert (done.stderr.read(), done.wait(120)) == (b"", 0)


def test_every_kernel_is_warmed() -> None:
    names = [name for name, _ in warmup.tasks()]
    assert len(names) == len(set(names))
    assert {name.split()[0] for name in names if "," not in name} == set(DECLARED)
    items = {*Loss.by_name, *Activation.by_name, *RULES}
    assert {name.split()[2] for name in names if name.startswith("training")} == items
    assert {name.split()[1] for name in names if name.startswith("unit")} == set(UNITS)


# The processes of the pool import it too, under another name, and so find its tasks.
THREE_TASKS = """
import os, sys
import numpy as np
import fastnn
from fastnn import warmup
from fastnn.cli.main import main

def raises():
    raise ValueError("no such thing")

def three_tasks():
    yield "relu float32", lambda: fastnn.relu(np.ones(2, np.float32))
    yield "hopeless", raises
    yield "killed", lambda: os._exit(1)

warmup.tasks = three_tasks
warmup.physical_cores = lambda: 1
if __name__ == "__main__":
    sys.exit(main(["warmup"]))
"""


def test_warmup_says_what_failed_and_does_the_rest(tmp_path: Path) -> None:
    program = tmp_path / "three_tasks.py"
    program.write_text(THREE_TASKS)
    environment = {**os.environ, "FASTNN_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run([sys.executable, program], env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 1, done.stderr
    hopeless, killed = done.stderr.splitlines()
    assert hopeless == "hopeless: ValueError: no such thing"
    assert killed.startswith("killed: BrokenProcessPool: ")
    assert re.fullmatch(r"1 of 3 tasks ready in [\d.]+ s: \d+ MB in .*cache.*\n", done.stdout)
    assert list((tmp_path / "cache").rglob("*relu*.kernel"))


ENDLESS_TASKS = """
import os, signal, sys, time
from fastnn import warmup
from fastnn.cli.main import main

def endless():
    print(os.getpid(), flush=True)
    while True:
        time.sleep(0.01)

warmup.tasks = lambda: iter([("one", endless), ("two", endless)])
warmup.physical_cores = lambda: 1
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # tests may run where it is ignored
    sys.exit(main(["warmup"]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_processes_of_a_warmup_end_with_it(tmp_path: Path) -> None:
    """The signal is sent to the parent alone."""
    program = tmp_path / "endless_tasks.py"
    program.write_text(ENDLESS_TASKS)
    ends = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -signal.SIGKILL}
    with ExitStack() as stack:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        running = {number: stack.enter_context(subprocess.Popen([sys.executable, program], **pipes)) for number in ends}
        for parent in running.values():
            stack.callback(parent.kill)
        for number, parent in running.items():
            assert parent.stdout is not None
            worker = int(parent.stdout.readline())
            stack.callback(kill_if_there, worker)
            parent.send_signal(number)
            # Both pipes are closed by the last process that has them.
            out, said = parent.communicate(timeout=60)
            assert (out, parent.returncode) == ("", ends[number])
            assert ("the next warmup goes on from there" in said) is (number != signal.SIGKILL)
            assert "Traceback" not in said


def kill_if_there(process: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def test_warmup_shows_progress_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    def run_tasks() -> Iterator[tuple[str, None]]:
        yield "relu float32", None
        raise KeyboardInterrupt

    monkeypatch.setattr(warmup, "run_tasks", run_tasks)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main(["warmup"]) == 130
    printed = capsys.readouterr()
    assert f"  1 of {len(list(warmup.tasks()))}  relu float32" in printed.err
    assert "interrupted" in printed.err
    assert printed.out == ""
