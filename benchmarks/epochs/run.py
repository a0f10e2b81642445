"""The race of epochs from start to end, gathered in one `Results`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import machine, rows
from benchmarks.cases import Case, Model
from benchmarks.epochs.cases import EpochCase
from benchmarks.epochs.peers import EPOCH_PEERS, HOW
from benchmarks.epochs.worker import LONGEST
from benchmarks.kinks import Element
from benchmarks.peers.base import Formulation
from benchmarks.progress import Progress
from benchmarks.race import Plan, Race, unreached
from benchmarks.results import Results
from benchmarks.run import CEILING_UNITS, begun, filled, measure_ceilings, measure_vectors, vector_units
from benchmarks.startup import cache_environment
from benchmarks.transport import Transport, start_worker
from benchmarks.verify import Expectation, Trajectory, expect, steps_of

# An epoch lasts longer than a burst of steps, and shorter epochs are timed several at a time.
EPOCH_PLAN = Plan(rounds=15, min_rounds=6, case_seconds=20.0, burst_seconds=0.1)


@dataclass(frozen=True)
class EpochOptions:
    """What to run, all names checked."""

    command: str  # as typed, for the record
    models: tuple[Model, ...]
    batch_sizes: tuple[int, ...]
    threads: tuple[int, ...]
    dtype: str
    peers: tuple[str, ...]  # fastnn among them
    plan: Plan
    most_rows: int | None  # of an epoch, None for all of its data set


def run(
    options: EpochOptions,
    data: Mapping[str, rows.Rows],
    interruptible: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> tuple[Results, bool]:
    """Measure everything; as `benchmarks.run.run`."""
    cases = epoch_cases(options, data)
    results = begun(unreached(cases, options.peers), _conditions(options, data))
    total = len(cases) + CEILING_UNITS * len(options.threads) + vector_units(options.peers)
    return filled(results, total, partial(_measure, results, cases, options, data), interruptible)


def epoch_cases(options: EpochOptions, data: Mapping[str, rows.Rows]) -> list[EpochCase]:
    """Every combination, models outermost."""
    return [
        _case(Case(model, n, options.dtype, k), len(data[model.data][0][: options.most_rows]))
        for model in options.models
        for k in options.threads
        for n in options.batch_sizes
    ]


def _case(step: Case, count: int) -> EpochCase:
    """An epoch of such steps over `count` rows. The last batch of what is verified is smaller, where it can be."""
    some = steps_of(step) * step.batch_size + math.ceil(step.batch_size / 3)
    return EpochCase(**vars(step), rows=count, verified_rows=min(count, some))


def expectations(data: Mapping[str, rows.Rows]) -> Callable[[EpochCase, Formulation], Expectation]:
    """What the verified epoch of a case comes to, computed once for all that share it."""
    known: dict[Any, Expectation] = {}

    def expected(case: EpochCase, formulation: Formulation) -> Expectation:
        verified = replace(case.verified, threads=1)
        if (verified, formulation) not in known:
            known[verified, formulation] = _expectation(verified, data[case.model.data], formulation)
        return known[verified, formulation]

    return expected


def _expectation(verified: EpochCase, data: rows.Rows, formulation: Formulation) -> Expectation:
    """The reference's steps on the batches of that epoch, its loss the mean over the rows."""
    batches = verified.ordered_batches(*data)
    weights = verified.model.initial_weights(verified.dtype)
    steps = expect(verified, weights, batches, formulation, len(batches))
    shares = [len(t) / verified.rows for _, t in batches]

    def mean(losses: NDArray) -> NDArray:
        return np.array([np.dot(shares, losses)])

    def turned(elements: frozenset[Element]) -> Trajectory:
        found = steps.turned(elements)
        return replace(found, losses=mean(found.losses))

    return replace(steps, losses=mean(steps.losses), loss_tolerances=mean(steps.loss_tolerances), turned=turned)


def _conditions(options: EpochOptions, data: Mapping[str, rows.Rows]) -> dict[str, Any]:
    return {
        "timed": "epoch",
        "command": options.command,
        "data": list(dict.fromkeys(model.data for model in options.models)),
        "zeros": {name: rows.zeros(x) for name, (x, _) in data.items()},
        "rows": {name: len(x[: options.most_rows]) for name, (x, _) in data.items()},
        "plan": asdict(options.plan),
        "longest_epoch_seconds": LONGEST,
        "verified": "an epoch of some steps in a given order, the last batch smaller, without dropped elements",
        "how": {name: HOW[name] for name in options.peers},
        "versions": machine.versions(EPOCH_PEERS[name] for name in options.peers),
        "blas": machine.blas(),
        "load_before": machine.load_average(),
    }


def _measure(
    results: Results,
    cases: list[EpochCase],
    options: EpochOptions,
    data: Mapping[str, rows.Rows],
    folder: Path,
    shown: Progress,
) -> bool:
    """Fill `results`; whether that was interrupted. `folder` is for temporary files."""
    path = rows.save(folder, data, options.most_rows)
    measure_ceilings(results, options.threads, options.dtype, shown)

    def start(peer: str, threads: int) -> Transport:
        caches = cache_environment(folder / "caches" / peer)
        return start_worker(peer, threads, caches, module="benchmarks.epochs.worker")

    largest = replace(options, batch_sizes=(max(options.batch_sizes),), threads=(1,))
    measure_vectors(results, options.peers, epoch_cases(largest, data), path, start, shown)
    race = Race(options.peers, options.plan, path, expectations(data), start, shown, peak_beside="fastnn")
    results.cells = race.run(cases)
    return race.interrupted
