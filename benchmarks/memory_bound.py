"""What a training step of one row takes beside what it must read and write: the weights, and with Adam two moments.

    python -m benchmarks.memory_bound [SIZES] [--data dense|mnist] [--dtype float32|float64]

measures three things in turns, on one thread, and prints the medians: `train_step` called from Python; the same steps
as one epoch; and the bound, a compiled loop that reads all weights, as the forward pass must, then reads and writes the
weights and both moments, as the update must, and does nothing else. It goes through the arrays of that very net and
optimizer: their sizes, and where they lie.

The environment variables that hold Numba to a CPU (CONTRIBUTING.md) hold the loop too.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import fastnn
from fastnn.intrinsics import VECTOR_BYTES, broadcast, element, lanes_of, load, offset, store
from fastnn.jit import kernel

ROWS, ROUNDS = 512, 30


class Bound(NamedTuple):
    """Seconds for one row, medians: a step called from Python, one of an epoch, and the bound; and the medians of what
    the first two take in the same round as a multiple of the bound."""

    step: float
    in_epoch: float
    bound: float
    step_ratio: float
    epoch_ratio: float


@kernel
def read_and_write(w, m, v, factor):
    """Read w; then multiply w, m and v by the factor. What is left after the last four vectors is not touched."""
    lanes, first, scale = lanes_of(w), element(w, 0), broadcast(factor)
    full = w.size // (4 * lanes) * (4 * lanes)
    one = two = three = four = scale - scale
    for k in range(0, full, 4 * lanes):
        own = offset(first, k)
        one += load(own)
        two += load(offset(own, lanes))
        three += load(offset(own, 2 * lanes))
        four += load(offset(own, 3 * lanes))
    # The sums take part, so that they are formed: times zero.
    scale = scale + ((one + two) + (three + four)) * (scale - scale)
    for k in range(0, full, lanes):
        for array in (w, m, v):
            address = offset(element(array, 0), k)
            store(load(address) * scale, address)


def _data(data: str, inputs: int, classes: int, dtype: str) -> tuple[NDArray, NDArray]:
    if data == "mnist":
        (x, t), _ = fastnn.datasets.load("mnist")
        return np.ascontiguousarray(x[:ROWS], dtype), np.ascontiguousarray(t[:ROWS], np.int64)
    rng = np.random.default_rng(0)
    return rng.standard_normal((ROWS, inputs)).astype(dtype), rng.integers(0, classes, ROWS)


def measure(
    sizes: tuple[int, ...] = (784, 128, 10), data: str = "dense", dtype: str = "float32", rounds: int | None = None
) -> Bound:
    """Measure a net of ReLU and softmax cross-entropy of these sizes; MNIST has 784 inputs and 10 classes."""
    x, t = _data(data, sizes[0], sizes[-1], dtype)
    rows = [(x[k : k + 1], t[k : k + 1]) for k in range(len(x))]
    net, optimizer = fastnn.MLP(sizes, dtype=dtype, seed=0), fastnn.Adam(1e-4)

    def steps() -> None:
        for row, label in rows:
            net.train_step(row, label, optimizer)

    def epoch() -> None:
        net.train_epoch(x, t, optimizer, 1, shuffle=False)

    steps()
    w = net._parameters
    m, v = (moment[: w.size] for moment in optimizer.state(net).moments)
    factor = w.dtype.type(1)

    def bound() -> None:
        for _ in rows:
            read_and_write(w, m, v, factor)

    ways = steps, epoch, bound
    for way in ways:
        way()
    found = np.array([[_seconds(way) / len(rows) for way in ways] for _ in range(rounds or ROUNDS)])
    step, in_epoch, least = np.median(found, axis=0)
    ratios = np.median(found[:, :2] / found[:, 2:], axis=0)
    return Bound(float(step), float(in_epoch), float(least), float(ratios[0]), float(ratios[1]))


def _seconds(way: Callable[[], None]) -> float:
    begun = time.perf_counter()
    way()
    return time.perf_counter() - begun


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory_bound", description=__doc__.splitlines()[0])
    parser.add_argument("sizes", nargs="?", default="784-128-10", help="the widths of the layers (784-128-10)")
    parser.add_argument("--data", choices=["dense", "mnist"], default="dense")
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    given = parser.parse_args(arguments)
    fastnn.set_num_threads(1)
    found = measure(tuple(map(int, given.sizes.split("-"))), given.data, given.dtype)
    print(
        f"{given.sizes}, Adam, batch 1, {given.data}, {given.dtype}, {8 * VECTOR_BYTES} bits: "
        f"a step {1e6 * found.step:.1f}, in an epoch {1e6 * found.in_epoch:.1f}, "
        f"what it must read and write {1e6 * found.bound:.1f} microseconds: "
        f"{found.step_ratio:.2f} and {found.epoch_ratio:.2f} times the bound"
    )


if __name__ == "__main__":
    main()
