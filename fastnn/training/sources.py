"""Where rows come from: what a net is trained and evaluated on, converted once to what its kernels take.

A source gives its rows in pieces, of which each is an `ArraySource`: arrays in the net's dtype are one piece, and
nothing is copied; what is read from a file and converted, and batches that a function makes, are many, one at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from fastnn.ops import checks
from fastnn.step.rows import compressed_loading, gather_address
from fastnn.training.inputs import (
    CompressedRows,
    check_values,
    converted_rows,
    converted_targets,
    is_mapped,
    read_at_random,
    rows_at_once,
)


class Rows(NamedTuple):
    """Rows x with their targets t and weights, or None where all weigh 1; as `MLP.train_step` takes them, but that x
    may be a `CompressedRows`, which `MLP.forward` takes too."""

    x: Any
    t: NDArray
    sample_weight: NDArray | None


class Source(Protocol):
    """Rows of which there are n, or an unknown number where that is None."""

    @property
    def n(self) -> int | None: ...

    def pieces(self, order: NDArray | None, batch_size: int) -> Iterator[tuple[ArraySource, NDArray | None]]:
        """All rows once, in that order, with what is left of the order; each piece but the last has whole batches."""
        ...

    def chunks(self, size: int) -> Iterator[Rows]:
        """All rows as they lie, up to so many at a time."""
        ...


class ArraySource:
    """Rows in memory: x (n, inputs) in the net's dtype, C-contiguous, or compressed; t and weights as in `Rows`."""

    def __init__(self, net: Any, x: Any, t: Any, sample_weight: Any = None) -> None:
        self._real, self.is_compressed = net._real, isinstance(x, CompressedRows)
        self.x, self._is_mapped = x, is_mapped(x)
        # By the rows of a batch, the `Steps` that an epoch has left to the next one.
        self.idle: dict[int, Any] = {}
        self.n: int = _counted(len(x))
        self.t = converted_targets(net, t, self.n)
        self.sample_weight = (
            None if sample_weight is None else checks.weights("sample_weight", sample_weight, self.n, "row of x")
        )
        check_values(net, self.t, self.sample_weight)

    def rows(self, which: slice | NDArray) -> Rows:
        """Some of the rows: those of a slice, or with these indices."""
        return Rows(self.x[which], self.t[which], None if self.sample_weight is None else self.sample_weight[which])

    def chunks(self, size: int) -> Iterator[Rows]:
        """All rows as they lie, up to so many at a time."""
        for first in range(0, self.n, size):
            yield self.rows(slice(first, first + size))

    def pieces(self, order: NDArray | None, batch_size: int) -> Iterator[tuple[ArraySource, NDArray | None]]:
        """One: itself."""
        if order is None or not self._is_mapped:
            yield self, order
            return
        with read_at_random(self.x):
            yield self, order

    def targets(self) -> tuple[NDArray, NDArray | None]:
        """Of all rows, with their weights."""
        return self.t, self.sample_weight

    def loading(self, scattered: bool, drops_inputs: bool) -> dict[str, int]:
        """The fields of a plan for rows that do not lie one after another: what loads them into a row block. None where
        they do."""
        if self.is_compressed:
            return compressed_loading(self._real, drops_inputs or self.x.is_dense)
        return {"load_rows": gather_address(self._real)} if scattered else {}

    def fill(self, record: NDArray, n: int) -> tuple[Any, ...]:
        """Write down in a SOURCE where the rows are, for batches of n; returns what the caller must keep alive."""
        targets, weights = np.empty(n * self.t[:1].nbytes // 4, np.int32), np.empty(n)
        record["t"], record["targets"] = self.t.ctypes.data, targets.ctypes.data
        record["targets_address"], record["weights"] = targets.ctypes.data, weights.ctypes.data
        if self.sample_weight is not None:
            record["has_weights"], record["sample_weights"] = 1, self.sample_weight.ctypes.data
        kept = targets, weights
        if not self.is_compressed:
            record["x"], record["row_bytes"] = self.x.ctypes.data, self.x.strides[0]
            return kept
        return *kept, *self.x.fill(record)


class MappedSource:
    """Rows of a file, read and converted some megabytes at a time, because they may not fit into memory."""

    def __init__(self, net: Any, x: NDArray, t: Any, sample_weight: Any = None) -> None:
        self._net, self._x, self.n = net, x, _counted(len(x))
        self._t = converted_targets(net, t, self.n)
        self._weights = (
            None if sample_weight is None else checks.weights("sample_weight", sample_weight, self.n, "row of x")
        )
        # As a whole: of a part of the rows the message would not have the right number.
        check_values(net, self._t, self._weights)
        self._at_once = rows_at_once(net)

    def targets(self) -> tuple[NDArray, NDArray | None]:
        """Of all rows, with their weights."""
        return self._t, self._weights

    def _part(self, which: slice | NDArray) -> ArraySource:
        weights = None if self._weights is None else self._weights[which]
        return ArraySource(self._net, converted_rows(self._net, self._x[which]), self._t[which], weights)

    def chunks(self, size: int) -> Iterator[Rows]:
        """All rows as they lie, up to so many at a time."""
        for first in range(0, self.n, min(size, self._at_once)):
            yield from self._part(slice(first, first + min(size, self._at_once))).chunks(size)

    def pieces(self, order: NDArray | None, batch_size: int) -> Iterator[tuple[ArraySource, NDArray | None]]:
        """As many whole batches at a time as some megabytes hold; in their order already."""
        step = max(1, self._at_once // batch_size) * batch_size
        for first in range(0, self.n, step):
            part = slice(first, first + step)
            if order is None:
                yield self._part(part), None
                continue
            with read_at_random(self._x):
                rows = self._part(order[part])
            yield rows, None


class BatchSource:
    """Batches (x, t) or (x, t, sample_weight) that something iterable gives, or a function that returns it: anew for
    each epoch. `steps` : how many an epoch has; None for all that there are."""

    n = None

    def __init__(self, net: Any, batches: Any, steps: int | None) -> None:
        self._net, self._batches, self._steps = net, batches, steps
        # What can be gone through once only goes on in the next epoch where it was left.
        self._once = batches if isinstance(batches, Iterator) and not callable(batches) else None

    def _arrays(self) -> Iterator[ArraySource]:
        found, batches = 0, self._once
        if batches is None:
            batches = iter(self._batches() if callable(self._batches) else self._batches)
        while self._steps is None or found < self._steps:
            batch = next(batches, None)
            if batch is None:
                break
            if not isinstance(batch, (tuple, list)) or len(batch) not in (2, 3):
                raise TypeError(f"x: got the batch {_short(batch)}, expected (x, t) or (x, t, sample_weight)")
            x, *others = batch
            found += 1
            yield ArraySource(self._net, converted_rows(self._net, x), *others)
        if found == 0 or (self._steps is not None and found < self._steps):
            wanted = "at least 1" if self._steps is None else f"{self._steps}, the steps of an epoch"
            raise ValueError(
                f"x: got {found} batches, expected {wanted}; a generator ends with its first pass, so pass a function "
                "that returns a new one"
            )

    def chunks(self, size: int) -> Iterator[Rows]:
        """The batches, up to so many rows at a time."""
        for part in self._arrays():
            yield from part.chunks(size)

    def pieces(self, order: NDArray | None, batch_size: int) -> Iterator[tuple[ArraySource, NDArray | None]]:
        """The batches as they come, each one step whatever the batch size."""
        for part in self._arrays():
            yield part, None


def _counted(n: int) -> int:
    if n == 0:
        raise ValueError("x: got 0 rows, expected at least 1")
    return n


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"of type {type(value).__name__!r}"


def source_of(
    net: Any, x: Any, t: Any = None, sample_weight: Any = None, steps: int | None = None
) -> ArraySource | MappedSource | BatchSource:
    """The source of rows x with targets t and weights, whatever they are; or of batches where t is None.

    x : anything that NumPy makes an array of numbers of, (n, inputs), such as a DataFrame; a SciPy sparse matrix or
    array; a memory map, read as it is needed. Else batches: an iterable of (x, t) or (x, t, sample_weight), or a
    function that returns one; `steps` are then taken in an epoch, or all.

    Raises ValueError or TypeError naming the argument.
    """
    if t is None:
        # What has a shape is rows: an array, a DataFrame, a sparse matrix, a tensor.
        if not callable(x) and (not isinstance(x, Iterable) or isinstance(x, str) or hasattr(x, "shape")):
            raise TypeError("t: got None, expected targets; or for x an iterable of batches (x, t)")
        if sample_weight is not None:
            raise TypeError("sample_weight: got weights beside batches, expected batches (x, t, sample_weight)")
        return BatchSource(net, x, steps)
    if is_mapped(x) and not (x.dtype == net.dtype and x.flags.c_contiguous):
        converted_rows(net, x[:1])  # refuses what is no matrix of numbers
        return MappedSource(net, x, t, sample_weight)
    return ArraySource(net, converted_rows(net, x), t, sample_weight)


def order_of(net: Any, n: int, seed: int | None) -> NDArray[np.int64]:
    """In which order the net's next epoch takes n rows: a permutation drawn from the seed, or where that is None from
    the net's own, and from the number of its epochs before."""
    key = net._regularization.key if seed is None else seed
    return np.random.default_rng([key, net.epochs]).permutation(n)
