"""Several threads: the same results, the same bits from run to run, and safe from several Python threads."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

import fastnn
from fastnn.intrinsics import VECTOR_BYTES
from fastnn.sharing import Sharing

PACKAGE = str(Path(fastnn.__file__).parent)

needs_two = pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="one CPU")
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")


@pytest.fixture(autouse=True)
def restored(restore_threads):
    """After every test."""


def trained(
    threads: int,
    n: int = 700,
    dtype: str = "float32",
    steps: int = 3,
    hidden: int = 100,
    optimizer: str = "Adam",
    zeros: int = 0,
) -> list[np.ndarray]:
    """The weights after so many steps with so many inputs zero, and the losses."""
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((n, 304)).astype(dtype), rng.integers(0, 10, n)
    x[:, :zeros] = 0
    net, optimizer = fastnn.MLP((304, hidden, 32, 10), "relu", dtype=dtype), getattr(fastnn, optimizer)(1e-3)
    fastnn.set_num_threads(threads)
    losses = [net.train_step(x, t, optimizer) for _ in range(steps)]
    return [*net.get_weights(), np.array(losses)]


@needs_two
# One row block per thread; several; one of a single row.
@pytest.mark.parametrize(("n", "hidden"), [(100, 100), (700, 100), (9, 1000)])
def test_two_threads_train_as_one_does(n: int, hidden: int, dtype: str) -> None:
    *weights, loss = trained(1, n, dtype, steps=1, hidden=hidden)
    *others, other_loss = trained(2, n, dtype, steps=1, hidden=hidden)
    np.testing.assert_allclose(other_loss, loss, rtol=n * np.finfo(dtype).eps)
    for one, two in zip(weights, others, strict=True):
        # Adam's first step is lr times a sign: sums in another order may turn the sign of what is all but zero.
        assert np.median(np.abs(one - two)) <= 10 * np.finfo(dtype).eps
        assert np.mean(np.abs(one - two) > 1e-4) < 0.01


@needs_two
@pytest.mark.parametrize("optimizer", ["Adam", "SGD"])
@pytest.mark.parametrize(("n", "zeros"), [(1, 0), (1, 200), (7, 0), (8, 200), (60, 0), (60, 200)])
def test_steps_of_one_row_block_are_those_of_one_thread(n: int, zeros: int, optimizer: str, dtype: str) -> None:
    wide = {"n": n, "dtype": dtype, "hidden": 2000, "optimizer": optimizer, "zeros": zeros}
    assert fastnn.MLP((304, 2000, 32, 10))._preparation.sharing.workers(n) > 1, (
        "else nothing is shared, and the test shows nothing"
    )
    *weights, losses = trained(1, **wide)
    *others, other_losses = trained(2, **wide)
    for one, two in zip(weights, others, strict=True):
        np.testing.assert_array_equal(one, two)
    np.testing.assert_allclose(other_losses, losses, rtol=n * np.finfo(np.float64).eps)  # added up worker by worker


@needs_two
@pytest.mark.parametrize("threads", [1, 2])
def test_runs_are_equal_to_the_bit(threads: int) -> None:
    for one, two in zip(trained(threads), trained(threads), strict=True):
        np.testing.assert_array_equal(one, two)


@needs_two
@pytest.mark.parametrize("zeros", [0, 200])
@pytest.mark.parametrize("n", [4, 700, 2100])
def test_results_can_be_the_same_for_any_number_of_threads(n: int, zeros: int, dtype: str) -> None:
    fastnn.set_thread_invariant(True)
    assert fastnn.is_thread_invariant()
    for one, two in zip(trained(1, n, dtype, zeros=zeros), trained(2, n, dtype, zeros=zeros), strict=True):
        np.testing.assert_array_equal(one, two)
    fastnn.set_thread_invariant(False)
    apart = [np.array_equal(*pair) for pair in zip(trained(1, n, dtype), trained(2, n, dtype), strict=True)]
    assert all(apart) == (n == 4), "else nothing was shared, and the test shows nothing"


@needs_two
def test_results_of_a_tile_each_can_be_the_same_too(dtype: str) -> None:
    fastnn.set_thread_invariant(True)
    assert fastnn.MLP((304, 1000, 32, 10))._preparation.sharing.workers(100) > 2
    for one, two in zip(trained(1, 100, dtype, hidden=1000), trained(2, 100, dtype, hidden=1000), strict=True):
        np.testing.assert_array_equal(one, two)


@needs_two
def test_several_python_threads_at_once() -> None:
    expected = trained(2)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(trained, [2] * 8):
            for one, two in zip(found, expected, strict=True):
                np.testing.assert_array_equal(one, two)


def test_several_python_threads_ask_one_net() -> None:
    net, rng = fastnn.MLP((50, 300, 10)), np.random.default_rng(0)
    questions = [rng.standard_normal((200, 50), np.float32) for _ in range(4)]
    answers = [net.forward(x) for x in questions]
    with ThreadPoolExecutor(4) as pool:
        for k, found in enumerate(pool.map(net.forward, questions * 50)):
            np.testing.assert_array_equal(found, answers[k % 4])


@needs_two
@pytest.mark.parametrize("one_vector", [False, True])
@pytest.mark.parametrize("depth", [64, 2**40])
def test_predictions_are_the_same_for_any_number_of_workers(
    depth: int, one_vector: bool, dtype: str, monkeypatch: Any
) -> None:
    """Row blocks of zeros skip columns and others do not, and how rows are cut into blocks depends on the workers. In a
    panel of one vector the sums of dense rows may be added up in another order."""
    monkeypatch.setattr("fastnn.preparation.depth_of_a_product", lambda: depth)
    rng, cuts, skips = np.random.default_rng(0), set(), set()
    hidden = VECTOR_BYTES // np.dtype(dtype).itemsize if one_vector else 100
    net = fastnn.MLP((304, hidden, 32, 10), "relu", dtype=dtype)
    for few in (48, 90, 136):
        x = rng.standard_normal((300, 304)).astype(dtype)
        x[:few] *= rng.random(304) < 0.2
        answers = []
        for workers in (1, 2, 3, 4):
            monkeypatch.setattr(net._preparation.sharing, "workers_of_predictions", lambda n, count=workers: count)
            net._preparation.pace_of_predictions.threaded = True
            answers.append(net.forward(x))
            used = net._preparation._idle[-1]
            cuts.add(int(used.plan["block_rows"][0]))
            skips |= set(used.memory.active[:, 0].tolist())
        for found in answers[1:]:
            np.testing.assert_array_equal(found, answers[0])
    assert len(cuts) > 1
    assert skips == {0, 1}, "else the test shows nothing"


@needs_two
@pytest.mark.parametrize("n", [70, 200])
def test_threads_transpose_panels_as_turns_transpose_all(n: int, monkeypatch: Any) -> None:
    """In turns one transposes large weights at first, on threads each a panel at a time: bits must not tell."""
    monkeypatch.setattr("fastnn.preparation.each_panel_pays", lambda *_: True)
    monkeypatch.setattr(Sharing, "workers", lambda self, n: 2)
    fastnn.set_num_threads(2)
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((n, 60)).astype(np.float32), rng.integers(0, 10, n)

    def weights(threaded: bool) -> list[np.ndarray]:
        net = fastnn.MLP((60, 100, 70, 10), "relu", seed=1)
        pace, optimizer = net._preparation.pace, fastnn.Adam(1e-2)
        for _ in range(2):
            pace.threaded = threaded
            net.train_step(x, t, optimizer)
        assert net._prepared.plan["parts"] == (2 if threaded else 1)
        return net.get_weights()

    for found, expected in zip(weights(True), weights(False), strict=True):
        np.testing.assert_array_equal(found, expected)


@needs_two
def test_steps_on_other_rows_and_threads_in_between() -> None:
    """What a step on many rows found out counts for the next only if it is like it."""
    rng = np.random.default_rng(0)
    batches = {n: (rng.standard_normal((n, 304)).astype(np.float32), rng.integers(0, 10, n)) for n in (100, 300, 700)}
    nets = [fastnn.MLP((304, 100, 32, 10), "relu") for _ in range(2)]
    optimizers = [[fastnn.Adam(1e-3), fastnn.SGD(lr=lambda step: 0.1 / (1 + step))] for _ in range(2)]
    shared = []
    for n, threads, kind in [(700, 2, 0), (700, 2, 0), (300, 2, 0), (700, 2, 0), (700, 1, 0), (700, 2, 1), (700, 2, 1),
                             (100, 2, 1), (100, 2, 1), (700, 2, 0), (100, 1, 0), (100, 2, 0)]:  # fmt: skip
        fastnn.set_num_threads(threads)
        nets[1]._many_rows = None, 0, None, 1
        losses = [net.train_step(*batches[n], own[kind]) for net, own in zip(nets, optimizers, strict=True)]
        assert losses[0] == losses[1]
        shared.append(nets[0]._preparation.sharing.workers(n))
        for one, two in zip(*(net.get_weights() for net in nets), strict=True):
            np.testing.assert_array_equal(one, two)
    assert set(shared) == {1, 2}
    with pytest.raises(ValueError, match="label"):
        nets[0].train_step(batches[100][0], batches[100][1] + 9, optimizers[0][0])


def in_time(function: Callable[[], object], seconds: float = 60) -> object:
    """What `function` returns or raises in a thread of its own; fails where it does not end."""
    result: Future = Future()

    def run() -> None:
        try:
            result.set_result(function())
        except BaseException as error:
            result.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return result.result(seconds)


@contextlib.contextmanager
def before_instruction(number: int, act: Callable[[], None]):
    """Call `act` before that instruction of the package's Python code: there a signal's handler may run."""
    left = number

    def trace(frame, event, argument):
        nonlocal left
        if not frame.f_code.co_filename.startswith((PACKAGE, "<affine")):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "opcode":
            if left == 0:
                sys.settrace(None)
                act()
            left -= 1
        return trace

    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(None)


def interrupt() -> None:
    raise KeyboardInterrupt


def interrupted_everywhere(begin: Callable[[], Callable[[], object]], after: Callable[[], None]) -> None:
    """Interrupt the function that `begin` makes before each of its instructions in turn; call `after` each time."""
    number, interrupted = 0, True
    while interrupted:
        interrupted = False
        function = begin()
        try:
            with before_instruction(number, interrupt):
                function()
        except KeyboardInterrupt:
            interrupted = True
        after()
        number += 1
    assert number > 10, "else nothing was interrupted, and the test shows nothing"


def large_product() -> Callable[[], object]:
    x, w, b = np.ones((400, 300), np.float32), np.ones((300, 200), np.float32), np.ones(200, np.float32)
    return lambda: fastnn.affine_forward(x, w, b)


def large_step() -> Callable[[], object]:
    net, optimizer = fastnn.MLP((304, 100, 10)), fastnn.SGD(0.1)
    x, t = np.ones((700, 304), np.float32), np.zeros(700, np.int64)
    return lambda: net.train_step(x, t, optimizer)


@needs_two
@pytest.mark.parametrize("make", [large_product, large_step])
def test_an_interrupt_leaves_the_threads_to_others(make: Callable[[], Callable[[], object]]) -> None:
    fastnn.set_num_threads(2)
    function = make()
    function()

    def after() -> None:
        in_time(function)
        assert numba.get_num_threads() == before

    before = numba.get_num_threads()
    interrupted_everywhere(lambda: function, after)


@needs_two
@pytest.mark.parametrize("make", [large_product, large_step])
def test_a_signal_handler_may_use_threads_itself(make: Callable[[], Callable[[], object]]) -> None:
    fastnn.set_num_threads(2)
    function, handler, calls = make(), large_step(), []
    function()
    handler()

    def handle() -> None:
        calls.append(handler())

    def run() -> None:
        number = 0
        while len(calls) == number:
            with before_instruction(number, handle):
                function()
            number += 1

    in_time(run)
    assert len(calls) > 10


FIRST_CALL = """
import numpy as np, fastnn
from numba.core.compiler_lock import global_compiler_lock
fastnn.set_num_threads(2)
x, t = np.ones((700, 304), np.float32), np.zeros(700, np.int64)
net, optimizer = fastnn.MLP((304, 100, 10)), fastnn.SGD(0.1)
{before}
with global_compiler_lock:
    {call}
