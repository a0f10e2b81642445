"""Single calls: every implementation computes what fastnn's reference does, and whoever does not is not timed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from benchmarks.calls import numpy_calls
from benchmarks.calls.catalogue import FAMILIES, Call, Plan, calls
from benchmarks.calls.measure import measure
from benchmarks.calls.worker import LINE, MODULES, CallWorker, inputs, placed_copy
from benchmarks.peers import PEERS
from benchmarks.progress import Part
from benchmarks.results import CallCell
from benchmarks.transport import WorkerLost

PLAN = Plan(rounds=4, burst_seconds=1e-4, warm_seconds=1e-4)
SMALL = {
    call.function: Call(
        call.family,
        call.function,
        "small",
        {name: size for name, size in {"n": 5, "i": 7, "o": 3, "c": 4}.items() if name in call.sizes},
        leading=(6,) if call.leading else (),
        numbers=call.numbers,
    )
    for call in calls()
}


class Shown:
    def __init__(self) -> None:
        self.units = 0.0

    def doing(self, what: str) -> None:
        return

    done = doing

    def advance(self, units: float) -> None:
        self.units += units


@pytest.fixture(scope="module")
def installed() -> CallWorker:
    return CallWorker([peer for peer in MODULES if not PEERS[peer].missing()])


@pytest.mark.parametrize("function", SMALL)
def test_every_implementation_is_right(function: str, installed: CallWorker):
    cells = installed.measure(SMALL[function], PLAN)
    assert [(cell.implementation, cell.status, cell.reason) for cell in cells] == [
        (cell.implementation, "ok", "") for cell in cells
    ]
    assert {len(cell.samples) for cell in cells} == {PLAN.rounds}
    assert all(cell.max_error <= 1 and cell.flops > 0 and cell.bytes_moved > 0 for cell in cells)


def test_who_is_wrong_or_raises_is_marked_and_not_timed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(numpy_calls.READY, "tanh", lambda x: lambda: np.tanh(x) * np.float32(1.001))
    monkeypatch.setitem(numpy_calls.READY, "relu", lambda x: 1 // 0)
    worker = CallWorker(["fastnn", "numpy"])
    own, wrong = worker.measure(SMALL["tanh"], PLAN)
    assert (own.status, len(own.samples)) == ("ok", PLAN.rounds)
    assert (wrong.status, wrong.samples) == ("wrong", [])
    assert "times the tolerance" in wrong.reason
    died = worker.measure(SMALL["relu"], PLAN)[1]
    assert (died.status, died.samples) == ("died", [])
    assert "ZeroDivisionError" in died.reason


def test_an_update_that_forgets_to_write_is_wrong(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(numpy_calls.READY, "sgd_update", lambda w, g, lr: lambda: None)
    assert CallWorker(["numpy"]).measure(SMALL["sgd_update"], PLAN)[0].status == "wrong"


def test_who_is_not_installed_is_missing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(type(PEERS["pytorch"]), "missing", lambda self: "not there" if self.id == "pytorch" else "")
    cells = CallWorker(["fastnn", "pytorch"]).measure(SMALL["relu"], PLAN)
    assert [(cell.status, cell.reason) for cell in cells] == [("ok", ""), ("missing", "not there")]


def test_rounds_rotate(monkeypatch: pytest.MonkeyPatch):
    log: list[str] = []

    def make(name: str) -> Any:
        def ready(function: str, arrays: list, numbers: dict) -> Any:
            def call() -> np.ndarray:
                log.append(name)
                return np.maximum(arrays[0], 0)

            return call

        return ready

    worker = CallWorker(["fastnn", "numpy"])
    worker._makers = {name: make(name) for name in ("fastnn", "numpy")}
    worker.measure(SMALL["relu"], PLAN)
    turns = [name for k, name in enumerate(log) if not k or log[k - 1] != name]
    # Verification and calibration of one after the other, then rounds in turned order: a b, b a, a b, b a.
    assert turns == ["fastnn", "numpy"] * 2 + ["fastnn", "numpy", "fastnn", "numpy", "fastnn"]


def test_calls_cover_every_layer_and_function_once():
    every = calls()
    names = [call.name for call in every]
    assert len(set(names)) == len(names)
    assert {call.family for call in every} == set(FAMILIES)
    assert "affine_backward/2048x784x50/float32" in names
    assert "exp/65536/float64" in names


@pytest.mark.parametrize("call", calls()[::3], ids=lambda call: call.name)
def test_a_call_has_inputs_of_its_shapes(call: Call):
    declaration, arrays, _ = inputs(call)
    assert len(arrays) == len(declaration.arrays)
    assert arrays[0].dtype == call.dtype
    assert arrays[0].shape[: len(call.leading)] == call.leading


class Worker:
    """Answers, or is gone on one function."""

    def __init__(self, peers: Sequence[str], dies_on: str, started: list) -> None:
        self.peers, self.dies_on, self.closed = peers, dies_on, False
        started.append(self)

    def request(self, message: dict[str, Any], timeout: float) -> dict[str, Any]:
        call = message["call"]
        if call.function == self.dies_on:
            self.closed = True
            raise WorkerLost("died", "killed by SIGSEGV")
        cells = [CallCell(call.family, call.function, call.size, call.dtype, peer, "ok") for peer in self.peers]
        return {"status": "ok", "cells": cells}

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("shape", [(2,), (50, 10), (784, 50), (784, 1024)])
def test_arrays_begin_where_large_ones_do(shape: tuple[int, ...], rng: np.random.Generator):
    array, large = rng.standard_normal(shape), np.empty(2**28, np.uint8)
    copies = [placed_copy(array) for _ in range(5)]
    assert {copy.ctypes.data % LINE for copy in copies} == {large.ctypes.data % LINE}
    for copy in copies:
        assert copy.flags.owndata, "a view would cost fastnn a look whether it shares memory"
        np.testing.assert_array_equal(copy, array)


def test_only_the_call_that_kills_the_process_has_no_time():
    started: list[Worker] = []
    shown = Shown()
    some = [SMALL[name] for name in ("sigmoid", "tanh", "relu")]
    cells = list(
        measure(some, ["jax", "numpy", "fastnn"], PLAN, Part(shown, 3.0), lambda peers: Worker(peers, "tanh", started))
    )
    assert [(cell.function, cell.implementation, cell.status) for cell in cells] == [
        (name, peer, "died" if name == "tanh" else "ok")
        for name in ("sigmoid", "tanh", "relu")
        for peer in ("fastnn", "numpy")
    ]
    assert len(started) == 2
    assert all(worker.closed for worker in started)
    assert shown.units == pytest.approx(3.0)


def test_each_call_is_handed_over_when_it_is_measured():
    """What was measured before an interrupt is then in the results."""
    started: list[Worker] = []
    calls = [SMALL["relu"], SMALL["tanh"]]
    found = measure(calls, ["fastnn"], PLAN, Shown(), lambda peers: Worker(peers, "tanh", started))
    assert next(found).status == "ok"
    found.close()
    assert [worker.closed for worker in started] == [True]


def test_a_real_process_answers():
    cells = list(measure([SMALL["relu"]], ["fastnn", "numpy"], PLAN, Shown()))
    assert [cell.status for cell in cells] == ["ok", "ok"]
    assert all(1e-8 < sample < 0.1 for cell in cells for sample in cell.samples)
