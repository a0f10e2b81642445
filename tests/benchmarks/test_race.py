"""The race with a clock that only work moves, and with workers that are right, lie, hang and die."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from benchmarks.cases import Case, Model
from benchmarks.peers.base import Formulation
from benchmarks.peers.tuned_numpy import TunedNumPy
from benchmarks.race import FAILURES_IN_A_ROW, Plan, Race
from benchmarks.results import Cell
from benchmarks.run import expectations
from benchmarks.transport import WorkerLost

MODEL = Model((6, 5, 3), "sigmoid", "sgd", lr=0.1)
CASES = [Case(MODEL, n) for n in (2, 4)]
RNG = np.random.default_rng(0)
X, T = RNG.random((40, 6), np.float32), RNG.integers(0, 3, 40)
EXPECT = expectations({"mnist": (X, T)})
STEPS_PER_BURST = 10


class Clock:
    """Seconds pass only where somebody works or sleeps."""

    def __init__(self) -> None:
        self.now, self.slept = 0.0, []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class Worker:
    """Answers as a sound worker of the given speed (seconds per step) does; `change` falsifies its replies."""

    def __init__(self, peer: str, threads: int, hall: Hall) -> None:
        self.peer, self.threads, self.hall, self.closed = peer, threads, hall, False

    def request(self, message: dict[str, Any], timeout: float) -> dict[str, Any]:
        assert not self.closed
        self.hall.log.append((self.peer, message["do"]))
        reply = {"status": "ok"} | getattr(self, f"_{message['do']}")(message)
        change = self.hall.changes.get(self.peer)
        return change(message, reply) if change else reply

    def close(self) -> None:
        self.closed = True

    def _start(self, message: dict[str, Any]) -> dict[str, Any]:
        return {"import_seconds": 0.1, "formulation": Formulation()}

    def _prepare(self, message: dict[str, Any]) -> dict[str, Any]:
        case = message["case"]
        model = TunedNumPy(case, MODEL.initial_weights("float32"), case.batches(X, T))
        losses = [model.step(k) for k in range(message["steps"])]
        return {"losses": losses, "weights": model.weights(), "peak_memory": 1000}

    def _calibrate(self, message: dict[str, Any]) -> dict[str, Any]:
        return {"steps": STEPS_PER_BURST}

    def _burst(self, message: dict[str, Any]) -> dict[str, Any]:
        self.hall.warm.append(message["warm"])
        seconds = message["steps"] * self.hall.speeds[self.peer] * (1 + self.hall.clock.now)  # a machine that slows
        self.hall.clock.now += message["warm"] + seconds
        return {"seconds": seconds}

    def _peak(self, message: dict[str, Any]) -> dict[str, Any]:
        assert message["dtype"] == "float32"
        return {"flops_per_second": 1e9 * (1 + self.hall.clock.now)}


class Hall:
    """Where workers are started and everything they are asked is written down."""

    def __init__(self, **changes: Callable[[dict, dict], dict]) -> None:
        self.clock, self.changes = Clock(), changes
        self.speeds = {"slow": 2e-3, "fast": 1e-3, "other": 3e-3}
        self.log: list[tuple[str, str]] = []
        self.warm: list[float] = []
        self.started: list[Worker] = []
        self.peak_beside, self.floors = "", ()
        self.progress = Progress()

    def start(self, peer: str, threads: int) -> Worker:
        assert all(worker.closed for worker in self.started if worker.threads != threads), "one set of workers at once"
        self.started.append(Worker(peer, threads, self))
        return self.started[-1]

    def race(self, cases: list[Case], peers: tuple[str, ...] = ("slow", "fast"), **plan: Any) -> list[Cell]:
        race = Race(
            peers,
            Plan(**{"rounds": 4, "min_rounds": 2} | plan),
            "rows",
            EXPECT,
            self.start,
            self.progress,
            self.clock,
            self.clock.sleep,
            self.peak_beside,
            self.floors,
        )
        cells = race.run(cases)
        self.interrupted = race.interrupted
        assert all(worker.closed for worker in self.started)
        return cells

    def bursts(self) -> list[str]:
        return [peer for peer, did in self.log if did == "burst"]


class Progress:
    def __init__(self) -> None:
        self.units, self.lines = 0.0, []

    def doing(self, what: str) -> None:
        return

    def advance(self, units: float) -> None:
        assert units >= -1e-12
        self.units += units

    def done(self, what: str) -> None:
        self.lines.append(what)


def by_peer(cells: list[Cell]) -> dict[str, Cell]:
    return {cell.implementation: cell for cell in cells}


def test_samples_are_seconds_per_step_in_rounds_that_rotate():
    hall = Hall()
    cells = by_peer(hall.race(CASES[:1], ("slow", "fast", "other")))
    assert [cell.status for cell in cells.values()] == ["ok"] * 3
    rounds = [
        ("slow", "fast", "other"),
        ("fast", "other", "slow"),
        ("other", "slow", "fast"),
        ("slow", "fast", "other"),
    ]
    assert hall.bursts() == [peer for order in rounds for peer in order]
    assert [len(cell.samples) for cell in cells.values()] == [4, 4, 4]
    assert cells["slow"].samples[0] == pytest.approx(2e-3)
    # The machine slows down over the race; within a round everybody feels it, so that ratios stay.
    assert cells["slow"].samples[3] > 1.2 * cells["slow"].samples[0]
    ratios = np.array(cells["slow"].samples) / cells["fast"].samples
    assert np.median(ratios) == pytest.approx(2, rel=0.1)


def test_a_cell_carries_its_case_and_what_was_found_before_timing():
    cell = Hall().race(CASES[1:], ("fast",))[0]
    assert (cell.model, cell.batch_size, cell.dtype, cell.threads) == (MODEL.name, 4, "float32", 1)
    assert (cell.flops, cell.bytes_moved, cell.peak_memory) == (CASES[1].flops, CASES[1].bytes_moved, 1000)
    assert 0 < cell.max_error < 1


def test_rounds_end_with_the_time_but_not_before_the_least_number():
    hall = Hall()
    assert {len(cell.samples) for cell in hall.race(CASES[:1], rounds=30, min_rounds=3, case_seconds=1e-6)} == {3}
    hall = Hall()
    counts = {len(cell.samples) for cell in hall.race(CASES[:1], rounds=30, min_rounds=3, case_seconds=0.5)}
    assert counts == {9}  # of some 0.05 s and more each
    assert hall.progress.units == pytest.approx(1)


def test_the_peak_is_looked_at_after_each_burst_of_one():
    hall = Hall()
    hall.peak_beside = "fast"
    cells = by_peer(hall.race([Case(MODEL, 2, threads=2)], quiet=0.06, case_seconds=60))
    assert len(cells["fast"].peaks) == 4
    assert cells["fast"].peaks[3] > cells["fast"].peaks[0] > 1e9
    assert not cells["slow"].peaks
    did = [peer for peer, did in hall.log if did in ("burst", "peak")]
    assert did == ["slow", "fast", "fast", "fast", "fast", "slow"] * 2
    assert hall.clock.slept == [0.06] * 12

    lost = Hall(fast=lambda message, reply: {"status": "ok"} if message["do"] == "peak" else reply)
    lost.peak_beside = "fast"
    assert by_peer(lost.race(CASES[:1]))["fast"].reason == "reported None as flops_per_second"


def test_what_trains_nothing_is_timed_and_not_judged():
    def untrained(message: dict, reply: dict) -> dict:
        return reply | {"losses": [], "weights": []} if message["do"] == "prepare" else reply

    hall = Hall(other=untrained)
    assert by_peer(hall.race(CASES[:1], ("fast", "other")))["other"].status == "wrong"
    hall = Hall(other=untrained)
    hall.floors = ("other",)
    cells = by_peer(hall.race(CASES[:1], ("fast", "other")))
    assert [len(cell.samples) for cell in cells.values()] == [4, 4]


def test_several_threads_get_quiet_and_a_long_warm_up():
    hall = Hall()
    hall.race([Case(MODEL, 2, threads=2)], quiet=0.06, warm_many=0.04, warm_one=0.01)
    assert hall.clock.slept == [0.06] * 8
    assert set(hall.warm) == {0.04}
    alone = Hall()
    alone.race(CASES[:1])
    assert not alone.clock.slept
    assert set(alone.warm) == {0.01}


def test_thread_counts_run_one_after_the_other_and_come_back_in_the_order_asked_for():
    hall = Hall()
    cases = [Case(MODEL, n, threads=k) for n in (2, 4) for k in (2, 1)]
    cells = hall.race(cases, ("fast",))
    assert [(cell.batch_size, cell.threads) for cell in cells] == [(2, 2), (2, 1), (4, 2), (4, 1)]
    assert [worker.threads for worker in hall.started] == [1, 2]


def lie(**false: Any) -> Callable[[dict, dict], dict]:
    return lambda message, reply: reply | false if message["do"] == "prepare" else reply


def lie_about(key: str, falsify: Callable[[list], list]) -> Callable[[dict, dict], dict]:
    return lambda message, reply: reply | {key: falsify(reply[key])} if message["do"] == "prepare" else reply


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(lie_about("losses", lambda v: [*v[:-1], v[-1] * 1.001]), "loss of step 5", id="a wrong loss"),
        pytest.param(lie_about("losses", lambda v: [np.nan, *v[1:]]), "not finite", id="a loss of nan"),
        pytest.param(lie_about("losses", lambda v: v[:-1]), "4 losses", id="a missing loss"),
        pytest.param(lie_about("weights", lambda v: [w * 1.01 for w in v]), "times the tolerance", id="wrong weights"),
        pytest.param(lie_about("weights", lambda v: [w + np.inf for w in v]), "not finite", id="infinite weights"),
        pytest.param(lie_about("weights", lambda v: [w.T for w in v]), "shapes", id="transposed weights"),
        pytest.param(lie(losses=None), "no losses and weights", id="no losses"),
        pytest.param(lie(weights="heavy"), "", id="weights that are none"),
    ],
)
def test_a_liar_is_wrong_and_never_timed(change: Callable, says: str):
    hall = Hall(fast=change)
    cells = by_peer(hall.race(CASES[:1]))
    assert cells["fast"].status == "wrong"
    assert says in cells["fast"].reason
    assert cells["fast"].reason
    assert not cells["fast"].samples
    assert set(hall.bursts()) == {"slow"}
    assert cells["slow"].status == "ok"


@pytest.mark.parametrize("seconds", [0.0, -1.0, np.nan, np.inf, None, "soon"])
def test_a_burst_without_a_time_loses_the_cell(seconds: Any):
    change = lambda message, reply: reply | {"seconds": seconds} if message["do"] == "burst" else reply  # noqa: E731
    cells = by_peer(Hall(fast=change).race(CASES[:1]))
    assert cells["fast"].status == "wrong"
    assert not cells["fast"].samples
    assert len(cells["slow"].samples) == 4


def lose(do: str, lost: WorkerLost, after: int = 0, times: int = 1) -> Callable[[dict, dict], dict]:
    seen = iter(range(10**6))

    def change(message: dict, reply: dict) -> dict:
        if message["do"] == do and after <= next(seen) < after + times:
            raise lost
        return reply

    return change


@pytest.mark.parametrize("do", ["prepare", "calibrate", "burst"])
@pytest.mark.parametrize("status", ["died", "timeout"])
def test_a_lost_worker_leaves_one_cell_without_a_time_and_is_started_again_for_the_next_case(do: str, status: str):
    hall = Hall(fast=lose(do, WorkerLost(status, "exit code 3")))
    first, second = _halves(hall.race(CASES))
    assert (first["fast"].status, first["fast"].reason, first["fast"].samples) == (status, "exit code 3", [])
    assert second["fast"].status == "ok"
    assert [worker.peer for worker in hall.started] == ["slow", "fast", "fast"]
    assert [len(cells["slow"].samples) for cells in (first, second)] == [4, 4]


def _halves(cells: list[Cell]) -> tuple[dict[str, Cell], dict[str, Cell]]:
    return by_peer(cells[: len(cells) // 2]), by_peer(cells[len(cells) // 2 :])


def test_dying_in_a_later_round_leaves_the_others_all_their_rounds():
    hall = Hall(fast=lose("burst", WorkerLost("died", "killed by SIGSEGV"), after=2))
    cells = by_peer(hall.race(CASES[:1], ("slow", "fast", "other")))
    assert (cells["fast"].status, cells["fast"].samples) == ("died", [])
    assert [len(cells[peer].samples) for peer in ("slow", "other")] == [4, 4]
    assert hall.progress.units == pytest.approx(1)


def test_who_is_lost_again_and_again_is_not_waited_for_on_every_case():
    hall = Hall(fast=lose("prepare", WorkerLost("timeout", "no answer within 300 s"), times=99))
    cases = [Case(MODEL, n) for n in (1, 2, 3, 4, 5)]
    untimed = [cell for cell in hall.race(cases) if cell.implementation == "fast"]
    assert {cell.status for cell in untimed} == {"timeout"}
    assert [worker.peer for worker in hall.started].count("fast") == FAILURES_IN_A_ROW
    assert "not tried" in untimed[-1].reason
    assert "no answer within 300 s" in untimed[-1].reason


@pytest.mark.parametrize("status", ["missing", "died"])
def test_who_cannot_start_is_marked_in_every_case_and_started_once(status: str):
    reason = "not installed: torch (pip install torch)"
    change = lambda message, reply: {"status": status, "reason": reason} if message["do"] == "start" else reply  # noqa: E731
    hall = Hall(fast=change)
    cells = [cell for cell in hall.race(CASES) if cell.implementation == "fast"]
    assert [(cell.status, cell.reason) for cell in cells] == [(status, reason)] * 2
    assert [worker.peer for worker in hall.started].count("fast") == 1


def test_a_case_that_a_peer_has_no_way_to_run_is_missing_there_alone():
    def change(message: dict, reply: dict) -> dict:
        if message["do"] == "prepare" and message["case"].batch_size == 2:
            return {"status": "missing", "reason": "written for odd batches"}
        return reply

    first, second = _halves(Hall(fast=change).race(CASES))
    assert (first["fast"].status, first["fast"].reason) == ("missing", "written for odd batches")
    assert second["fast"].status == "ok"


@pytest.mark.parametrize("reply", [{}, {"status": "fine"}])
def test_a_reply_that_is_none_loses_the_cell(reply: dict):
    cells = by_peer(Hall(fast=lambda message, _: reply).race(CASES[:1]))
    assert cells["fast"].status == "died"
    assert "no reply" in cells["fast"].reason


def test_ctrl_c_keeps_what_was_measured_and_marks_the_rest():
    def interrupt(message: dict, reply: dict) -> dict:
        if message["do"] == "burst" and message["steps"] and hall.bursts().count("fast") > 5:
            raise KeyboardInterrupt
        return reply

    hall = Hall(fast=interrupt)
    cells = hall.race([*CASES, Case(MODEL, 8)])
    assert hall.interrupted
    assert [cell.status for cell in cells] == ["ok"] * 2 + ["interrupted"] * 4
    assert all(len(cell.samples) == 4 for cell in cells[:2])
    assert all("interrupted" in cell.reason and not cell.samples for cell in cells[2:])