print("done")
"""
FIRST_CALLS = {
    "step": "net.train_step(x, t, optimizer)",
    "epoch": "net.train_epoch(x, t, optimizer, 700)",
    "predictions": "net.forward(np.ones((5000, 304), np.float32))",
    "product": "fastnn.affine_forward(np.ones((2000, 304), 'f4'), np.ones((304, 200), 'f4'), np.ones(200, 'f4'))",
}


@needs_two
@pytest.mark.parametrize("call", FIRST_CALLS)
def test_a_signal_handler_may_make_first_calls_while_numba_compiles(call: str) -> None:
    """The thread that holds Numba's lock loads what it calls: another one that met it first would wait for the lock."""
    # Threads that have yet to be started come late, and find nothing left to load.
    before = "" if call == "product" else FIRST_CALLS["product"]
    assert run_program(FIRST_CALL.format(before=before, call=FIRST_CALLS[call])) == ["done"]


@needs_two
@pytest.mark.parametrize("make", [large_product, large_step])
def test_the_number_of_threads_of_other_numba_code_is_left_alone(make: Callable[[], Callable[[], object]]) -> None:
    fastnn.set_num_threads(2)
    numba.set_num_threads(1)
    try:
        make()()
        assert numba.get_num_threads() == 1
    finally:
        numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)


