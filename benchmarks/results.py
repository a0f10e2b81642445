"""The one results file: what a race writes and every report, table and comparison reads.

The file follows pytest-benchmark's schema, so that its own `compare` reads it too: each measured cell is one entry
of `benchmarks`, its raw samples in `stats.data`. What that schema has no place for (cells without a time, single calls,
sweeps, ceilings, start-up times, kernel errors, conditions) travels under the key `fastnn`.
"""

from __future__ import annotations

import json
import os
import statistics
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from pytest_benchmark.stats import Stats

from benchmarks.isa import NATIVE

FORMAT = 1
# Of a cell; all but "ok" leave it without a time.
Status = Literal["ok", "wrong", "missing", "died", "timeout", "interrupted"]


class ResultsError(ValueError):
    """A results file that cannot be read; the message names the file and what is wrong with it."""


@dataclass
class Cell:
    """One implementation on one case."""

    model: str  # Model.name
    model_label: str  # Model.label
    batch_size: int
    dtype: str
    threads: int
    implementation: str
    status: Status
    reason: str = ""  # why the cell has no time, one sentence
    samples: list[float] = field(default_factory=list)  # seconds per step; sample k of every rival is of round k
    flops: float = 0.0  # floating-point operations per step
    bytes_moved: float = 0.0  # least memory traffic per step
    max_error: float | None = None  # largest error against the reference, as a share of the tolerance
    peak_memory: int | None = None  # bytes above what the worker held before the case
    data: str = ""  # the data set of the rows
    # What the machine did at most, in floating-point operations per second, after each of fastnn's bursts; its alone.
    peaks: list[float] = field(default_factory=list)
    rows: int = 0  # that one step trains on, or an epoch, where epochs are timed; 0, of older files: the batch size

    @property
    def case(self) -> tuple[str, int, str, int]:
        """What the rivals of this cell share."""
        return self.model, self.batch_size, self.dtype, self.threads

    @property
    def where(self) -> str:
        """The case in words: "784-50-10 sigmoid SGD, batch 32, 1 thread"."""
        return f"{self.model_label}, batch {self.batch_size:,}, {self.threads} thread{'s' if self.threads > 1 else ''}"

    @property
    def median(self) -> float:
        """Median seconds per step."""
        return statistics.median(self.samples)

    @property
    def samples_per_second(self) -> float:
        """Rows trained per second, from the median."""
        return (self.rows or self.batch_size) / self.median


@dataclass
class CallCell:
    """One implementation on one call of a single function, on one thread."""

    family: str  # of `benchmarks.calls.catalogue.FAMILIES`
    function: str
    size: str  # of its arrays, for people
    dtype: str
    implementation: str
    status: Status
    reason: str = ""
    samples: list[float] = field(default_factory=list)  # seconds per call; sample k of every rival is of round k
    flops: float = 0.0  # floating-point operations per call
    bytes_moved: float = 0.0  # every input read and every output written once
    max_error: float | None = None  # largest error against the reference, as a share of the tolerance

    @property
    def case(self) -> tuple[str, str, str]:
        """What the rivals of this cell share."""
        return self.function, self.size, self.dtype

    @property
    def where(self) -> str:
        """The case in words."""
        return f"{self.function} {self.size} {self.dtype}"

    @property
    def median(self) -> float:
        """Median seconds per call."""
        return statistics.median(self.samples)


@dataclass
class Ceiling:
    """What the machine can do at most, measured in the same run."""

    threads: int
    dtype: str
    flops_per_second: float
    bytes_per_second: float


@dataclass
class StartUp:
    """Seconds from the start of a new process: import done, first step done with no cache, with a filled cache."""

    implementation: str
    model: str
    status: Status
    reason: str = ""
    import_seconds: float | None = None
    cold_seconds: float | None = None  # start of process to first step done, on-disk caches empty
    cached_seconds: float | None = None  # the same, caches filled


@dataclass
class KernelError:
    """How far a kernel is from its reference over every drawn input."""

    kernel: str
    dtype: str
    max_error: float  # largest error as a share of the tolerance: below 1 passes
    max_ulps: float  # largest error in units of eps * magnitude
    inputs: int  # how many inputs were drawn


@dataclass
class Vectors:
    """What an implementation's libraries answered when asked which vectors they use."""

    implementation: str
    reports: dict[str, str]  # by library, in its own words
    avx512: bool | None  # whether the system saw AVX-512 used while it trained; None where nobody knows
    reason: str = ""  # why it could not be asked


