"""Compiling all that is called from Python ahead of its first use, so that no later process has to.

Tasks run in as many processes as there are CPUs. What two of them need the kernel cache has one compile, and the other
wait for.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from functools import partial
from multiprocessing.connection import Connection

import numba
import numpy as np

from fastnn import threads
from fastnn.activations import Activation
from fastnn.cpus import physical_cores
from fastnn.losses import Loss
from fastnn.mlp import MLP
from fastnn.ops import DECLARED
from fastnn.optimizers import RULES, SGD, UpdateRule
from fastnn.units import UNITS

DTYPES = ("float32", "float64")


def tasks() -> Iterator[tuple[str, Callable[[], object]]]:
    """What there is to compile, what takes longest first: a name, and a call that compiles it or loads it from the
    cache."""
    reals = [(dtype, numba.from_dtype(np.dtype(dtype))) for dtype in DTYPES]
    for made in UNITS.values():
        for dtype, real in reals:
            yield f"unit, {made.name} {dtype}", partial(made.link, real)
    for loss in Loss.by_name:
        for dtype in DTYPES:
            yield f"training step, {loss} {dtype}", partial(_train, loss, dtype)
    for name in sorted(DECLARED, key=lambda name: DECLARED[name].declaration.parallel_kernel is None):
        for dtype in DTYPES:
            yield f"{name} {dtype}", partial(_call, name, dtype)
    slots: list[Activation | UpdateRule] = [*Activation.by_name.values(), *RULES.values()]
    for item in slots:
        for dtype, real in reals:
            yield f"training step, {item.name} {dtype}", partial(item.addresses, real)


def run_tasks(processes: int | None = None) -> Generator[tuple[str, str | None], None, None]:
    """Run all tasks in processes of their own, as many as CPUs if no number is given. The name of each as it ends, and
    what went wrong or None. Whoever stops before the last, or dies, ends the processes in the middle of their tasks."""
    context = multiprocessing.get_context("spawn")
    names = [name for name, _ in tasks()]
    end, ends = context.Pipe(duplex=False)
    with ends, end, ProcessPoolExecutor(processes or physical_cores(), context, _begin, (end,)) as pool:
        running: dict[Future[None], str] = {pool.submit(run_task, name): name for name in names}
        try:
            for future in as_completed(running):
                error = future.exception()
                yield running[future], None if error is None else f"{type(error).__name__}: {error}"
        except BaseException:
            # Also where a generator is closed. The pool itself would wait for tasks that have begun.
            ends.close()
            pool.shutdown(cancel_futures=True)
            raise


def run_task(name: str) -> None:
    """One of `tasks` by its name."""
    dict(tasks())[name]()


def _begin(end: Connection) -> None:
    """At the start of a process of the pool: Ctrl-C ends it without a traceback, and so does the closing of the other
    end, which the system does for a parent that is killed; and it says nothing of its own."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_with, args=(end,), daemon=True).start()
    os.environ["FASTNN_QUIET"] = "1"


def _end_with(end: Connection) -> None:
    end.poll(None)
    # Of a file in the kernel cache there is then none, or the old one: it is replaced as a whole.
    os._exit(1)


def _call(name: str, dtype: str) -> None:
    """One call for each signature on one thread, also with options, and one on all threads if the function can use
    them."""
    declaration = DECLARED[name].declaration
    calls = [(index, 2) for index in range(len(declaration.signatures))]
    if declaration.parallel_kernel is not None and threads.get_num_threads() > 1:
        calls.append((0, round(threads.FLOPS_OF_A_WORKER ** (1 / 3)) + 1))  # 2 n³ operations, of two workers
    for index, size in calls:
        sizes = {dimension: size for s in declaration.signatures for dimension in s.dimensions}
        sizes |= {size: declaration.example[size] for size in declaration.size_numbers}
        arrays = declaration.draw(
            sizes, dtype, signature_index=index, leading=(2,) if declaration.flattens_leading else ()
        )
        DECLARED[name](*arrays, **declaration.example)
        if declaration.options is not None:
            DECLARED[name](*arrays, **declaration.example, sample_weight=np.ones(size))


def _train(name: str, dtype: str) -> None:
    """Steps for each kind of targets on one thread, with and without weights, an epoch, predictions; and on all
    threads."""
    loss, optimizer = Loss.by_name[name], SGD(lr=1e-3)
    for outputs in (2,) if loss.output == "softmax" else (1, 2):
        net = MLP((64, 64, outputs), loss=loss, dtype=dtype)
        n = net.rows_for_threads(2)
        x = np.zeros((n, 64), dtype)
        for t in _targets(loss, outputs, n, dtype):
            net.train_step(x[:2], t[:2], optimizer)
            if "sample_weight" in loss.options:
                net.train_step(x[:2], t[:2], optimizer, np.ones(2))
            net.train_epoch(x[:3], t[:3], optimizer, 2)
        net.predict(x[:2])
        if loss.output in ("softmax", "sigmoid"):
            net.predict_proba(x[:2])
    if threads.get_num_threads() > 1:
        net.train_step(x, t, optimizer)
        net.train_epoch(x, t, optimizer, n)
        net.predict(np.zeros((4 * n, 64), dtype))


def _targets(loss: Loss, outputs: int, n: int, dtype: str) -> Iterator[np.ndarray]:
    if loss.takes_labels(outputs):
        yield np.zeros(n, np.int64)
    if loss.row_sum is not None:
        yield np.zeros((n, outputs), dtype)
