"""Locks that compiled code takes: of one word in memory, and of the parallel region."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np

from fastnn.intrinsics import element, enter_parallel_region, leave_parallel_region, try_lock, unlock
from fastnn.threads import PARALLEL_REGION, get_num_threads

numba.get_num_threads()  # starts Numba's threads, as a kernel with a prange does


@numba.njit(nogil=True)
def once(word):
    return try_lock(element(word, 0))


@numba.njit(nogil=True)
def count_locked(word, total, times):
    for _ in range(times):
        while not try_lock(element(word, 0)):
            pass
        total[0] += 1
        unlock(element(word, 0))


@numba.njit(nogil=True)
def count_in_region(region, total, times):
    threads = 0
    for _ in range(times):
        before = enter_parallel_region(region)
        total[0] += 1
        threads = numba.get_num_threads()
        leave_parallel_region(region, before)
    return threads


def test_a_lock_is_taken_once() -> None:
    word = np.zeros(1, np.int64)
    assert [once(word), once(word)] == [True, False]
    word[0] = 0
    count_locked(word, np.zeros(1, np.int64), 1)
    assert word[0] == 0
    assert once(word)


def test_a_lock_holds_between_threads() -> None:
    word, total = np.zeros(1, np.int64), np.zeros(1, np.int64)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: count_locked(word, total, 5_000), range(4)))
    assert total[0] == 20_000


def test_one_thread_at_a_time_is_in_the_region() -> None:
    total = np.zeros(1, np.int64)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: count_in_region(PARALLEL_REGION, total, 5_000), range(4)))
    assert total[0] == 20_000


def test_a_region_has_its_own_number_of_threads() -> None:
    most = numba.config.NUMBA_NUM_THREADS
    numba.set_num_threads(1)
    try:
        assert count_in_region(PARALLEL_REGION, np.zeros(1, np.int64), 1) == get_num_threads()
        assert numba.get_num_threads() == 1
    finally:
        numba.set_num_threads(most)
