"""Start-up times, with a clock that only workers move."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.cases import Case, Model
from benchmarks.startup import CACHE_VARIABLES, measure
from benchmarks.transport import WorkerLost

CASE = Case(Model((6, 5, 3), "sigmoid", "sgd", lr=0.1), 4)
IMPORT, COMPILE, LOAD = 0.5, 8.0, 0.25


class Machine:
    """Processes that compile where their cache folder has nothing yet."""

    def __init__(self, failure: Any = None) -> None:
        self.now, self.cached, self.closed, self.folders, self.failure = 0.0, set(), 0, [], failure

    def __call__(self) -> float:
        return self.now

    def start(self, peer: str, threads: int, environment: dict[str, str]) -> Machine:
        self.folder = environment["NUMBA_CACHE_DIR"]
        self.folders.append(environment)
        return self

    def request(self, message: dict[str, Any], timeout: float) -> dict[str, Any]:
        if message["do"] == "start":
            self.now += IMPORT
            return {"status": "ok", "import_seconds": IMPORT}
        if isinstance(self.failure, dict):
            return self.failure
        if self.failure:
            raise self.failure
        self.now += LOAD if self.folder in self.cached else COMPILE
        self.cached.add(self.folder)
        return {"status": "ok"}

    def close(self) -> None:
        self.closed += 1


def test_cold_is_with_empty_caches_and_cached_with_what_cold_left(tmp_path: Path):
    machine = Machine()
    found = measure("numba", CASE, "rows", machine.start, tmp_path / "caches", machine)
    assert (found.implementation, found.model, found.status) == ("numba", CASE.model.name, "ok")
    assert (found.import_seconds, found.cold_seconds, found.cached_seconds) == (IMPORT, IMPORT + COMPILE, IMPORT + LOAD)
    assert machine.closed == 2
    for environment in machine.folders:
        assert set(environment) == set(CACHE_VARIABLES)
        assert all(Path(folder).is_relative_to(tmp_path) for folder in environment.values())


@pytest.mark.parametrize(
    ("failure", "status", "reason"),
    [
        (WorkerLost("timeout", "no answer within 300 s"), "timeout", "no answer within 300 s"),
        ({"status": "missing", "reason": "not installed: torch"}, "missing", "not installed: torch"),
        ({"status": "died", "reason": "raised ImportError"}, "died", "raised ImportError"),
    ],
)
def test_who_does_not_get_to_a_first_step_is_marked(tmp_path: Path, failure: Any, status: str, reason: str):
    machine = Machine(failure)
    found = measure("pytorch", CASE, "rows", machine.start, tmp_path, machine)
    assert (found.status, found.reason, found.cold_seconds) == (status, reason, None)
    assert machine.closed == 1
