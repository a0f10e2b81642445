"""The process that measures calls: `python -m benchmarks.calls.worker PEER,...`, fastnn among the peers.

It reads and writes what `benchmarks.worker` does: pickled dicts, one reply per request.
"""

from __future__ import annotations

import gc
import importlib
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.calls.catalogue import Call, Plan
from benchmarks.peers import PEERS
from benchmarks.results import CallCell
from benchmarks.worker import confine, private_stdout, serve
from fastnn.ops.declaration import Declaration
from fastnn.ops.verify import compare

# Module of each implementation: its `ready(function, arrays, numbers)` makes a call without arguments.
MODULES = {
    "fastnn": "benchmarks.calls.fastnn_calls",
    "numpy": "benchmarks.calls.numpy_calls",
    "pytorch": "benchmarks.calls.torch_calls",
}

MAX_CALLS = 2**16  # of a burst

LINE = 64  # bytes of a cache line
LARGE = 2**28  # bytes, more than an allocator keeps: it asks the system for them
MAX_PLACES = 256  # tried before any will do


class CallWorker:
    """Compares implementations call by call. `clock` gives seconds."""

    def __init__(self, peers: list[str], clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._missing = {peer: reason for peer in peers if (reason := PEERS[peer].missing())}
        self._makers = {
            peer: importlib.import_module(MODULES[peer]).ready for peer in peers if peer not in self._missing
        }
        self._peers = peers

    def handle(self, request: dict[str, Any]) -> dict[str, Any]:
        """{"do": "measure", "call": Call, "plan": Plan} -> {"status": "ok", "cells": a CallCell per implementation}."""
        return {"status": "ok", "cells": self.measure(request["call"], request["plan"])}

    def measure(self, call: Call, plan: Plan) -> list[CallCell]:
        """Verify each implementation, then time those that are right in rounds."""
        declaration, arrays, numbers = inputs(call)
        sizes = {name: numbers[name] for name in declaration.size_numbers}
        flops, moved = declaration.cost(declaration.match_shapes(tuple(a.shape for a in arrays), sizes), call.dtype)
        cells, timed = [], {}
        for peer in self._peers:
            cell = CallCell(call.family, call.function, call.size, call.dtype, peer, "ok", "", [], flops, moved)
            cells.append(cell)
            if peer in self._missing:
                cell.status, cell.reason = "missing", self._missing[peer]
                continue
            try:
                make = partial(self._makers[peer], call.function)
                cell.max_error = float(compare(_as_function(declaration, make), arrays, numbers)[0])
                if cell.max_error <= 1:
                    timed[peer] = make([placed_copy(a) for a in arrays], numbers)
                else:
                    cell.status = "wrong"
                    cell.reason = f"off by {cell.max_error:.3g} times the tolerance"
                    cell.max_error = cell.max_error if np.isfinite(cell.max_error) else None
            except Exception as error:
                cell.status, cell.reason = "died", f"raised {type(error).__name__}: {error}"
        self._rounds(timed, {cell.implementation: cell for cell in cells}, plan)
        return cells

    def _rounds(self, timed: dict[str, Callable], cells: dict[str, CallCell], plan: Plan) -> None:
        steps = {peer: self._calibrate(call, plan.burst_seconds) for peer, call in timed.items()}
        warm = {peer: max(1, round(n * plan.warm_seconds / plan.burst_seconds)) for peer, n in steps.items()}
        order = list(timed)
        gc.disable()
        try:
            for k in range(plan.rounds):
                turn = k % max(1, len(order))
                for peer in order[turn:] + order[:turn]:
                    self._timed(timed[peer], warm[peer])
                    cells[peer].samples.append(self._timed(timed[peer], steps[peer]) / steps[peer])
        finally:
            gc.enable()

    def _calibrate(self, call: Callable[[], Any], target: float) -> int:
        """How many calls take about `target` seconds."""
        call()
        steps = 1
        while True:
            seconds = self._timed(call, steps)
            if seconds >= target / 4 or steps >= MAX_CALLS:
                return max(1, min(MAX_CALLS, round(steps * target / seconds)))
            steps *= 4

    def _timed(self, call: Callable[[], Any], steps: int) -> float:
        clock = self._clock
        begin = clock()
        for _ in repeat(None, steps):
            call()
        return clock() - begin


def inputs(call: Call) -> tuple[Declaration, list[NDArray], dict[str, Any]]:
    """What is declared of the function, its arrays and its numbers."""
    from fastnn.ops import DECLARED

    declaration = DECLARED[call.function].declaration
    return declaration, declaration.draw(call.sizes, call.dtype, leading=call.leading), dict(call.numbers)


def placed_copy(array: NDArray) -> NDArray:
    """A copy that begins where NumPy's large arrays do, as a rule 16 bytes after a cache line.

    Else luck would decide: one row by a matrix takes up to 1.7 times as long where rows do not begin at cache lines.
    """
    usual = np.empty(LARGE, np.uint8).ctypes.data % LINE
    rng = np.random.default_rng(0)
    elsewhere = []  # kept meanwhile, with gaps between, so that the next one comes to lie somewhere else
    for _ in range(MAX_PLACES):
        copy = np.empty_like(array)
        if copy.ctypes.data % LINE == usual:
            break
        elsewhere.append((copy, np.empty(rng.integers(1, 4096), np.uint8)))
    copy[...] = array
    return copy


def _as_function(declaration: Declaration, make: Callable[..., Callable[[], Any]]) -> Callable[..., Any]:
    """An implementation's call as `fastnn.ops.verify.compare` takes a function: results are arrays of one dtype."""

    def function(*arrays: NDArray, **numbers: Any) -> tuple[NDArray, ...] | None:
        returned = make(list(arrays), numbers)()
        if declaration.in_place:
            return None
        results = returned if isinstance(returned, tuple) else (returned,)
        return tuple(np.asarray(result, arrays[0].dtype) for result in results)

    function.declaration = declaration
    return function


if __name__ == "__main__":
    stream = private_stdout()
    confine(1)
    serve(CallWorker(sys.argv[1].split(",")), sys.stdin.buffer, stream)