def batch(n: int, labels: bool = True) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(n)
    t = rng.integers(0, 4, n)
    return rng.standard_normal((n, 5)).astype(np.float32), t if labels else np.eye(4, dtype=np.float32)[t]


# The batch of the step that is interrupted: as before; more room; rows as targets; more room and a gradient; the other
# optimizer each time.
@pytest.mark.parametrize("interrupted", [(3,), (40,), (3, False), (200,)])
def test_an_interrupted_step_happens_wholly_or_not_at_all(interrupted: tuple) -> None:
    def begin() -> Callable[[], object]:
        nonlocal net, optimizers
        net, optimizers = fastnn.MLP((5, 6, 4), "tanh"), (fastnn.Adam(0.01), fastnn.Adam(0.1))
        for k in (0, 1, 0):
            net.train_step(*batch(3), optimizers[k])
        return lambda: net.train_step(*batch(*interrupted), optimizers[1])

    def end() -> list[np.ndarray]:
        for k in (0, 0, 1):
            net.train_step(*batch(3), optimizers[k])
        net.train_step(*batch(130), optimizers[0])
        return net.get_weights()

    def after() -> None:
        found = end()
        equal = [all(map(np.array_equal, found, expected)) for expected in (without, with_it)]
        assert any(equal)
        outcomes.add(equal.index(True))

    net = optimizers = None
    begin()
    without = end()
    begin()()
    with_it = end()
    outcomes: set[int] = set()
    interrupted_everywhere(begin, after)
    assert outcomes == {0, 1}


