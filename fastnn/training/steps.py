"""Training steps on rows of an array source, many in one call of compiled code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastnn import threads
from fastnn.step.epoch import parallel_train_steps, train_steps
from fastnn.step.plan import SOURCE
from fastnn.step.train_step import IN_USE

if TYPE_CHECKING:
    from fastnn.training.sources import ArraySource


class Steps:
    """The plan of steps of n rows each on the rows of a source, in an order or as they lie."""

    def __init__(self, net: Any, source: ArraySource, optimizer: Any, n: int, order: NDArray | None) -> None:
        self._optimizer, self._n, self._workers = optimizer, n, net._preparation.workers(n)
        # One row is trained on where it lies.
        loads = source.loading(order is not None and n > 1)
        prepared = net._prepare(optimizer, self._workers, n, source.t.ndim == 1, loads is not None)
        self._state, self._prepared = prepared.state, prepared
        # A plan of its own: a step of `train_step` takes arrays, and has no source. NumPy copies records field by
        # field, in 8 microseconds; their bytes take one and a half.
        self._plan, self._source = prepared.plan.view(np.uint8).copy().view(prepared.plan.dtype), SOURCE.empty()
        plan, record = self._plan, self._source
        self._keeps = source.fill(record, order, n)
        if loads is not None:
            plan["load_rows"] = loads
        if source.is_compressed:
            # Rows are scattered over zeros, which nothing else may write to.
            memory = net._preparation.memory_of(self._workers, True)
            plan["blocks"], self._memory = memory.blocks.ctypes.data, memory
        if source.sample_weight is not None:
            self._options = net._loss.record(net.sizes[-1], source.sample_weight)
            plan["loss_options"] = self._options.ctypes.data
            for slot, kernel in net._loss.addresses(net._real, source.t.ndim == 1, True).items():
                plan[slot] = kernel
        plan["source"] = record.ctypes.data

    def run(self, first: int, steps: int, stops_at_nan: bool) -> tuple[float, int, int]:
        """So many steps, from the row `first` on; returns the sum of their losses, each times its rows; how many rows
        count in it; and how many steps were made."""
        rates = self._state.rates(self._optimizer, steps) if self._optimizer.is_scheduled else None
        if rates is not None and self._state.rate_address is not None:
            self._source["has_rates"], self._source["rates"] = 1, rates.ctypes.data
            self._source["rate"] = self._state.rate_address
        arguments = self._plan.ctypes.data, first, self._n, steps, self._workers, stops_at_nan
        if self._workers == 1 or threads.get_num_threads() == 1:
            total, rows, made, status = train_steps(*arguments)
        else:
            total, rows, made, status = parallel_train_steps(*arguments, threads.PARALLEL_REGION)
        if status == IN_USE:
            raise RuntimeError(
                "another thread is training this net; let one thread at a time train it, or give each a net of its own"
            )
        if rates is not None:
            self._state.rate_made(float(rates[made - 1]))
        return total, rows, made
