"""Threads, or turns on one thread: what is faster is chosen, and looked at again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import fastnn
from fastnn.pacing import Pace

Speeds = Callable[[float], dict[bool, float]]


def run(pace: Pace, speeds: Speeds, seconds: float, rows: int = 32) -> tuple[float, float]:
    """Calls for so many simulated seconds; how long they took, and the fraction of the rows done by threads."""
    now = threaded = done = 0.0
    while now < seconds:
        took = speeds(now)[pace.threaded]
        threaded, done = threaded + rows * pace.threaded, done + rows
        pace.took(pace.threaded, took, rows)
        now += took
    return now, threaded / done


@pytest.mark.parametrize("turns", [1.2e-4, 1e-3, 0.5])
def test_threads_stay_where_they_are_faster(turns: float) -> None:
    pace = Pace()
    _, threaded = run(pace, lambda now: {True: turns / 2, False: turns}, 1000 * turns)
    assert threaded > 0.95
    assert pace.threaded


@pytest.mark.parametrize("turns", [0.02, 0.05, 0.2])
def test_few_of_long_calls_are_trials(turns: float) -> None:
    """Also in the first seconds. One call in turns tells that it is slower, and is not repeated soon."""
    calls: list[bool] = []
    pace = Pace()
    for _ in range(60):
        calls.append(pace.threaded)
        pace.took(pace.threaded, turns / 2 if pace.threaded else turns, 512)
    assert calls.count(False) == 1


def test_first_call_in_turns_that_fetches_what_another_core_wrote_does_not_count() -> None:
    pace, last = Pace(), True
    for _ in range(500):
        threaded = pace.threaded
        pace.took(threaded, 1e-3 if threaded else 8e-4 if not last else 2.5e-3, 8)
        last = threaded
    assert not pace.threaded


def test_trials_of_slow_threads_are_cut_short() -> None:
    """They end with the first call that loses more than a trial of short calls takes."""
    pace, calls = Pace(), [0]
    for _ in range(500):
        threaded = pace.threaded
        pace.took(threaded, 4e-2 if threaded else 1e-2, 32)
        if threaded:
            calls[-1] += 1
        elif calls[-1]:
            calls.append(0)
    assert calls[:4] == [calls[0], 2, 2, 2]  # of which the first may wake threads


@pytest.mark.parametrize("slow", [1.5e-2, 4e-2, 0.5])
def test_trials_are_rarer_the_more_they_lose(slow: float) -> None:
    seconds, threaded = run(Pace(), lambda now: {True: slow, False: 1e-2}, 1000.0)
    rows = seconds / (threaded * slow + (1 - threaded) * 1e-2)
    assert 1e-2 * rows > 0.95 * seconds


@pytest.mark.parametrize("turns", [1e-4, 3e-3, 0.1])
@pytest.mark.parametrize("busy", [2.5, 30.0])
def test_threads_that_become_fast_again_are_found_soon(turns: float, busy: float) -> None:
    """After others were busy for a moment, or for long."""
    pace, speeds = Pace(), {True: turns / 2, False: turns}
    run(pace, lambda now: speeds, 1.0 + 20 * turns)
    speeds[True] = 2 * turns
    run(pace, lambda now: speeds, busy)
    assert not pace.threaded
    speeds[True] = turns / 2
    _, threaded = run(pace, lambda now: speeds, 10.0)
    assert threaded > 0.6


@pytest.mark.parametrize("turns", [1e-4, 3e-3, 2e-2])
def test_others_are_busy_now_and_then(turns: float) -> None:
    """In the first 0.4 of each second. With threads chosen whenever they are faster, they would do three quarters."""
    fast, slow = {True: turns / 2, False: turns}, {True: 2 * turns, False: turns}
    _, threaded = run(Pace(), lambda now: slow if now % 1 < 0.4 else fast, 30.0)
    assert threaded > 0.55


def test_turns_are_taken_where_threads_wait_for_each_other() -> None:
    pace = Pace()
    _, threaded = run(pace, lambda now: {True: 5e-3, False: 1e-4}, 20.0)
    assert threaded < 0.01


def test_the_machine_changes() -> None:
    pace = Pace()
    speeds = {True: 6e-5, False: 1e-4}
    run(pace, lambda now: speeds, 3.0)
    assert pace.threaded
    speeds[True] = 2e-3  # others are busy
    run(pace, lambda now: speeds, 0.5)
    assert not pace.threaded
    speeds[True] = 6e-5
    run(pace, lambda now: speeds, 3.0)
    assert pace.threaded


def test_first_steps_say_little() -> None:
    """They touch memory for the first time."""
    pace = Pace()
    run(pace, lambda now: {True: 3e-4 if now < 0.03 else 6e-5, False: 1e-4}, 0.3)
    assert pace.threaded


@pytest.mark.parametrize(("turns", "wakes"), [(1e-4, 2e-2), (2e-2, 4e-2)])
def test_waking_threads_does_not_count(turns: float, wakes: float) -> None:
    """Each time that they are tried, the first call takes longer, than a trial too."""
    pace, woken, times = Pace(), False, 0
    speeds = {True: 3 * turns, False: turns}  # others are busy

    def now(_: float) -> dict[bool, float]:
        nonlocal woken, times
        wakens, woken = pace.threaded and not woken, pace.threaded
        times += wakens
        return {True: wakes, False: turns} if wakens else speeds

    run(pace, now, 0.5 + 20 * turns)
    assert not pace.threaded
    speeds[True] = 0.6 * turns
    before = times
    while not pace.threaded:
        pace.took(False, now(0.0)[False], 32)
    assert run(pace, now, 0.5)[1] == 1  # turns were left just now, and are not tried again so soon
    assert times > before


def test_threads_that_are_fast_for_a_moment_are_no_reason_to_try_them_often() -> None:
    pace, calls, times = Pace(), 0, 0

    def now(_: float) -> dict[bool, float]:
        nonlocal calls, times
        calls = calls + 1 if pace.threaded else 0
        times += calls == 1
        return {True: 5e-4 if calls < 15 else 5e-3, False: 1e-3}

    run(pace, now, 30.0)
    assert times < 40


def test_one_long_call_is_enough() -> None:
    pace = Pace()
    for threaded, seconds in ((True, 5.0), (True, 3.0), (False, 1.0)):
        assert pace.threaded == threaded  # the first call may have compiled
        pace.took(threaded, seconds, 32)
    run(pace, lambda now: {True: 3.0, False: 1.0}, 10.0)
    assert not pace.threaded


def test_what_is_compiled_in_the_first_call_does_not_count() -> None:
    pace, calls = Pace(), iter([5.0])
    run(pace, lambda now: {True: next(calls, 6e-5), False: 1e-4}, 6.0)
    assert pace.threaded


def test_what_the_first_trial_compiles_does_not_count() -> None:
    """Threads are slow from the start: others are busy."""
    pace, calls = Pace(), iter([5.0])
    run(pace, lambda now: {True: 2e-2, False: 1e-2 if pace.threaded else next(calls, 1e-2)}, 7.0)
    assert not pace.threaded


def test_calls_that_began_before_another_thread_chose_do_not_count() -> None:
    pace = Pace()
    for _ in range(9):
        pace.took(not pace.threaded, 1.0, 1)
    assert pace.threaded
    run(pace, lambda now: {True: 6e-5, False: 1e-4}, 0.1)
    assert pace.threaded


def test_refused_steps_do_not_count(rng: np.random.Generator, restore_threads: None) -> None:
    if fastnn.get_num_threads() < 2:
        pytest.skip("needs two threads")
    net, optimizer, calls = fastnn.MLP((300, 200, 3), seed=1), fastnn.Adam(), []
    n = net.rows_for_threads(2)
    x, t = rng.standard_normal((n, 300)).astype(np.float32), rng.integers(0, 3, n)
    net.train_epoch(x, t, optimizer, n)
    net._preparation.pace.took = lambda *call: calls.append(call)
    net._preparation._in_use[0] = 1  # as while another thread trains it
    for train in (lambda: net.train_epoch(x, t, optimizer, n), lambda: net.train_step(x, t, optimizer)):
        with pytest.raises(RuntimeError, match="another thread"):
            train()
    net._preparation._in_use[0] = 0
    with pytest.raises(ValueError, match="got label"):
        net.train_step(x, t + 3, optimizer)
    assert not calls
    net.train_step(x, t, optimizer)
    assert len(calls) == 1


@pytest.mark.usefixtures("restore_threads")
def test_results_do_not_depend_on_it(monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> None:
    if fastnn.get_num_threads() < 2:
        pytest.skip("needs two threads")
    nets = [fastnn.MLP((300, 200, 3), seed=1) for _ in range(3)]
    n = nets[0].rows_for_threads(2)
    x, t = rng.standard_normal((20 * n, 300)).astype(np.float32), rng.integers(0, 3, 20 * n)
    for threaded, net in zip((True, False, None), nets, strict=True):
        if threaded is not None:
            monkeypatch.setattr(net._preparation.pace, "took", lambda threaded, seconds, rows: None)
            net._preparation.pace.threaded = threaded
        optimizer = fastnn.Adam()
        for _ in range(3):
            net.train_epoch(x, t, optimizer, n)
            net.train_step(x[:n], t[:n], optimizer)
    for other in nets[1:]:
        for one, two in zip(nets[0].get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(one, two)