# A batch that the kernel looks at itself, and one that Python looks at; steps on one thread, and on two.
@pytest.mark.parametrize(("n", "threads"), [(60, 1), (500, 1), pytest.param(500, 2, marks=needs_two)])
def test_two_threads_cannot_train_one_net_at_once(n: int, threads: int) -> None:
    fastnn.set_num_threads(threads)
    net, expected, optimizer = fastnn.MLP((304, 50, 10)), fastnn.MLP((304, 50, 10)), fastnn.SGD(0.1)
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((n, 304)).astype(np.float32), rng.integers(0, 10, n)
    all_there = threading.Barrier(3)

    def train(_: int) -> int:
        done = 0
        all_there.wait()
        for _ in range(300):
            try:
                net.train_step(x, t, optimizer)
            except RuntimeError as error:
                refusals.add(str(error))
            else:
                done += 1
        return done

    refusals: set[str] = set()
    with ThreadPoolExecutor(3) as pool:
        steps = sum(pool.map(train, range(3)))
    assert all("another thread is training this net" in refusal for refusal in refusals)
    for _ in range(steps):
        expected.train_step(x, t, optimizer)
    for one, other in zip(net.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def run_program(program: str, **environment: str) -> list[str]:
    """The lines that it prints."""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=300, env=os.environ | environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


FORK = """
import multiprocessing, os, warnings, numba, numpy as np, fastnn

def train():
    net = fastnn.MLP((100, 100, 10))
    return net.train_step(np.ones((4000, 100), np.float32), np.zeros(4000, int), fastnn.SGD(0.1))

def child():
    print(fastnn.get_num_threads(), np.isfinite(train()))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fastnn.set_num_threads(2)
    print(fastnn.get_num_threads(), np.isfinite(train()), *(w.category.__name__ for w in caught))
    assert all("forked" in str(w.message) for w in caught)
    fastnn.set_num_threads(1)

@numba.njit(parallel=True)
def own(a):
    for k in numba.prange(a.size):
        a[k] = k

fastnn.set_num_threads(2)
{before}
process = multiprocessing.get_context("fork").Process(target=child)
process.start()
process.join()
print(process.exitcode)
"""


@needs_two
@needs_fork
@pytest.mark.parametrize("before", ["train()", "own(np.zeros(100))"])
def test_a_child_forked_from_threads_stays_on_one(before: str) -> None:
    assert run_program(FORK.format(before=before)) == ["1 True", "1 True RuntimeWarning", "0"]


@needs_two
@needs_fork
@pytest.mark.parametrize("before", ["pass", "fastnn.MLP((2, 3)).forward(np.ones((1, 2), np.float32))"])
def test_a_child_forked_from_one_thread_may_use_more(before: str) -> None:
    assert run_program(FORK.format(before=before)) == ["2 True", "2 True", "0"]


@pytest.mark.parametrize("variable", ["OMP_NUM_THREADS", "NUMBA_NUM_THREADS"])
def test_environment_limits_the_threads(variable: str) -> None:
    assert run_program("import fastnn; print(fastnn.get_num_threads())", **{variable: "1"}) == ["1"]


def test_bad_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="^count: got 0"):
        fastnn.set_num_threads(0)
    with pytest.raises(ValueError, match=r"^count: got 10000, expected at most \d+: (the CPUs that|NUMBA_NUM_THREADS)"):
        fastnn.set_num_threads(10_000)
    with pytest.raises(TypeError, match="^count: got 1.5"):
        fastnn.set_num_threads(1.5)
    with pytest.raises(TypeError, match="^invariant: got 1, expected True or False"):
        fastnn.set_thread_invariant(1)


