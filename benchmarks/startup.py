"""How long a user waits at first: import, and from the start of the process to the end of the first training step.

Measured in fresh processes, twice: with on-disk caches of compiled code empty, then with what the first run left in
them. Python's own byte code and the system's file cache are warm both times.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.cases import Case
from benchmarks.race import PREPARE_TIMEOUT, START_TIMEOUT
from benchmarks.results import StartUp
from benchmarks.transport import Transport, WorkerLost

# Where each library keeps compiled code. JAX keeps none unless told to.
CACHE_VARIABLES = ("FASTNN_CACHE_DIR", "NUMBA_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR")

StartWorker = Callable[[str, int, Mapping[str, str]], Transport]


def measure(
    peer_id: str,
    case: Case,
    rows: str,
    start_worker: StartWorker,
    caches: Path,
    clock: Callable[[], float] = time.perf_counter,
) -> StartUp:
    """Of one implementation on one case; seconds.

    `rows` is the path that the worker loads from, `caches` a folder that holds nothing yet.
    """
    found = StartUp(peer_id, case.model.name, "ok")
    environment = cache_environment(caches)
    try:
        found.import_seconds, found.cold_seconds = _first_step(peer_id, case, rows, start_worker, environment, clock)
        imported, found.cached_seconds = _first_step(peer_id, case, rows, start_worker, environment, clock)
        found.import_seconds = min(found.import_seconds, imported)
    except WorkerLost as lost:
        found.status, found.reason = lost.status, str(lost)
    return found


def cache_environment(folder: Path) -> dict[str, str]:
    """The environment in which compiled code is kept below `folder` alone."""
    return {name: str(folder / name.lower()) for name in CACHE_VARIABLES}


def _first_step(
    peer_id: str,
    case: Case,
    rows: str,
    start_worker: StartWorker,
    environment: Mapping[str, str],
    clock: Callable[[], float],
) -> tuple[float, float]:
    """Seconds of the import, and from the start of the process to the first step done."""
    weights = case.model.initial_weights(case.dtype)
    begin = clock()
    transport = start_worker(peer_id, case.threads, environment)
    try:
        started = transport.request({"do": "start"}, START_TIMEOUT)
        if started.get("status") == "ok":
            request = {"do": "first_step", "case": case, "rows": rows, "weights": weights}
            stepped = transport.request(request, PREPARE_TIMEOUT)
            if stepped.get("status") == "ok":
                return started["import_seconds"], clock() - begin
            started = stepped
    finally:
        transport.close()
    raise WorkerLost(started.get("status", "died"), started.get("reason", ""))
