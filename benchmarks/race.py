"""The race: every implementation on every case, side by side, so that each round compares them under one weather.

One worker process per implementation, one at work at a time. In every round each runs one burst, the order rotated;
round k of one is comparable with round k of the other. An implementation is verified on the case before it is timed.
Whatever goes wrong leaves one cell without a time, says why, and never ends the run.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.cases import Case
from benchmarks.peers.base import Formulation
from benchmarks.progress import Progress
from benchmarks.results import Cell, Status
from benchmarks.transport import Transport, WorkerLost
from benchmarks.verify import Expectation, Verdict, steps_of

StartWorker = Callable[[str, int], Transport]

START_TIMEOUT = 180.0  # seconds; a cold import of a large framework from a slow disk
PREPARE_TIMEOUT = 300.0  # compilation included
BURST_TIMEOUT = 60.0
FAILURES_IN_A_ROW = 2  # timeouts or deaths after which an implementation is not tried on further cases

PREPARE_SHARE = 0.25  # of a case's work, for the progress bar


@dataclass(frozen=True)
class Plan:
    """How much is measured per case; times in seconds."""

    rounds: int = 30
    min_rounds: int = 6  # the fewest that give an interval of 95%
    case_seconds: float = 1.2  # no further round, beyond the least number, once the rounds have taken this long
    burst_seconds: float = 0.01
    warm_one: float = 0.01  # with one thread: caches and branch predictors
    warm_many: float = 0.1  # with several: freshly woken threads start on one core, and may stay there for 75 ms
    quiet: float = 0.06  # with several: idle pools spin for up to 30 ms and would steal the next one's cores


class Runner:
    """One implementation at one thread count; its worker is started when needed, and again after it was gone."""

    def __init__(self, peer_id: str, threads: int, start_worker: StartWorker) -> None:
        self.peer_id, self._threads, self._start_worker = peer_id, threads, start_worker
        self._transport: Transport | None = None
        self._hopeless: tuple[str, str] | None = None
        self._failures = 0
        self.formulation = Formulation()

    def request(self, timeout: float, do: str, **arguments: Any) -> dict[str, Any]:
        """The worker's reply, "ok"; WorkerLost with the status and the reason of a cell without a time otherwise."""
        if self._hopeless:
            raise WorkerLost(*self._hopeless)
        if self._transport is None:
            self._start()
        try:
            reply = self._checked(self._transport.request({"do": do, **arguments}, timeout))
        except WorkerLost as lost:
            self.close()
            self._count(lost)
            raise
        if do == "burst":
            self._failures = 0
        return reply

    def close(self) -> None:
        """End the worker, if there is one."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def _start(self) -> None:
        """A failure here (not installed, does not import) would only repeat itself: it stands for every case."""
        try:
            self._transport = self._start_worker(self.peer_id, self._threads)
            reply = self._checked(self._transport.request({"do": "start"}, START_TIMEOUT))
        except WorkerLost as lost:
            self._hopeless = (lost.status, str(lost))
            self.close()
            raise
        self.formulation = reply.get("formulation", Formulation())

    def _count(self, lost: WorkerLost) -> None:
        if lost.status == "missing":
            return
        self._failures += 1
        if self._failures >= FAILURES_IN_A_ROW:
            self._hopeless = (lost.status, f"not tried after {self._failures} failures in a row, the last: {lost}")

    @staticmethod
    def _checked(reply: Mapping[str, Any]) -> dict[str, Any]:
        status = reply.get("status")
        if status == "ok":
            return dict(reply)
        if status in ("missing", "died"):
            raise WorkerLost(status, str(reply.get("reason", "")))
        raise WorkerLost("died", "answered with something that is no reply")


class Race:
    """Runs cases; `expect(case, formulation)` tells what is right, `rows` is the path that the workers load from.

    After each burst of `peak_beside` its worker looks what the machine does at most: shared machines change from one
    minute to the next. `floors` take part, but train nothing that could be judged.
    """

    def __init__(
        self,
        peers: Sequence[str],
        plan: Plan,
        rows: str,
        expect: Callable[[Case, Formulation], Expectation],
        start_worker: StartWorker,
        progress: Progress,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
        peak_beside: str = "",
        floors: Collection[str] = (),
    ) -> None:
        self.peers, self._plan, self._rows, self._expect = list(peers), plan, rows, expect
        self._start_worker, self._progress, self._clock, self._sleep = start_worker, progress, clock, sleep
        self._peak_beside, self._floors = peak_beside, floors
        self.interrupted = False

    def run(self, cases: Sequence[Case]) -> list[Cell]:
        """One cell per case and implementation, in the given order; those that Ctrl-C kept from being measured say so.

        Thread counts are taken one after the other, so that only one set of workers is in memory.
        """
        done: dict[Case, list[Cell]] = {}
        try:
            for threads in sorted({case.threads for case in cases}):
                runners = [Runner(peer, threads, self._start_worker) for peer in self.peers]
                try:
                    for case in cases:
                        if case.threads == threads:
                            done[case] = self._run_case(case, runners)
                finally:
                    for runner in runners:
                        runner.close()
        except KeyboardInterrupt:
            self.interrupted = True
        return [cell for case in cases for cell in done.get(case) or unreached([case], self.peers)]

    def _run_case(self, case: Case, runners: list[Runner]) -> list[Cell]:
        cells: dict[str, Cell] = {}
        steps: dict[str, int] = {}
        begin = self._clock()
        for runner in runners:
            self._progress.doing(f"{case.name}: verifying {runner.peer_id}")
            try:
                cells[runner.peer_id] = self._verified(case, runner)
                if cells[runner.peer_id].status == "ok":
                    reply = runner.request(BURST_TIMEOUT, "calibrate", target=self._plan.burst_seconds)
                    steps[runner.peer_id] = _positive(reply, "steps", int)
            except WorkerLost as lost:
                cells[runner.peer_id] = _cell(case, runner.peer_id, lost.status, str(lost))
            self._progress.advance(PREPARE_SHARE / len(runners))
        self._rounds(case, [runner for runner in runners if runner.peer_id in steps], cells, steps)
        untimed = [f"{cell.implementation} {cell.status}" for cell in cells.values() if cell.status != "ok"]
        self._progress.done(f"{case.name}, {self._clock() - begin:.1f} s{': ' if untimed else ''}{', '.join(untimed)}")
        return list(cells.values())

    def _verified(self, case: Case, runner: Runner) -> Cell:
        """The cell so far: "ok" without samples, or "wrong"."""
        weights = case.model.initial_weights(case.dtype)
        reply = runner.request(
            PREPARE_TIMEOUT, "prepare", case=case, rows=self._rows, weights=weights, steps=steps_of(case)
        )
        if runner.peer_id in self._floors:
            return _cell(case, runner.peer_id, "ok", "")
        try:
            verdict = self._expect(case, runner.formulation).judge(reply["losses"], reply["weights"])
        except (KeyError, TypeError, ValueError) as error:
            verdict = Verdict(None, f"returned no losses and weights to compare ({type(error).__name__})")
        status = "wrong" if verdict.reason else "ok"
        cell = _cell(case, runner.peer_id, status, verdict.reason)
        cell.max_error, cell.peak_memory = verdict.error, reply.get("peak_memory")
        return cell

    def _rounds(self, case: Case, runners: list[Runner], cells: dict[str, Cell], steps: dict[str, int]) -> None:
        """Fill the cells' samples; that of an implementation whose worker is lost on the way stays without a time."""
        plan, many = self._plan, case.threads > 1
        warm = plan.warm_many if many else plan.warm_one
        begin, reported = self._clock(), 0.0
        for k in range(plan.rounds):
            spent = self._clock() - begin
            if not runners or (k >= plan.min_rounds and spent >= plan.case_seconds):
                break
            self._progress.doing(f"{case.name}: round {k + 1}")
            turn = k % len(runners)
            for runner in runners[turn:] + runners[:turn]:
                if many:
                    self._sleep(plan.quiet)
                try:
                    reply = runner.request(BURST_TIMEOUT, "burst", steps=steps[runner.peer_id], warm=warm)
                    seconds = _positive(reply, "seconds", float)
                    if runner.peer_id == self._peak_beside:
                        cells[runner.peer_id].peaks.append(self._peak(case, runner))
                except WorkerLost as lost:
                    cells[runner.peer_id] = _cell(case, runner.peer_id, lost.status, str(lost))
                    runners = [other for other in runners if other is not runner]
                else:
                    cells[runner.peer_id].samples.append(seconds / steps[runner.peer_id])
            done = (1 - PREPARE_SHARE) * min(1.0, max((k + 1) / plan.rounds, spent / plan.case_seconds))
            self._progress.advance(done - reported)
            reported = done
        self._progress.advance(1 - PREPARE_SHARE - reported)

    def _peak(self, case: Case, runner: Runner) -> float:
        """The machine's, in floating-point operations per second."""
        if case.threads > 1:
            self._sleep(self._plan.quiet)
        return _positive(runner.request(BURST_TIMEOUT, "peak", dtype=case.dtype), "flops_per_second", float)


def unreached(cases: Sequence[Case], peers: Sequence[str]) -> list[Cell]:
    """The cells of cases that Ctrl-C kept from being measured."""
    return [_cell(case, peer, "interrupted", "the run was interrupted") for case in cases for peer in peers]


def _positive(reply: Mapping[str, Any], key: str, kind: type) -> Any:
    """A reply's number, which a worker may have got wrong."""
    value = reply.get(key)
    if isinstance(value, kind) and 0 < value < math.inf:
        return value
    raise WorkerLost("wrong", f"reported {value!r} as {key}")


def _cell(case: Case, peer_id: str, status: Status, reason: str) -> Cell:
    return Cell(
        model=case.model.name,
        model_label=case.model.label,
        batch_size=case.batch_size,
        dtype=case.dtype,
        threads=case.threads,
        implementation=peer_id,
        status=status,
        reason=reason,
        flops=float(case.flops),
        bytes_moved=float(case.bytes_moved),
        data=case.model.data,
        rows=case.trained_rows,
    )
