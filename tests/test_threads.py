"""Several threads: the same results, the same bits from run to run, and safe from several Python threads."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import pytest

import fastnn

needs_two = pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="one CPU")


@pytest.fixture(autouse=True)
def restored():
    before = fastnn.get_num_threads()
    yield
    fastnn.set_num_threads(before)
    fastnn.set_thread_invariant(False)


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
# One tile for each thread; more than one; one of a single row.
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
@pytest.mark.parametrize(("n", "zeros"), [(1, 0), (1, 200), (7, 0), (8, 200)])
def test_threads_share_the_update_of_one_tile_to_the_bit(n: int, zeros: int, optimizer: str, dtype: str) -> None:
    wide = {"n": n, "dtype": dtype, "hidden": 2000, "optimizer": optimizer, "zeros": zeros}
    assert fastnn.MLP((304, 2000, 32, 10))._workers(n) > 1, "else nothing is shared, and the test shows nothing"
    for one, two in zip(trained(1, **wide), trained(2, **wide), strict=True):
        np.testing.assert_array_equal(one, two)


@needs_two
@pytest.mark.parametrize("threads", [1, 2])
def test_runs_are_equal_to_the_bit(threads: int) -> None:
    for one, two in zip(trained(threads), trained(threads), strict=True):
        np.testing.assert_array_equal(one, two)


@needs_two
@pytest.mark.parametrize("zeros", [0, 200])
@pytest.mark.parametrize("n", [40, 700, 2100])
def test_results_can_be_the_same_for_any_number_of_threads(n: int, zeros: int, dtype: str) -> None:
    fastnn.set_thread_invariant(True)
    assert fastnn.is_thread_invariant()
    for one, two in zip(trained(1, n, dtype, zeros=zeros), trained(2, n, dtype, zeros=zeros), strict=True):
        np.testing.assert_array_equal(one, two)
    fastnn.set_thread_invariant(False)
    apart = [np.array_equal(*pair) for pair in zip(trained(1, n, dtype), trained(2, n, dtype), strict=True)]
    assert all(apart) == (n == 40), "else nothing was shared, and the test shows nothing"


@needs_two
def test_results_of_a_tile_each_can_be_the_same_too(dtype: str) -> None:
    fastnn.set_thread_invariant(True)
    assert fastnn.MLP((304, 1000, 32, 10))._workers(100) > 2
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
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_child_trains_on_one_thread() -> None:
    program = """
import os, warnings, numpy as np, fastnn
warnings.simplefilter("ignore")
fastnn.set_num_threads(2)
x, t = np.ones((4000, 100), np.float32), np.zeros(4000, int)
fastnn.MLP((100, 100, 10)).train_step(x, t, fastnn.SGD(0.1))
if os.fork() == 0:
    fastnn.MLP((100, 100, 10)).train_step(x, t, fastnn.SGD(0.1))
    os._exit(10 + fastnn.get_num_threads())
print(os.waitstatus_to_exitcode(os.wait()[1]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300)
    assert done.stdout.strip() == "11", done.stderr


def test_bad_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="^count: got 0"):
        fastnn.set_num_threads(0)
    with pytest.raises(ValueError, match=r"^count: got 10000, expected at most \d+ \(NUMBA_NUM_THREADS\)"):
        fastnn.set_num_threads(10_000)
    with pytest.raises(TypeError, match="^count: got 1.5"):
        fastnn.set_num_threads(1.5)
    with pytest.raises(TypeError, match="^invariant: got 1, expected True or False"):
        fastnn.set_thread_invariant(1)


def test_memory_does_not_grow_with_the_batch() -> None:
    net = fastnn.MLP((20, 30, 10))
    fastnn.set_num_threads(1)

    def held() -> int:
        return sum(a.nbytes for a in vars(net).values() if isinstance(a, np.ndarray))

    rng = np.random.default_rng(0)
    sizes = []
    for n in (512, 65536):
        net.train_step(rng.random((n, 20), np.float32), rng.integers(0, 10, n), fastnn.SGD(0.1))
        sizes.append(held())
    assert sizes[0] == sizes[1]


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