def test_memory_does_not_grow_with_the_batch() -> None:
    net = fastnn.MLP((20, 30, 10))
    fastnn.set_num_threads(1)

    rng = np.random.default_rng(0)
    batches = [(rng.random((n, 20), np.float32), rng.integers(0, 10, n)) for n in (512, 65536)]
    optimizer = fastnn.SGD(0.1)
    net.train_step(*batches[0], optimizer)
    tracemalloc.start()
    net.train_step(*batches[1], optimizer)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held < 10_000


@pytest.mark.parametrize("threads", [1, pytest.param(2, marks=needs_two)])
def test_a_warm_step_allocates_nothing(threads: int) -> None:
    from numba.core.runtime import _nrt_python, rtsys

    net, optimizer = fastnn.MLP((200, 300, 10)), fastnn.Adam()
    rng = np.random.default_rng(0)
    fastnn.set_num_threads(threads)
    _nrt_python.memsys_enable_stats()
    try:
        for n in (1, 40, 300):
            x, t = rng.random((n, 200), np.float32), rng.integers(0, 10, n)
            net.train_step(x, t, optimizer)
            before = rtsys.get_allocation_stats()
            tracemalloc.start()
            net.train_step(x, t, optimizer)
            traced = tracemalloc.get_traced_memory()[0]
            for _ in range(1000):
                net.train_step(x, t, optimizer)
            kept = tracemalloc.get_traced_memory()[0] - traced
            tracemalloc.stop()
            assert rtsys.get_allocation_stats() == before
            assert kept < 1000, "bytes kept after 1,000 steps"
    finally:
        _nrt_python.memsys_disable_stats()
