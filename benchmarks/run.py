"""The main job: ceilings, start-up times, race and kernel errors, gathered in one `Results`.

Compiled code is cached in a folder of the run's own: what an earlier version left elsewhere is never measured. The
start-up times fill it, and the race profits.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import fastnn
from benchmarks import ceilings, isa, kernel_errors, machine, rows, scaling, startup
from benchmarks.calls import measure as calls
from benchmarks.calls.catalogue import Call
from benchmarks.calls.catalogue import Plan as CallPlan
from benchmarks.cases import Case, Model, grid
from benchmarks.isa.ask import ask
from benchmarks.peers import BASELINE, known
from benchmarks.peers.base import Formulation
from benchmarks.progress import Part, Progress, progress
from benchmarks.race import Plan, Race, unreached
from benchmarks.report import conditions
from benchmarks.results import Cell, Results
from benchmarks.transport import Transport, start_worker
from benchmarks.verify import SLOW_FLOPS, SLOW_PARAMETERS, SLOW_STEPS, STEPS, Expectation, expect, steps_of

STARTUP_BATCH_SIZE = 32
# For the progress bar, in units of one case.
CEILING_UNITS, STARTUP_UNITS, KERNEL_ERRORS_UNITS, CALL_UNITS, SCALING_UNITS = 0.5, 0.8, 1.0, 0.07, 0.5
VECTOR_UNITS = 0.5


@dataclass(frozen=True)
class Options:
    """What to run, all names checked."""

    command: str  # as typed, for the record
    models: tuple[Model, ...]
    batch_sizes: tuple[int, ...]
    most_flops: float  # of a case's step; cases beyond are left out
    threads: tuple[int, ...]
    dtype: str
    peers: tuple[str, ...]  # fastnn among them
    floors: tuple[str, ...]  # of `benchmarks.peers.FLOORS`
    baseline: Path | None  # the checkout of the peer `BASELINE`, if it takes part
    plan: Plan
    startup_peers: tuple[str, ...]
    startup_models: tuple[Model, ...]
    calls: tuple[Call, ...]
    sweeps: Mapping[str, list[Case]]
    error_dtypes: tuple[str, ...]  # in which kernels are held against their references


def run(
    options: Options,
    data: Mapping[str, rows.Rows],
    interruptible: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> tuple[Results, bool]:
    """Measure everything; the results, and whether it was interrupted.

    `data` has the rows of every data set. Inside `interruptible()` a signal may raise `KeyboardInterrupt`: that is
    while something is measured, and not while temporary files are removed.
    """
    cases = grid(options.models, options.batch_sizes, options.threads, options.dtype, options.most_flops)
    results = begun(unreached(cases, options.peers), _conditions(options, data))
    total = (
        len(cases)
        + CEILING_UNITS * len(options.threads)
        + STARTUP_UNITS * len(options.startup_peers) * len(options.startup_models)
        + KERNEL_ERRORS_UNITS
        + CALL_UNITS * len(options.calls)
        + SCALING_UNITS * sum(map(len, options.sweeps.values()))
        + vector_units((*options.peers, *options.floors))
    )
    return filled(results, total, partial(_measure, results, cases, options, data), interruptible)


def begun(cells: list[Cell], conditions: dict[str, Any]) -> Results:
    """The results of a run that begins now, of which nothing is measured yet."""
    if left_out := isa.left_out(os.environ):
        conditions = conditions | {"left_out_of_the_environment": [f"{name}={os.environ[name]}" for name in left_out]}
    return Results(
        datetime=datetime.now(UTC).isoformat(timespec="seconds"),
        fastnn_version=fastnn.__version__,
        machine=machine.machine_info(),
        commit=machine.commit_info(),
        conditions=conditions,
        cells=cells,
        isa=isa.held(),
    )


def filled(
    results: Results,
    total: float,
    measure: Callable[[Path, Progress], bool],
    interruptible: Callable[[], AbstractContextManager[None]],
) -> tuple[Results, bool]:
    """The results after `measure`, which gets a folder for temporary files and tells whether it was interrupted;
    `total` are its units for the progress bar."""
    interrupted = False
    with (
        tempfile.TemporaryDirectory(prefix="fastnn-", ignore_cleanup_errors=True) as folder,
        progress(total, sys.stderr) as shown,
    ):
        try:
            with interruptible():
                interrupted = measure(Path(folder), shown)
        except KeyboardInterrupt:
            interrupted = True
    results.conditions["load_after"] = machine.load_average()
    return results, interrupted


def _measure(
    results: Results,
    cases: list[Case],
    options: Options,
    data: Mapping[str, rows.Rows],
    folder: Path,
    shown: Progress,
) -> bool:
    """Fill `results`, part by part; whether the race was interrupted. `folder` is for temporary files."""
    shown.done(f"data: {conditions.data_with_zeros(results)}")
    path = rows.save(folder, data)
    measure_ceilings(results, options.threads, options.dtype, shown)
    _startups(results, options, path, folder, shown)
    runners = (*options.peers, *options.floors)
    caches = {peer: _caches(folder, peer, options.startup_models[0]) for peer in runners}

    def start(peer: str, threads: int) -> Transport:
        return _starter(options)(peer, threads, startup.cache_environment(caches[peer]))

    small = [Case(model, STARTUP_BATCH_SIZE, options.dtype) for model in options.models]
    measure_vectors(results, runners, small, path, start, shown)
    race = Race(
        runners, options.plan, path, expectations(data), start, shown, peak_beside="fastnn", floors=options.floors
    )
    cells = race.run(cases)
    results.cells = [cell for cell in cells if cell.implementation not in options.floors]
    results.floors = [cell for cell in cells if cell.implementation in options.floors]
    if race.interrupted:
        return True
    _calls(results, options, shown)
    peers = [peer for peer in scaling.PEERS if peer in options.peers]
    sweeping = Race(peers, scaling.PLAN, path, expectations(data), start, Part(shown, SCALING_UNITS))
    if _scaling(results, options, sweeping):
        return True
    _kernel_errors(results, options, shown)
    return False


def expectations(data: Mapping[str, rows.Rows]) -> Callable[[Case, Formulation], Expectation]:
    """`verify.expect` on each data set's rows, once per trajectory: thread counts and most peers share theirs."""
    known: dict[Any, Expectation] = {}

    def expected(case: Case, formulation: Formulation) -> Expectation:
        key = (case.model, case.batch_size, case.dtype, formulation)
        if key not in known:
            batches = case.batches(*data[case.model.data])
            known[key] = expect(case, case.model.initial_weights(case.dtype), batches, formulation)
        return known[key]

    return expected


