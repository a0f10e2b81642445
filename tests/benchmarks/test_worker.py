"""The worker: what it times, with a clock of its own; and the process around it, with real ones that go wrong."""

from __future__ import annotations

import gc
import os
import signal
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import memory, rows
from benchmarks.cases import Case, Model
from benchmarks.peers import Unavailable
from benchmarks.peers.base import Peer
from benchmarks.peers.tuned_numpy import TunedNumPy
from benchmarks.transport import ProcessTransport, WorkerLost, start_worker, without_paths, worker_environment
from benchmarks.worker import MAX_STEPS, SETTLING_STEPS, WARM_STEPS, Worker

CASE = Case(Model((6, 5, 3), "sigmoid", "sgd", lr=0.1), 4)


class Stepper(Peer):
    """Takes `seconds` per step on the clock that it is, and remembers how long it trains without a restart."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.now, self.runs, self.pending, self.collecting = seconds, 0.0, [0], 0.0, []

    def __call__(self) -> float:
        return self.now

    def restart(self) -> None:
        self.runs.append(0)

    def step(self, k: int) -> int:
        self.collecting.append(gc.isenabled())
        self.runs[-1] += 1
        self.pending += self.seconds  # done once it is waited for
        return k

    def synchronise(self, value: int) -> None:
        self.now += self.pending
        self.pending = 0.0

    def weights(self) -> list[np.ndarray]:
        return []


class Epoch(Stepper):
    """The same steps in one call, which takes as long as `overhead` of them besides; each number of steps must be
    compiled before it is timed."""

    in_one_call, overhead = True, 3

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.compiled, self.calls = {SETTLING_STEPS}, []

    def ready(self, count: int) -> None:
        self.compiled.add(count)

    def steps(self, first: int, count: int) -> int:
        assert count in self.compiled
        self.calls.append((first, count))
        self.pending += self.overhead * self.seconds
        return super().steps(first, count)


def worker(stepper: Stepper) -> Worker:
    made = Worker("numpy", 1, clock=stepper)
    made._model = stepper
    return made


def test_a_burst_times_its_steps_alone_to_their_end():
    stepper = Stepper(1e-3)
    reply = worker(stepper).handle({"do": "burst", "steps": 7, "warm": 0.02})
    assert reply == {"status": "ok", "seconds": pytest.approx(7e-3)}
    assert stepper.runs == [0, 20, SETTLING_STEPS + 7]
    assert stepper.collecting[-7:] == [False] * 7
    assert gc.isenabled()


def test_the_settling_of_slow_steps_is_warm_up_enough():
    stepper = Stepper(1.0)
    worker(stepper).handle({"do": "burst", "steps": 1, "warm": 0.01})
    assert stepper.runs == [0, SETTLING_STEPS + 1]


def test_no_implementation_trains_into_denormals_however_fast_it_is():
    stepper = Stepper(1e-6)
    made = worker(stepper)
    steps = made.handle({"do": "calibrate", "target": 0.01})["steps"]
    made.handle({"do": "burst", "steps": steps, "warm": 0.04})
    assert steps == MAX_STEPS
    assert max(stepper.runs) <= max(MAX_STEPS + SETTLING_STEPS, WARM_STEPS)


def test_many_steps_in_one_call_are_timed_as_one_call():
    epoch = Epoch(1e-3)
    reply = worker(epoch).handle({"do": "calibrate", "target": 0.1})
    assert reply == {"status": "ok", "steps": 97}  # 84 steps took as long as 87, and every number was compiled
    epoch.calls.clear()
    reply = worker(epoch).handle({"do": "burst", "steps": 97, "warm": 0.3})
    assert reply == {"status": "ok", "seconds": pytest.approx(100e-3)}
    assert epoch.calls == [
        (0, SETTLING_STEPS),
        (SETTLING_STEPS, 97),
        (SETTLING_STEPS + 97, 97),
        (0, 97),  # after a restart: a third call would train beyond WARM_STEPS
        (0, SETTLING_STEPS),
        (SETTLING_STEPS, 97),
    ]


def test_not_even_many_steps_in_one_call_train_into_denormals():
    epoch = Epoch(1e-6)
    epoch.ready(MAX_STEPS)
    worker(epoch).handle({"do": "burst", "steps": MAX_STEPS, "warm": 0.04})
    assert max(epoch.runs) == MAX_STEPS + SETTLING_STEPS


@pytest.mark.parametrize(("seconds", "steps"), [(1e-3, 10), (0.004, 2), (0.5, 1), (1e-4, 100)])
def test_bursts_are_calibrated_to_the_target(seconds: float, steps: int):
    assert worker(Stepper(seconds)).handle({"do": "calibrate", "target": 0.01})["steps"] == steps


def test_flags_of_a_peer_are_added_to_those_that_are_there(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XLA_FLAGS", "--of=threads")
    monkeypatch.setenv("BACKEND", "one")
    environment = {"XLA_FLAGS": "--of=peer", "BACKEND": "another"}
    made = Worker("numpy", 1)
    made._info = replace(made._info, environment=environment)
    assert made.handle({"do": "start"})["status"] == "ok"
    assert os.environ["XLA_FLAGS"] == "--of=peer --of=threads"
    assert os.environ["BACKEND"] == "another"


def test_an_exception_becomes_a_reply(capfd: pytest.CaptureFixture):
    stepper = Stepper(1.0)
    stepper.step = lambda k: 1 // 0
    reply = worker(stepper).handle({"do": "burst", "steps": 1, "warm": 0.0})
    assert reply["status"] == "died"
    assert reply["reason"].startswith("raised ZeroDivisionError: ")
    stepper.step = lambda k: (_ for _ in ()).throw(Unavailable("needs a compiler"))
    assert worker(stepper).handle({"do": "burst", "steps": 1, "warm": 0.0}) == {
        "status": "missing",
        "reason": "needs a compiler",
    }


@pytest.fixture
def data(tmp_path: Path) -> str:
    rng = np.random.default_rng(0)
    return rows.save(tmp_path, {"mnist": (rng.random((40, 6), np.float32), rng.integers(0, 3, 40))})


def test_a_real_worker_from_start_to_end(data: str):
    transport = start_worker("numpy", 1)
    try:
        started = transport.request({"do": "start"}, 60)
        weights = CASE.model.initial_weights("float32")
        prepared = transport.request({"do": "prepare", "case": CASE, "rows": data, "weights": weights, "steps": 3}, 60)
        calibrated = transport.request({"do": "calibrate", "target": 1e-3}, 60)
        burst = transport.request({"do": "burst", "steps": calibrated["steps"], "warm": 0.0}, 60)
        peak = transport.request({"do": "peak", "dtype": "float32"}, 60)
        told = transport.request({"do": "vectors"}, 60)
    finally:
        transport.close()
    assert started["import_seconds"] > 0
    assert started["formulation"] == TunedNumPy.formulation
    model = TunedNumPy(CASE, CASE.model.initial_weights("float32"), CASE.batches(*rows.load(data, "mnist")))
    assert prepared["losses"] == pytest.approx([model.step(k) for k in range(3)])
    for got, expected in zip(prepared["weights"], model.weights(), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5)
    assert (prepared["peak_memory"] is not None) == (sys.platform == "linux")
    assert 1 <= calibrated["steps"] <= MAX_STEPS
    assert burst["seconds"] > 0
    assert 1e9 < peak["flops_per_second"] < 1e12
    assert list(told["reports"]) == ["NumPy", "BLAS"]
    assert told["avx512"] in (True, False, None)


def run_code(code: str, **environment: str) -> ProcessTransport:
    """A process of these lines instead of a worker, with `replies` as its private stream."""
    first = "import os, pickle, sys, time; from benchmarks.worker import private_stdout; replies = private_stdout()"
    return ProcessTransport(
        [sys.executable, "-c", f"{first}\n{textwrap.dedent(code)}"], worker_environment(1) | environment
    )


def request(transport: ProcessTransport, timeout: float = 30.0) -> Any:
    try:
        return transport.request({"do": "anything"}, timeout)
    finally:
        transport.close()


def test_what_libraries_print_does_not_disturb_the_replies():
    transport = run_code("""
        request = pickle.load(sys.stdin.buffer)
        print("welcome to my library")
        os.write(1, b"from C")
        os.system("echo from a child")
        pickle.dump({"status": "ok", "got": request["do"]}, replies); replies.flush()
        time.sleep(60)
    """)
    assert request(transport) == {"status": "ok", "got": "anything"}


def test_a_worker_that_hangs_is_killed_with_its_children(tmp_path: Path):
    note = tmp_path / "child"
    transport = run_code(f"""
        import subprocess
        child = subprocess.Popen(["sleep", "300"])
        open({str(note)!r}, "w").write(str(child.pid))
        print("about to hang", file=sys.stderr)
        time.sleep(300)
    """)
    while not (note.exists() and note.read_text()):
        pass
    with pytest.raises(WorkerLost, match=r"no answer within 0\.2 s") as lost:
        transport.request({"do": "anything"}, 0.2)
    assert lost.value.status == "timeout"
    assert _gone(int(note.read_text()))
    transport.close()


def _gone(pid: int) -> bool:
    """Dead, or dead but not yet collected by whoever inherited it."""
    stat = Path(f"/proc/{pid}/stat")
    for _ in range(1000):
        try:
            os.kill(pid, 0)
            if stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except OSError:
            return True
        os.sched_yield()
    return False


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        pytest.param("sys.exit(7)", "exit code 7", id="exits"),
        pytest.param(
            "raise SystemError('cannot load /home/ann/lib/libx.so')", "SystemError: cannot load libx.so", id="raises"
        ),
        pytest.param("os.kill(os.getpid(), 11)", "killed by SIGSEGV", id="crashes"),
        pytest.param(
            "replies.write(b'hello, world'); replies.flush(); time.sleep(60)", "no reply", id="prints garbage"
        ),
        pytest.param("replies.write(b'\\x80\\x05'); replies.close(); sys.exit(9)", "", id="answers half"),
        pytest.param(
            "pickle.dump([1], replies); replies.flush(); time.sleep(60)", "no reply", id="answers with a list"
        ),
    ],
)
def test_a_worker_that_dies_or_babbles_is_lost_with_the_reason(code: str, reason: str):
    with pytest.raises(WorkerLost) as lost:
        request(run_code(code))
    assert lost.value.status == "died"
    assert reason in str(lost.value)


def test_a_worker_that_is_gone_before_it_is_asked_is_lost_too():
    transport = run_code("sys.exit(3)")
    transport._process.wait()
    with pytest.raises(WorkerLost, match="exit code 3"):
        request(transport)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_worker_ends_with_the_race_and_ignores_its_ctrl_c():
    transport = start_worker("numpy", 1)
    assert os.getpgid(transport._process.pid) != os.getpgid(0)
    assert transport.request({"do": "start"}, 60)["status"] == "ok"
    transport._process.stdin.close()  # as when the race is killed
    assert transport._process.wait(timeout=30) == 0
    transport.close()
    assert signal.getsignal(signal.SIGINT) is not None


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no CPU affinity")
def test_a_worker_keeps_to_its_cpus_and_threads():
    transport = run_code("""
        from benchmarks.worker import confine
        confine(1)
        found = {"status": "ok", "cpus": os.sched_getaffinity(0), "env": dict(os.environ)}
        pickle.dump(found, replies); replies.flush()
    """)
    reply = request(transport)
    assert reply["cpus"] == {min(os.sched_getaffinity(0))}
    assert reply["env"]["OPENBLAS_NUM_THREADS"] == reply["env"]["NUMBA_NUM_THREADS"] == "1"
    assert "--xla_cpu_multi_thread_eigen=false" in reply["env"]["XLA_FLAGS"].split()
    assert "eigen" not in worker_environment(2).get("XLA_FLAGS", "")
    # XLA reads no further than to a word that is no flag.
    assert all(word.startswith("--") for word in reply["env"]["XLA_FLAGS"].split())
    assert worker_environment(2)["OMP_NUM_THREADS"] == "2"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FileNotFoundError: '/home/ann/fastnn/x.so'", "FileNotFoundError: 'x.so'"),
        (r"cannot open C:\Users\ann\x.dll", "cannot open x.dll"),
        ("3/4 of 1 / 2, see https://numba.org/docs", "3/4 of 1 / 2, see https://numba.org/docs"),
        ("/tmp", "/tmp"),
    ],
)
def test_reasons_tell_no_paths(text: str, expected: str):
    assert without_paths(text) == expected


@pytest.mark.skipif(sys.platform != "linux", reason="known on Linux alone")
def test_peak_memory_sees_what_was_held_for_a_moment():
    memory.release()
    before = memory.resident()
    assert memory.reset_peak()
    block = np.ones(8 * 2**20)  # 64 MiB
    del block
    assert 60 * 2**20 < memory.peak() - before < 90 * 2**20
    memory.reset_peak()
    assert memory.peak() - before < 10 * 2**20
