"""The process that runs one implementation: reads requests from standard input, writes replies to standard output.

    python -m benchmarks.worker PEER THREADS [CHECKOUT]

With a checkout, `fastnn` is imported from there; this package stays the one that was started.

Requests and replies are pickled dicts, one reply per request. The peer's library is imported after the process has
been confined to its CPUs, and whatever it prints goes to standard error.
"""

from __future__ import annotations

import gc
import importlib
import os
import pickle
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any, BinaryIO

from benchmarks.peers import Unavailable, known  # neither NumPy nor any peer, whose imports `start` times

# Adam's moments of weights whose gradient is 0 shrink by a tenth a step: after 700 steps they are denormal, and every
# step takes twice as long (measured), sooner for whoever steps more often. So no burst trains longer than this from
# the initial weights, and every implementation is timed on the same first steps of the same training.
MAX_STEPS = 500
WARM_STEPS = 250  # warming up starts over after this many, for the same reason
PEAK_SECONDS = 0.01  # of a look at the peak between bursts; in the first of four new threads spread out
MOST_GROWTH = 16  # from one number of steps that is tried to the next
SETTLING_STEPS = 2  # after a restart, not timed: the first allocates what the optimizer keeps


class Worker:
    """One implementation and the case that it holds. `clock` gives seconds."""

    info_of = staticmethod(known)

    def __init__(self, peer_id: str, threads: int, clock: Callable[[], float] = time.perf_counter) -> None:
        self._info, self._threads, self._clock = self.info_of(peer_id), threads, clock

    def handle(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what `request["do"]` names; {"status": "ok", ...}, or "missing" or "died" with a reason."""
        try:
            arguments = {key: value for key, value in request.items() if key != "do"}
            return {"status": "ok"} | getattr(self, f"do_{request['do']}")(**arguments)
        except Unavailable as reason:
            return {"status": "missing", "reason": str(reason)}
        except Exception as error:
            traceback.print_exc()
            return {"status": "died", "reason": f"raised {type(error).__name__}: {first_line(error)}"}

    def do_start(self) -> dict[str, Any]:
        """Import what the peer needs; how long its libraries took (seconds)."""
        if reason := self._info.missing():
            return {"status": "missing", "reason": reason}
        for name, value in self._info.environment.items():
            # Flags are put before those that are there: XLA reads none after a word without dashes.
            os.environ[name] = f"{value} {os.environ.get(name, '')}".strip() if name.endswith("_FLAGS") else value
        begin = self._clock()
        for name in self._info.imports:
            importlib.import_module(name)
        seconds = self._clock() - begin
        self._peer_class = self._info.load()
        return {"import_seconds": seconds, "formulation": self._peer_class.formulation}

    def do_prepare(self, case: Any, rows: str, weights: list[Any], steps: int) -> dict[str, Any]:
        """Take up a case: its first `steps` losses and the weights after them, and the peak memory of stepping (bytes).

        `rows` is the path that `benchmarks.rows.save` wrote, `weights` are the initial ones.
        """
        from benchmarks import memory

        self._model = None
        inputs = self._inputs(case, rows)
        model = self._peer_class(case.without_chance, weights, inputs)
        losses, final = model.first_losses(steps), model.weights()
        # A second instance shows what the model holds, without what compiling left behind.
        del model
        memory.release()
        before = memory.resident()
        countable = memory.reset_peak()
        self._model = self._peer_class(case, weights, inputs)
        self._model.synchronise(self._model.steps(0, steps))
        peak = memory.peak() if countable else None
        gc.collect()
        gc.freeze()
        return {
            "losses": losses,
            "weights": final,
            "peak_memory": None if peak is None or before is None else max(0, peak - before),
        }

    def do_first_step(self, case: Any, rows: str, weights: list[Any]) -> dict[str, Any]:
        """Take up a case and make one step."""
        model = self._peer_class(case, weights, self._inputs(case, rows))
        model.synchronise(model.step(0))
        return {}

    def do_calibrate(self, target: float) -> dict[str, Any]:
        """How many steps (1 to MAX_STEPS) take about `target` seconds."""
        steps = 1
        while True:
            self._model.ready(steps)
            self._settle()
            seconds = self._timed(steps)
            wanted = max(1, min(MAX_STEPS, round(steps * target / max(seconds, 1e-9))))
            if seconds >= target / 2 or steps >= MAX_STEPS:
                self._model.ready(wanted)
                return {"steps": wanted}
            # The first steps, and a call of few, take longer each.
            steps = min(MAX_STEPS, max(2 * steps, min(wanted, MOST_GROWTH * steps)))

    def do_burst(self, steps: int, warm: float) -> dict[str, Any]:
        """Warm up for at least `warm` seconds, then time `steps` steps; seconds of them together."""
        begin, at_once = self._clock(), steps if self._model.in_one_call else 1
        first = SETTLING_STEPS
        self._settle()
        if self._clock() - begin < warm:  # where a step is slow, the settling ones are warm-up enough
            while self._clock() - begin < warm:
                if first > SETTLING_STEPS and first + at_once > WARM_STEPS:
                    self._model.restart()
                    first = 0
                self._model.synchronise(self._model.steps(first, at_once))
                first += at_once
            self._settle()
        return {"seconds": self._timed(steps)}

    def do_peak(self, dtype: str) -> dict[str, Any]:
        """What the machine does at most right now, in floating-point operations per second."""
        from benchmarks import ceilings

        return {"flops_per_second": ceilings.flops_per_second(self._threads, dtype, PEAK_SECONDS, repetitions=3)}

    def do_vectors(self) -> dict[str, Any]:
        """Which vectors the libraries use, after `prepare`."""
        from benchmarks.isa.vectors import found

        return found(self._info.imports, lambda: self._timed(1))

    def _settle(self) -> None:
        """Back to the start of the training, and the first steps of it."""
        self._model.restart()
        self._model.synchronise(self._model.steps(0, SETTLING_STEPS))

    def _timed(self, steps: int) -> float:
        """Seconds of `steps` steps after the settling ones."""
        model, clock = self._model, self._clock
        gc.disable()
        try:
            begin = clock()
            model.synchronise(model.steps(SETTLING_STEPS, steps))
            return clock() - begin
        finally:
            gc.enable()

    def _inputs(self, case: Any, rows: str) -> list[Any]:
        """The case's batches in the peer's own form."""
        from benchmarks.rows import load

        return self._peer_class.prepare(case, case.batches(*load(rows, case.model.data)))


def first_line(error: BaseException) -> str:
    """Of an exception's message."""
    return next(iter(str(error).strip().splitlines()), "")


def confine(threads: int) -> None:
    """Keep this process on the first `threads` of the CPUs that it may use, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def serve(worker: Worker, requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer requests until their stream ends."""
    while True:
        try:
            request = pickle.load(requests)
        except EOFError:
            return
        pickle.dump(worker.handle(request), replies)
        replies.flush()


def private_stdout() -> BinaryIO:
    """Standard output for replies alone: what libraries print there, also from C, goes to standard error instead."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return replies


def main(kind: type[Worker]) -> None:
    """The whole life of such a process."""
    stream = private_stdout()
    peer, count, *checkout = sys.argv[1:]
    # `benchmarks` has been imported and keeps its place; `fastnn` has not.
    sys.path[:0] = checkout
    confine(int(count))
    serve(kind(peer, int(count)), sys.stdin.buffer, stream)


if __name__ == "__main__":
    main(Worker)
