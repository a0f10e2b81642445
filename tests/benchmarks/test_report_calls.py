"""Single calls in the report: every one with its winner, losses as plain as gains."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from benchmarks.report.calls import COLUMNS, call_sentences, calls_frame, calls_grid
from benchmarks.report.frame import write_csv
from benchmarks.report.headline import headline
from benchmarks.results import Results


@pytest.fixture(scope="module")
def frame(results: Results) -> pd.DataFrame:
    return calls_frame(results)


def test_one_row_per_call_and_implementation(results: Results, frame: pd.DataFrame):
    assert list(frame.columns) == COLUMNS
    assert len(frame) == len(results.calls) == 7
    by_peer = frame[frame["implementation"] == "numpy"].set_index("size")
    assert by_peer["ratio_to_fastnn"].tolist() == pytest.approx([1.5, 0.8, 1.1])
    assert by_peer["fastnn_verdict"].tolist() == ["faster", "slower", "no clear difference"]
    own = frame[frame["implementation"] == "fastnn"].set_index("size")
    assert own["share_of_peak"]["32 x 784 x 50"] == pytest.approx(2.5e6 / 2e-5 / 96e9)
    assert own["gbytes_per_second"]["4,096"] == pytest.approx(6.5e4 / 2e-6 / 1e9)
    assert own["share_of_peak"].isna()["4,096"]  # no float64 ceiling was measured


def test_exactly_the_fastest_is_marked(frame: pd.DataFrame):
    timed = frame[frame["median_seconds"].notna()]
    lowest = timed.loc[timed.groupby(["function", "size", "dtype"])["median_seconds"].idxmin()]
    assert set(frame.index[frame["fastest"]]) == set(lowest.index)


def test_the_grid_has_a_block_per_family_and_names_what_has_no_time(frame: pd.DataFrame):
    grid = calls_grid(frame)
    assert [len(block.rows) for block in grid.blocks] == [2, 1]
    faster, slower = grid.blocks[0].rows
    assert (faster.head, faster.rate) == ("32 x 784 x 50, float32", "130% of peak")
    assert slower.entries[1].ratio.startswith("0.80")
    (unclear,) = grid.blocks[1].rows
    assert unclear.head == "exp, 4,096, float64"
    assert unclear.rate == "32.5 GB/s"
    assert [entry.time for entry in unclear.entries[2:]] == ["wrong"]
    assert grid.notes == ["PyTorch, wrong: off by 3.1 times the tolerance"]


def test_the_words_count_faster_slower_and_unclear_calls(results: Results):
    said = call_sentences(results)
    assert said[0] == (
        "fastnn is faster than the fastest peer in 1 of 3 calls, slower in 1, with no clear difference in 1."
    )
    assert "affine_forward 1 x 784 x 50 float32 (Tuned NumPy, 0.80" in " ".join(said)
    assert "Over 3 calls the fastest peer takes 1.1" in said[1]
    assert re.search(r"\| single calls, fastest peer, 1 thread \| 1 of 3 \| 1 \| 1 \| \*\*1\.1", headline([results]))


def test_csv_reads_back(frame: pd.DataFrame, tmp_path):
    write_csv(frame, tmp_path / "calls.csv")
    back = pd.read_csv(tmp_path / "calls.csv")
    assert list(back.columns) == COLUMNS
    assert back["median_seconds"].equals(frame["median_seconds"])