def _conditions(options: Options, data: Mapping[str, rows.Rows]) -> dict[str, Any]:
    return {
        "command": options.command,
        "data": list(dict.fromkeys(model.data for model in options.models)),
        "zeros": {name: rows.zeros(x) for name, (x, _) in data.items()},
        "baseline": machine.commit_info(options.baseline) if options.baseline else {},
        "plan": asdict(options.plan),
        "verified_steps": f"{STEPS}, but {SLOW_STEPS} where a step takes over {SLOW_FLOPS:.0e} operations "
        f"or updates over {SLOW_PARAMETERS:.0e} parameters",
        "bandwidth_array_bytes": ceilings.array_bytes(),
        "versions": machine.versions(map(known, options.peers)),
        "blas": machine.blas(),
        "load_before": machine.load_average(),
    }


def measure_ceilings(results: Results, thread_counts: Iterable[int], dtype: str, shown: Progress) -> None:
    """For each number of threads."""
    for threads in thread_counts:
        shown.doing(f"ceilings of the machine, {threads} threads")
        try:
            results.ceilings.append(ceilings.measure(threads, dtype))
        except RuntimeError as error:
            shown.done(f"ceilings of the machine, {threads} threads: not measured ({error})")
        shown.advance(CEILING_UNITS)


def vector_units(peers: Sequence[str]) -> float:
    """Of `measure_vectors`."""
    return 0.0 if isa.held() == isa.NATIVE else VECTOR_UNITS * len(peers)


def measure_vectors(
    results: Results,
    peers: Sequence[str],
    cases: Sequence[Case],
    path: str,
    start: Callable[[str, int], Transport],
    shown: Progress,
) -> None:
    """What each peer says of its vectors, where all are held to a width; asked on the first case that it can train."""
    if isa.held() == isa.NATIVE:
        return
    for peer in peers:
        shown.doing(f"vectors of {peer}")
        requests = [
            {"case": c, "rows": path, "weights": c.model.initial_weights(c.dtype), "steps": steps_of(c)} for c in cases
        ]
        results.vectors.append(ask(peer, requests, start))
        shown.advance(VECTOR_UNITS)
    shown.done(f"vectors of every implementation, {isa.label(isa.held())}")


def _startups(results: Results, options: Options, path: str, folder: Path, shown: Progress) -> None:
    for model in options.startup_models:
        case = Case(model, STARTUP_BATCH_SIZE, options.dtype, threads=1)
        for peer in options.startup_peers:
            shown.doing(f"start-up of {peer}, {model.name}")
            caches = _caches(folder, peer, model)
            results.startups.append(startup.measure(peer, case, path, _starter(options), caches))
            shown.advance(STARTUP_UNITS)
        shown.done(f"start-up times, {model.name}")


def _starter(options: Options) -> startup.StartWorker:
    """Starts workers, the baseline's on the code of its own checkout."""

    def start(peer: str, threads: int, environment: Mapping[str, str]) -> Transport:
        return start_worker(peer, threads, environment, options.baseline if peer == BASELINE.id else None)

    return start


def _caches(folder: Path, peer: str, model: Model) -> Path:
    return folder / "caches" / peer / model.name


def _calls(results: Results, options: Options, shown: Progress) -> None:
    part = Part(shown, CALL_UNITS * len(options.calls))
    for cell in calls.measure(options.calls, options.peers, CallPlan(), part):
        results.calls.append(cell)
    if options.calls:
        shown.done(f"{len(options.calls)} single calls")


def _scaling(results: Results, options: Options, race: Race) -> bool:
    """Whether Ctrl-C ended it early."""
    cells = iter(race.run([case for cases in options.sweeps.values() for case in cases]))
    for sweep, cases in options.sweeps.items():
        results.scaling[sweep] = [next(cells) for _ in range(len(cases) * len(race.peers))]
    return race.interrupted


def _kernel_errors(results: Results, options: Options, shown: Progress) -> None:
    shown.doing("errors of the kernels against their references")
    for error in kernel_errors.measure(options.error_dtypes):
        results.kernel_errors.append(error)
    shown.advance(KERNEL_ERRORS_UNITS)
    if options.error_dtypes:
        shown.done("errors of the kernels against their references")
