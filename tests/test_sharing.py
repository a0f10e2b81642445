"""Between how many workers a step is shared."""

from __future__ import annotations

import numpy as np
import pytest

import fastnn
from fastnn.linalg.layout import ParameterLayout
from fastnn.sharing import _LEAST, Sharing

# Of the width of AVX-512, whatever this CPU has.
LANES = 16
NETS = [(4, 32, 16, 4), (10, 100, 1), (8, 128, 128, 2), (784, 50, 10), (784, 128, 10), (784, 1024, 1024, 10)]


def sharing(sizes: tuple[int, ...], dtype: str = "float32", most_rows: int = 128) -> Sharing:
    lanes = LANES * 4 // np.dtype(dtype).itemsize
    return Sharing(ParameterLayout(sizes, lanes), np.dtype(dtype), most_rows)


@pytest.mark.parametrize("sizes", NETS)
def test_small_steps_stay_on_one_thread_and_large_ones_use_all(sizes: tuple[int, ...], dtype: str) -> None:
    own = sharing(sizes, dtype)
    for threads in (2, 16, 64):
        counts = {n: own._workers(n, threads, False) for n in (*range(1, 200), 1000, 10_000, 1_000_000)}
        assert max(counts.values()) == counts[1_000_000] == threads
        assert {workers for n, workers in counts.items() if n < own.rows} <= {1}
    for count in (2, 16):
        n = own.rows_for_threads(count)
        assert own._workers(n, count, False) == count
        assert n == 1 or own._workers(n - 1, count, False) < count
    assert own._workers(10**6, 1, False) == 1


def test_what_is_mostly_weights_to_fetch_is_not_shared() -> None:
    own = sharing((784, 128, 10))
    assert [own._workers(n, 2, False) for n in (1, 4, 8, 16)] == [1, 1, 2, 2]
    # But where the update is large beside a meeting it is worth it.
    assert sharing((784, 1024, 1024, 10))._workers(1, 2, False) == 2


def test_elements_count_beside_products() -> None:
    """Of a narrow net they take more time than the products."""
    narrow = sharing((4, 32, 16, 4))
    assert narrow._workers(2048, 2, False) == 2
    assert 2 * narrow._row // 3 > 4 * ParameterLayout((4, 32, 16, 4), LANES).size
    assert narrow.rows < 8_000_000 // (6 * ParameterLayout((4, 32, 16, 4), LANES).size) // 2


def test_how_steps_are_shared_does_not_depend_on_threads_where_results_must_not() -> None:
    own = sharing((784, 128, 10))
    for n in range(1, 400, 7):
        assert len({own._workers(n, threads, True) for threads in (1, 2, 16)}) == 1
    assert own._workers(10_000, 1, True) == 8
    # A step that the kernel takes by itself is one worker's in either case.
    assert {own._workers(n, 2, True) for n in range(1, own.rows)} == {1}


def test_the_number_of_threads_is_looked_at_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    own, counts = sharing((784, 128, 10)), []
    for most in (4, 1, 4):
        monkeypatch.setattr(fastnn.threads, "_sharing", (most, False))
        counts.append((own.workers(2048), own.workers_of_predictions(2048)))
    assert counts == [(4, 4), (1, 1), (4, 4)]
    monkeypatch.setattr(fastnn.threads, "_sharing", (1, True))
    assert own.workers(2048) == 8


@pytest.mark.parametrize("sizes", NETS)
def test_every_worker_has_enough_to_do(sizes: tuple[int, ...]) -> None:
    """Four times as much where one thread may have to pay for them all."""
    own = sharing(sizes)
    for n in (*range(1, 800), 1000, 2048, 10_000):
        work = n * (own._row + own._gradient) + own._update
        for most in (2, 16, 64):
            workers = own._workers(n, most, False)
            assert workers == 1 or workers * _LEAST <= work
        workers = own._workers(n, 1, True)
        assert workers == 1 or workers * 4 * _LEAST <= work


def test_workers_that_cost_more_than_they_save_stay_out() -> None:
    """Each is one more to tell, and to wait for. An update alone may be worth many."""
    large = sharing((784, 1024, 1024, 10))
    assert 2 < large._workers(1, 64, False) <= large._workers(14, 64, False) < 60
    assert (14 * (large._row + large._gradient) + large._update) // _LEAST > 60


def test_a_step_is_three_products_of_which_a_prediction_is_one() -> None:
    wide = sharing((784, 1024, 1024, 10))
    assert (wide._row + wide._gradient) / wide._prediction == pytest.approx(3, rel=0.03)
    # Activations count beside them: of a narrow net they are more than half.
    narrow = (4, 32, 16, 4)
    assert sharing(narrow)._prediction > 4 * ParameterLayout(narrow, LANES).size


def test_without_padding_float64_is_twice_the_work_in_all_parts() -> None:
    single, double = (sharing((32, 64, 16), dtype) for dtype in ("float32", "float64"))
    for part in ("_row", "_gradient", "_update", "_fetch", "_prediction"):
        assert getattr(double, part) == 2 * getattr(single, part), part


def test_narrower_vectors_take_longer_but_fetch_as_fast() -> None:
    float32 = np.dtype("float32")
    wide, narrow = (Sharing(ParameterLayout((32, 64, 16), lanes), float32, 128) for lanes in (LANES, LANES // 2))
    for part in ("_row", "_gradient", "_update", "_prediction"):
        assert getattr(narrow, part) == 2 * getattr(wide, part), part
    assert narrow._fetch == wide._fetch
    # Meetings take as long: a step that is worth them with AVX2 need not be with AVX-512.
    wide, narrow = (Sharing(ParameterLayout((784, 128, 10), lanes), float32, 128) for lanes in (LANES, LANES // 2))
    assert wide.rows > narrow.rows == 1


@pytest.mark.parametrize("sizes", NETS)
def test_predictions_are_shared_as_far_as_they_last(sizes: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fastnn.threads, "get_num_threads", lambda: 64)
    own = sharing(sizes)
    first = own._rows_to_predict
    counts = [own.workers_of_predictions(n) for n in (1, first - 1, first, 10 * first, 10**6)]
    # A large net takes more than two for a single row.
    assert counts[1] == 1 < counts[2]
    assert counts[2] == 2 or first == 1
    assert counts[1:] == sorted(counts[1:])
    assert 2 < counts[3] < counts[4] == 64


def test_what_is_remembered_is_of_these_rows_and_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    own, found = sharing((784, 50, 10)), {}
    for threads in (64, 3):
        monkeypatch.setattr(fastnn.threads, "sharing", lambda threads=threads: (threads, False))
        for n in (32, 2048, 32, 256, 256):
            found[threads, n] = own.workers(n)
            assert found[threads, n] == own._workers(n, threads, False)
    assert found[64, 32] < found[64, 256] < found[64, 2048] == 64
    assert found[3, 2048] == 3