@dataclass
class Results:
    """A whole run."""

    datetime: str  # ISO 8601, UTC
    fastnn_version: str
    machine: dict[str, Any]  # cpu, cores, caches, memory, node, system, python, ...
    commit: dict[str, Any]  # id, branch, dirty
    conditions: dict[str, Any]  # command, rounds, data set, versions of every package, BLAS, load before and after
    cells: list[Cell]
    isa: str = NATIVE  # what all libraries were held to, one of `benchmarks.isa.CHOICES`
    vectors: list[Vectors] = field(default_factory=list)  # of each implementation, where they were held
    ceilings: list[Ceiling] = field(default_factory=list)
    startups: list[StartUp] = field(default_factory=list)
    kernel_errors: list[KernelError] = field(default_factory=list)
    calls: list[CallCell] = field(default_factory=list)
    scaling: dict[str, list[Cell]] = field(default_factory=dict)  # of each sweep of `benchmarks.scaling`
    floors: list[Cell] = field(default_factory=list)  # parts of the step alone: `benchmarks.peers.FLOORS`

    def save(self, path: Path) -> None:
        """Write the file whole or not at all (written beside, then renamed)."""
        write_atomically(path, json.dumps(self.to_json(), indent=1, allow_nan=False))

    def to_json(self) -> dict[str, Any]:
        measured = [cell for cell in self.cells if cell.status == "ok"]
        untimed = [asdict(cell) for cell in self.cells if cell.status != "ok"]
        return {
            "machine_info": self.machine,
            "commit_info": self.commit,
            "benchmarks": [_benchmark(cell) for cell in measured],
            "datetime": self.datetime,
            "version": "5.0.0",
            "fastnn": {
                "format": FORMAT,
                "version": self.fastnn_version,
                "conditions": self.conditions,
                "isa": self.isa,
                "vectors": [asdict(v) for v in self.vectors],
                "lost_cells": untimed,
                "ceilings": [asdict(c) for c in self.ceilings],
                "startups": [asdict(s) for s in self.startups],
                "kernel_errors": [asdict(e) for e in self.kernel_errors],
                "calls": [asdict(c) for c in self.calls],
                "scaling": {sweep: [asdict(cell) for cell in cells] for sweep, cells in self.scaling.items()},
                "floors": [asdict(cell) for cell in self.floors],
            },
        }

    @property
    def timed(self) -> str:
        """What a sample is of: "step", or "epoch", for which "step" then stands in the names and comments above."""
        return self.conditions.get("timed", "step")

    @classmethod
    def load(cls, path: Path) -> Results:
        """Read a file that `save` wrote.

        Raises ResultsError, naming the file, when it is missing, cut off, no JSON, or not of this format.
        """
        try:
            document = json.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise ResultsError(f"{path}: cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise ResultsError(
                f"{path}: not a whole JSON file ({error}); was it cut off? Run the race again"
            ) from error
        try:
            own = document["fastnn"]
            if own["format"] != FORMAT:
                raise ResultsError(f"{path}: has format {own['format']!r}, this version reads format {FORMAT}")
            cells = [_cell(entry) for entry in document["benchmarks"]]
            return cls(
                datetime=document["datetime"],
                fastnn_version=own["version"],
                machine=document["machine_info"],
                commit=document["commit_info"],
                conditions=own["conditions"],
                isa=own.get("isa", NATIVE),
                vectors=[Vectors(**entry) for entry in own.get("vectors", [])],
                cells=cells + [Cell(**entry) for entry in own["lost_cells"]],
                ceilings=[Ceiling(**entry) for entry in own["ceilings"]],
                startups=[StartUp(**entry) for entry in own["startups"]],
                kernel_errors=[KernelError(**entry) for entry in own["kernel_errors"]],
                calls=[CallCell(**entry) for entry in own.get("calls", [])],
                scaling={
                    sweep: [Cell(**entry) for entry in entries] for sweep, entries in own.get("scaling", {}).items()
                },
                floors=[Cell(**entry) for entry in own.get("floors", [])],
            )
        except (KeyError, TypeError) as error:
            raise ResultsError(f"{path}: not a results file of `python -m benchmarks` ({error!r})") from error


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write beside `path`, then rename: a reader sees the old file or the new one, never half of one."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        beside.write_bytes(content.encode() if isinstance(content, str) else content)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _benchmark(cell: Cell) -> dict[str, Any]:
    case = f"{cell.model}/b{cell.batch_size}/{cell.dtype}/t{cell.threads}"
    extra = {f.name: getattr(cell, f.name) for f in fields(Cell) if f.name not in ("samples", "status", "reason")}
    return {
        "group": case,
        "name": f"{case}[{cell.implementation}]",
        "fullname": f"benchmarks/race.py::{case}[{cell.implementation}]",
        "params": None,
        "param": None,
        "extra_info": extra | {"samples_per_second": cell.samples_per_second},
        "options": {"timer": "perf_counter", "min_rounds": len(cell.samples)},
        "stats": _stats(cell.samples),
    }


def _cell(entry: dict[str, Any]) -> Cell:
    known = {f.name for f in fields(Cell)}
    extra = {key: value for key, value in entry["extra_info"].items() if key in known}
    return Cell(status="ok", samples=list(entry["stats"]["data"]), **extra)


def _stats(samples: list[float]) -> dict[str, Any]:
    """What pytest-benchmark stores of these samples, the samples themselves in `data`."""
    stats = Stats()
    for seconds in samples:
        stats.update(seconds)
    return stats.as_dict() | {"data": list(samples), "iterations": 1}
