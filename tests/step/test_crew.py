"""The crew of a parallel region: every share of a phase is done once, after all shares of the phases before."""

from __future__ import annotations

import os
import threading

import numba
import numpy as np
import pytest
from numba.core import types

import fastnn
from fastnn.intrinsics import (
    ARRIVED,
    CLAIM,
    CLAIMS,
    DONE,
    JOB,
    MARKS,
    NUMBER,
    add_to_word,
    address_of_pointer,
    current_cpu,
    offset,
    pointer,
    read_word,
)
from fastnn.jit import address_of, kernel
from fastnn.step import crew
from fastnn.threads import PARALLEL_REGION, _region

pytestmark = pytest.mark.usefixtures("restore_threads")
needs_two = pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="one CPU")

# Words of the record that the phases below are given: how many shares they have; where each phase counts.
WORKERS, FIRST, SECOND = 0, 8, 24


@kernel
def first_phase(record, worker):
    """Counts its share, after some time."""
    words = pointer(address_of_pointer(record), np.int64(0))
    total = 0
    for k in range(2000 * (worker + 1)):
        total ^= k * worker
    add_to_word(offset(words, FIRST + worker), 1 if total >= 0 else 2)


@kernel
def second_phase(record, worker):
    """Counts its share if all of the first phase were done."""
    words = pointer(address_of_pointer(record), np.int64(0))
    done = 0
    for other in range(words[WORKERS]):
        done += read_word(offset(words, FIRST + other))
    if done % words[WORKERS] == 0 and done > 0:
        add_to_word(offset(words, SECOND + worker), 1)


@kernel
def staged_phase(record, worker, stage):
    """Counts its share if all of the stage before were done as often as those of this one, and once more."""
    words = pointer(address_of_pointer(record), np.int64(0))
    own, right = offset(words, FIRST + 8 * stage + worker), True
    for other in range(words[WORKERS] if stage > 0 else 0):
        right &= read_word(offset(words, FIRST + 8 * (stage - 1) + other)) == read_word(own) + 1
    if right:
        add_to_word(own, 1)


def slots() -> tuple[int, int]:
    kinds = types.voidptr, types.int64
    return address_of(first_phase, kinds), address_of(second_phase, kinds)


@needs_two
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("workers", [2, 8])
def test_each_share_is_done_once_and_phases_wait_for_each_other(workers: int, threads: int) -> None:
    fastnn.set_num_threads(threads)
    first, second = slots()
    times = 200
    for skipped in (False, True):
        record = np.zeros(48, np.int64)
        record[WORKERS] = workers
        for _ in range(times):
            crew.in_parallel(first, 1, 0 if skipped else second, second, record.ctypes.data, workers, PARALLEL_REGION)
        expected = np.arange(8) < workers
        np.testing.assert_array_equal(record[FIRST : FIRST + 8], times * expected)
        np.testing.assert_array_equal(record[SECOND : SECOND + 8], (1 if skipped else 2) * times * expected)


@needs_two
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("workers", [2, 8])
def test_stages_wait_for_each_other(workers: int, threads: int) -> None:
    fastnn.set_num_threads(threads)
    staged = address_of(staged_phase, (types.voidptr, types.int64, types.int64))
    record, stages, times = np.zeros(48, np.int64), 5, 200
    record[WORKERS] = workers
    for _ in range(times):
        crew.in_parallel(staged, stages, 0, 0, record.ctypes.data, workers, PARALLEL_REGION)
    counts = record[FIRST : FIRST + 8 * stages].reshape(stages, 8)
    np.testing.assert_array_equal(counts, np.broadcast_to(times * (np.arange(8) < workers), (stages, 8)))


def test_who_is_alone_does_all_shares_and_who_is_late_none() -> None:
    first, _ = slots()
    record, workers = np.zeros(48, np.int64), 4
    record[WORKERS] = workers
    _region[NUMBER] += 1
    until = int(_region[DONE]) + workers
    _region[JOB + crew._PHASES : JOB + crew._PHASES + 2] = record.ctypes.data, workers
    arguments = first, 0, 1, 2, PARALLEL_REGION, int(_region[NUMBER]), until
    for _ in range(2):
        crew._take_part(*arguments)
        np.testing.assert_array_equal(record[FIRST : FIRST + 8], np.arange(8) < workers)
    assert _region[DONE] == until
    assert (_region[CLAIMS : CLAIMS + CLAIM * workers : CLAIM] == _region[NUMBER]).all()


@kernel
def cpu_of_this_thread():
    return current_cpu()


def in_a_thread(function) -> None:
    """Affinity is a thread's own."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            function()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]


@pytest.mark.skipif(cpu_of_this_thread() < 0, reason="CPUs are not known here")
def test_who_finds_another_on_its_cpu_leaves_it() -> None:
    number, other = int(_region[NUMBER]) + 1, 1
    _region[NUMBER] = number

    def marked(cpu: int) -> bool:
        """Whether `crew._arrive` leaves its own mark on that CPU, where it found another's."""
        return _region[MARKS + cpu] not in (0, number << 24 | other)

    def arrive() -> None:
        allowed = os.sched_getaffinity(0)
        before = int(_region[ARRIVED])
        for _ in range(20):  # the system may move it meanwhile
            cpu = cpu_of_this_thread()
            _region[MARKS : MARKS + 512] = 0
            _region[MARKS + cpu] = number << 24 | other
            crew._arrive(PARALLEL_REGION, number)
            moved.append(marked(cpu) and cpu_of_this_thread() != cpu)
        assert _region[ARRIVED] == before + 20
        assert os.sched_getaffinity(0) == allowed

    moved: list[bool] = []
    in_a_thread(arrive)
    assert any(moved) == (len(os.sched_getaffinity(0)) > 1)


@pytest.mark.skipif(cpu_of_this_thread() < 0, reason="CPUs are not known here")
def test_who_has_one_cpu_alone_stays_there() -> None:
    number = int(_region[NUMBER]) + 1
    _region[NUMBER] = number

    def arrive() -> None:
        cpu = cpu_of_this_thread()
        os.sched_setaffinity(0, {cpu})
        _region[MARKS + cpu] = number << 24 | 1
        crew._arrive(PARALLEL_REGION, number)
        assert os.sched_getaffinity(0) == {cpu}
        assert cpu_of_this_thread() == cpu

    in_a_thread(arrive)


def test_a_mark_of_an_earlier_region_counts_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    if (cpu := cpu_of_this_thread()) < 0:
        pytest.skip("CPUs are not known here")
    number = int(_region[NUMBER]) + 2
    _region[NUMBER] = number
    _region[MARKS : MARKS + 512] = number - 1 << 24 | 1
    crew._arrive(PARALLEL_REGION, number)
    assert (_region[MARKS : MARKS + 512] >> 24 == number).sum() == 1
    assert cpu >= 0
