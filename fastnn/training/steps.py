"""Training steps on rows of an array source, many in one call of compiled code."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastnn import threads
from fastnn.step.epoch import parallel_train_steps, train_steps
from fastnn.step.plan import SOURCE
from fastnn.step.train_step import DONE, IN_USE

if TYPE_CHECKING:
    from fastnn.training.sources import ArraySource


class Steps:
    """The plan of steps of n rows each on the rows of a source, in an order or as they lie."""

    def __init__(
        self, net: Any, source: ArraySource, prepared: Any, workers: int, n: int, loads: dict[str, int], scattered: bool
    ) -> None:
        self._scattered, self._threads = scattered, threads.sharing()
        self._net, self._prepared, self._workers, self._n = net, prepared, workers, n
        self._state, self._threaded = prepared.state, net._preparation.pace.threaded
        # A plan of its own: a step of `train_step` takes arrays, and has no source. NumPy copies records field by
        # field, in 8 microseconds; their bytes take one and a half.
        self._plan, self._source = prepared.plan.view(np.uint8).copy().view(prepared.plan.dtype), SOURCE.empty()
        plan, record = self._plan, self._source
        self._keeps = source.fill(record, n)
        for name, value in loads.items():
            plan[name] = value
        if source.is_compressed:
            # One row is scattered over zeros, which nothing else may write to.
            self._memory = net._preparation.memory_of(self._workers, True)
            self._memory.give(plan)
        if source.sample_weight is not None:
            self._options = net._loss.record(net.sizes[-1], source.sample_weight)
            plan["loss_options"] = self._options.ctypes.data
            for slot, kernel in net._loss.addresses(net._real, source.t.ndim == 1, True).items():
                plan[slot] = kernel
        plan["source"] = record.ctypes.data
        # What changes from epoch to epoch: to write a field of a record takes five times as long by its name.
        self._is_ordered, self._order_at, self._order_size = record["is_ordered"], record["order"], record["n"]
        self._has_rates = record["has_rates"]
        self._address = plan.ctypes.data

    @classmethod
    def of(cls, net: Any, source: ArraySource, optimizer: Any, n: int, order: NDArray | None) -> Steps:
        """Steps for that optimizer: those that the last epoch left to the source, if they still fit, or new ones."""
        # One row is trained on where it lies.
        scattered = order is not None and n > 1
        # Taken away meanwhile: another thread makes its own.
        found = source.idle.pop(n, None)
        if found is None or not found._fit(net, optimizer, scattered):
            workers, loads = (
                net._preparation.sharing.workers(n),
                source.loading(scattered, net._regularization.input_dropout > 0),
            )
            prepared = net._prepare(optimizer, workers, n, source.t.ndim == 1, bool(loads))
            found = cls(net, source, prepared, workers, n, loads, scattered)
        found._take(optimizer, order)
        return found

    def _fit(self, net: Any, optimizer: Any, scattered: bool) -> bool:
        """Whether new ones would be the same."""
        own = self._prepared
        return (
            net._prepared is own
            and (optimizer is own.optimizer or optimizer is own.scheduled)
            and self._scattered == scattered
            and self._threads == threads.sharing()
        )

    def _take(self, optimizer: Any, order: NDArray | None) -> None:
        self._optimizer, self._order = optimizer, order
        self._is_ordered[0] = order is not None
        if order is not None:
            self._order_at[0], self._order_size[0] = order.ctypes.data, len(order)

    def leave_to(self, source: ArraySource) -> None:
        """Keep these for the next epoch on that source."""
        self._order = None
        source.idle[self._n] = self

    def run(self, first: int, steps: int, stops_at_nan: bool, total: float) -> tuple[float, int, int]:
        """So many steps, from the row `first` on; returns `total` and the sum of their losses, each times its rows; how
        many rows count in that sum; and how many steps were made."""
        rates = self._state.rates(self._optimizer, steps) if self._optimizer.is_scheduled else None
        self._has_rates[0] = False
        if rates is not None and self._state.rate_address is not None:
            record = self._source
            record["rates"], record["rate"], record["has_rates"] = rates.ctypes.data, self._state.rate_address, True
        if self._workers == 1 or threads.at_hand() == 1:
            total, rows, made, status = train_steps(
                self._address, first, self._n, steps, self._workers, stops_at_nan, total
            )
        else:
            total, rows, made, status = self._at_their_pace(first, steps, stops_at_nan, total)
        if status == IN_USE:
            raise RuntimeError(
                "another thread is training this net; let one thread at a time train it, or give each a net of its own"
            )
        if rates is not None:
            self._state.rate_made(float(rates[made - 1]))
        return total, rows, made

    def _at_their_pace(self, first: int, steps: int, stops_at_nan: bool, total: float) -> tuple[float, int, int, int]:
        """The workers on threads, or in turns where that is faster."""
        pace = self._net._preparation.pace
        threaded = pace.threaded
        if threaded != self._threaded:
            # It may be slower by far.
            self._threaded, steps = threaded, -(-steps // 32)
        arguments = self._address, first, self._n, steps, self._workers, stops_at_nan, total
        begun = time.perf_counter()
        result = parallel_train_steps(*arguments, threads.PARALLEL_REGION) if threaded else train_steps(*arguments)
        _, _, made, status = result
        if status == DONE:
            pace.took(threaded, time.perf_counter() - begun, made * self._n)
        return result
