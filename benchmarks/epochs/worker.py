"""The process that trains epochs of one implementation: `python -m benchmarks.epochs.worker PEER THREADS`.

It answers what `benchmarks.worker` does, where a step is an epoch. Training is never restarted: each epoch that is
timed is a later one of the same training.
"""

from __future__ import annotations

import gc
from typing import Any

from benchmarks.epochs.peers import EPOCH_PEERS
from benchmarks.peers import Unavailable
from benchmarks.worker import Worker, main

# Seconds: with a longer epoch an implementation is not timed, for the others to have their rounds before dinner.
LONGEST = 20.0
# An epoch warms up for the next, if it is no longer than so many times what warming up takes: of one that is longer,
# what is cold at first is a hundredth at most.
LONG = 100


class EpochWorker(Worker):
    """One implementation and the case that it holds."""

    info_of = staticmethod(EPOCH_PEERS.__getitem__)

    def do_prepare(self, case: Any, rows: str, weights: list[Any], steps: int) -> dict[str, Any]:
        """Take up a case: the loss of the epoch that is verified and the weights after it. One epoch of all rows is
        trained, so that everything is compiled."""
        from benchmarks.rows import load

        x, t = load(rows, case.model.data)
        self._model, verified = None, case.verified
        model = self._peer_class(verified, weights, *verified.data(x, t))
        loss, final = model.loss(model.epoch(verified.order())), model.weights()
        del model
        self._model = self._peer_class(case, weights, *case.data(x, t))
        self._timed(1)
        gc.collect()
        gc.freeze()
        return {"losses": [loss], "weights": final}

    def do_calibrate(self, target: float) -> dict[str, Any]:
        """How many epochs take about `target` seconds."""
        self._seconds = self._timed(1)
        if self._seconds > LONGEST:
            raise Unavailable(f"an epoch takes {self._seconds:.0f} s, and those over {LONGEST:.0f} s are not raced")
        return {"steps": max(1, round(target / self._seconds))}

    def do_burst(self, steps: int, warm: float) -> dict[str, Any]:
        """Warm up for at least `warm` seconds, then time `steps` epochs; seconds of them together."""
        begin = self._clock()
        while self._clock() - begin < warm and self._seconds < LONG * warm:
            self._timed(1)
        seconds = self._timed(steps)
        self._seconds = seconds / steps
        return {"seconds": seconds}


if __name__ == "__main__":
    main(EpochWorker)
