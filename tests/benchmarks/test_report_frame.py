"""The tidy table, the headline grid, and the findings in words."""

import copy
import math

import numpy as np
import pandas as pd
import pytest

from benchmarks.report import conditions
from benchmarks.report import formatting as fmt
from benchmarks.report.frame import CASE, COLUMNS, DIGITS, in_form, to_frame, write_csv
from benchmarks.report.grid import build_grid
from benchmarks.report.implementations import in_order, label, look
from benchmarks.report.summary import STRONGEST, finding, sentences, summarize, warnings
from benchmarks.results import Results


@pytest.fixture(scope="module")
def frame(results) -> pd.DataFrame:
    return to_frame(results)


def lose_everything(results: Results, implementation: str) -> Results:
    changed = copy.deepcopy(results)
    for cell in changed.cells:
        if cell.implementation == implementation:
            cell.status, cell.reason, cell.samples = "died", "exit -9", []
    return changed


def test_one_row_per_cell_those_without_a_time_too(results, frame):
    assert len(frame) == len(results.cells) == 2 * 2 * 7 * 8
    assert list(frame.columns) == list(COLUMNS)
    assert not frame.duplicated([*CASE, "implementation"]).any()
    untimed = frame[frame["status"] != "ok"]
    assert len(untimed) == 22
    assert untimed["median_seconds"].isna().all()
    assert (untimed["reason"] != "").all()


def test_values_of_a_row(results, frame):
    cell = next(c for c in results.cells if c.implementation == "numpy" and c.batch_size == 128 and c.threads == 2)
    row = frame[
        (frame["model"] == cell.model)
        & (frame["batch_size"] == 128)
        & (frame["threads"] == 2)
        & (frame["implementation"] == "numpy")
    ].iloc[0]
    own = next(c for c in results.cells if c.case == cell.case and c.implementation == "fastnn")
    assert row["median_seconds"] == pytest.approx(cell.median)
    assert row["samples_per_second"] == pytest.approx(cell.samples_per_second)
    assert row["gflops"] == pytest.approx(cell.flops / cell.median / 1e9)
    assert row["gbytes_per_second"] == pytest.approx(cell.bytes_moved / cell.median / 1e9)
    assert row["share_of_peak"] == pytest.approx(cell.flops / cell.median / (96e9 * 2))
    assert row["peak_gflops"] == pytest.approx(96 * 2)
    assert row["ratio_to_fastnn"] == pytest.approx(np.median(np.divide(cell.samples, own.samples)))
    assert row["ratio_low"] <= row["ratio_to_fastnn"] <= row["ratio_high"]
    assert row["samples_per_second_low"] <= row["samples_per_second"] <= row["samples_per_second_high"]


def test_exactly_the_lowest_median_of_a_case_is_fastest(frame):
    timed = frame[frame["median_seconds"].notna()]
    lowest = timed.loc[timed.groupby(CASE)["median_seconds"].idxmin()]
    assert set(frame.index[frame["fastest"]]) == set(lowest.index)


def test_csv_reads_back(frame, tmp_path):
    path = tmp_path / "results.csv"
    write_csv(frame, path)
    back = pd.read_csv(path, keep_default_na=True)
    assert list(back.columns) == list(frame.columns)
    np.testing.assert_allclose(back["median_seconds"], frame["median_seconds"], rtol=10.0 ** (1 - DIGITS))
    assert back["peak_memory"].equals(frame["peak_memory"])
    assert [entry.name for entry in tmp_path.iterdir()] == ["results.csv"]


def test_a_csv_file_does_not_show_the_last_digits_of_a_number(tmp_path):
    """They depend on the CPU; a count has none to lose."""
    exact = pd.DataFrame(
        {"name": ["a", "b", "c"], "ratio": [1.1, 2e-9 / 3, np.nan], "bytes": [12345678.0, 0.0, np.nan]}
    )
    write_csv(exact, tmp_path / "exact.csv")
    write_csv(exact.assign(ratio=np.nextafter(exact["ratio"], 9)), tmp_path / "off.csv")
    assert (tmp_path / "exact.csv").read_text() == "name,ratio,bytes\na,1.1,12345678.0\nb,6.66667e-10,0.0\nc,,\n"
    assert (tmp_path / "off.csv").read_text() == (tmp_path / "exact.csv").read_text()


def test_fastnn_without_a_time_leaves_no_ratio(results):
    changed = lose_everything(results, "fastnn")
    frame, summary = to_frame(changed), summarize(changed)
    assert frame["ratio_to_fastnn"].isna().all()
    assert (frame["fastnn_verdict"] == "").all()
    assert "nothing" in finding(summary)
    assert any("fastnn itself has no time in 28 cases" in said for said in sentences(summary))


def test_a_peak_beside_the_case_counts_before_that_of_the_run(results):
    changed = Results("2026-01-01", "0.1.0", {}, {}, {}, copy.deepcopy(results.cells[:8]), ceilings=results.ceilings)
    own = next(cell for cell in changed.cells if cell.implementation == "fastnn")
    own.peaks = [40e9, 48e9, 60e9]
    frame = to_frame(changed)
    assert (frame["peak_gflops"] == 48).all()
    before = to_frame(Results("2026-01-01", "0.1.0", {}, {}, {}, results.cells[:8], ceilings=results.ceilings))
    np.testing.assert_allclose(frame["share_of_peak"], 2 * before["share_of_peak"])
    np.testing.assert_allclose(frame["memory_roof"], np.minimum(1, 2 * before["memory_roof"]))


def test_missing_ceilings_and_kinds_of_emptiness(results):
    bare = Results("not a date", "0.1.0", {}, {}, {}, copy.deepcopy(results.cells[:3]))
    bare.cells[0].peak_memory = None
    frame = to_frame(bare)
    assert frame[["share_of_peak", "memory_roof"]].isna().all(axis=None)
    assert conditions.date(bare) == "not a date"
    assert conditions.cpu(bare) == conditions.data_set(bare) == ""
    empty = to_frame(Results("2026-01-01", "0.1.0", {}, {}, {}, []))
    assert empty.empty
    assert build_grid(empty).blocks == []


def test_a_slow_fastnn_is_said_to_lose(made_up):
    summary = summarize(made_up(slower={"fastnn": 3.0}, threads=(1,)))
    said = " ".join(sentences(summary))
    mean = summary.fastest.mean
    assert mean.high < 1
    assert "It loses in: " in said
    assert (
        finding(summary)
        == f"fastnn is faster than every peer in {len(summary.fastest.with_verdict('faster'))} of 14 cases"
    )
    worst = min(summary.fastest.contests, key=lambda contest: contest.ratio.value)
    assert f"It loses in: {worst.where}" in said  # the worst loss is named first


@pytest.mark.parametrize(
    ("rounds", "found"), [(2, "2 rounds, too few for a verdict"), (6, "fastnn is faster than every peer in ")]
)
def test_few_rounds_are_no_verdict(made_up, rounds, found):
    summary = summarize(made_up(rounds=rounds, threads=(1,), batch_sizes=(1, 64)))
    assert finding(summary).startswith(found)


def test_counts_agree_between_words_frame_and_tallies(results, frame):
    summary = summarize(results)
    for tally in summary.peers:
        mine = frame[frame["implementation"] == tally.name]
        for kind in ("faster", "slower", "no clear difference"):
            assert len(tally.with_verdict(kind)) == (mine["fastnn_verdict"] == kind).sum()
        values = mine["ratio_to_fastnn"].dropna()
        assert tally.mean.value == pytest.approx(np.exp(np.log(values).mean()))
    assert len(summary.untimed) == 22
    assert "JAX not available in 14" in " ".join(sentences(summary))


def test_fastest_peer_is_the_one_with_the_lowest_median(results):
    for contest in summarize(results).fastest.contests:
        rivals = [c for c in results.cells if c.case == contest.own.case and c.status == "ok"]
        assert contest.peer.median == min(c.median for c in rivals if c.implementation != "fastnn")


def test_a_baseline_is_the_fastest_peer_only_where_it_is_the_only_one(made_up):
    alone = summarize(made_up(implementations=("fastnn", "fastnn-baseline"), threads=(1,)))
    assert {contest.peer.implementation for contest in alone.fastest.contests} == {"fastnn-baseline"}
    among = summarize(made_up(implementations=("fastnn", "fastnn-baseline", "numpy-notes"), threads=(1,)))
    assert {contest.peer.implementation for contest in among.fastest.contests} == {"numpy-notes"}
    assert any(said.startswith("Over 14 cases fastnn-baseline takes ") for said in sentences(among))


def test_no_peer_at_all(made_up):
    summary = summarize(made_up(implementations=("fastnn",), batch_sizes=(1,)))
    assert "nothing can be compared" in sentences(summary)[0]


def test_warnings(made_up):
    few = made_up(rounds=3, batch_sizes=(8,), threads=(1,))
    few.commit["dirty"] = True
    few.kernel_errors[0].max_error = 1.5
    said = " ".join(warnings(summarize(few), few))
    assert "75%" in said
    assert "affine_forward" in said
    assert "uncommitted" in said
    enough = made_up(rounds=6, batch_sizes=(8,), threads=(1,))
    assert warnings(summarize(enough), enough) == []


def test_grid_has_every_cell_and_numbers_its_notes(frame):
    grid = build_grid(frame)
    entries = [cell for block in grid.blocks for row in block.rows for cell in row.entries]
    assert len(entries) == 2 * 2 * 7 * 8
    assert sum(not cell.timed for cell in entries) == 22
    assert {cell.note for cell in entries if not cell.timed} == set(range(1, len(grid.notes) + 1))
    assert any("exit -9" in note for note in grid.notes)
    assert [row.head for row in grid.blocks[0].rows] == ["1", "8", "32", "128", "512", "2,048", "8,192"]


def test_grid_marks_cells_that_nobody_ran(results):
    some = copy.deepcopy(results)
    some.cells = [c for c in some.cells if not (c.implementation == "numpy" and c.batch_size == 8)]
    entries = [c for b in build_grid(to_frame(some)).blocks for r in b.rows for c in r.entries]
    assert [c.time for c in entries].count("not run") == 4


def test_conditions_do_not_name_the_host(results):
    shown = str(conditions.rows(results)) + conditions.short(results)
    assert "secret-host" not in shown
    assert "Imaginary Processor 7" in shown
    assert "2.4.6" in shown


def test_conditions_flatten_what_is_nested_and_leave_out_what_is_empty():
    machine = {"cpu": {"brand_raw": "CPU  7", "count": 2}, "cache_bytes": {"L2": 2097152}, "memory_bytes": None}
    run = Results("2026-01-01", "0.1.0", machine, {}, {"load": [0.5, 1.0], "blas": ""}, [])
    assert conditions.cpu(run) == "CPU 7"
    facts = dict(conditions.rows(run))
    assert facts["machine cpu count"] == "2"
    assert facts["machine cache L2"] == "2.10 MB"
    assert facts["load"] == "0.5, 1.0"
    assert not {"blas", "machine memory"} & set(facts)


def test_looks_are_stable_whoever_takes_part():
    assert in_order(["zeta", "numpy", "fastnn", "alpha", "numpy"]) == ["fastnn", "numpy", "alpha", "zeta"]
    assert look("zeta") == look("zeta")
    assert label("zeta") == "zeta"
    assert label("numpy") != "numpy"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.524e-4, "152 µs"),
        (9.996e-4, "1.00 ms"),
        (0.99999, "1.00 s"),
        (1.5e-10, "0.150 ns"),
        (123.4, "123 s"),
        (0.0, "0 ns"),
        (None, "—"),
        (math.nan, "—"),
    ],
)
def test_seconds(value, text):
    assert fmt.seconds(value) == text


def test_other_numbers():
    assert [fmt.ratio(v) for v in (0.0461, 0.954, 1.0, 9.99, 9.999, 12.34, 1234.0)] == [
        f"{digits}{fmt.TIMES}" for digits in ("0.0461", "0.95", "1.00", "9.99", "10.0", "12.3", "1,230")
    ]
    assert fmt.bytes_(77_300_000) == "77.3 MB"
    assert fmt.share(0.153) == "15.3%"
    assert fmt.listed(["a", "b", "c"]) == "a, b and c"
    assert fmt.listed([]) == ""
    assert fmt.interval(math.nan, 1.0) == "—"


FORMS = ("fastnn", "fastnn-epoch", "numpy", "jax-scan")


@pytest.fixture(scope="module")
def forms(made_up) -> Results:
    """A run with peers of both forms. At batch 1 JAX's is the strongest."""
    run = made_up(implementations=FORMS, batch_sizes=(1, 512), threads=(1,), slower={"fastnn-epoch": 0.5})
    for cell in run.cells:
        if cell.implementation == "jax-scan" and cell.batch_size == 1:
            own = next(c for c in run.cells if c.case == cell.case and c.implementation == "fastnn-epoch")
            cell.samples = [0.9 * seconds for seconds in own.samples]
        if cell.implementation == "jax-scan" and cell.batch_size == 512:
            cell.samples = [10 * seconds for seconds in cell.samples]
    return run


def test_a_peer_is_compared_with_fastnn_in_its_own_form(forms):
    summary = summarize(forms)
    rivals = {tally.name: {c.own.implementation for c in tally.contests} for tally in summary.peers}
    assert rivals == {"fastnn-epoch": {"fastnn"}, "numpy": {"fastnn"}, "jax-scan": {"fastnn-epoch"}}
    (against_steps,) = summary.against_steps
    assert {c.own.implementation for c in against_steps.contests} == {"fastnn"}
    frame = to_frame(forms)
    mine = frame[(frame["implementation"] == "jax-scan") & (frame["batch_size"] == 1)]
    assert mine["ratio_to_fastnn"].to_numpy() == pytest.approx(0.9)
    many = in_form(frame, many=True)
    assert set(many["implementation"]) == {"fastnn-epoch", "jax-scan"}
    assert (many.loc[many["fastest"], "implementation"] == ["jax-scan", "fastnn-epoch"] * 2).all()


def test_the_usual_peers_and_the_strongest_have_each_their_verdict(forms):
    summary = summarize(forms)
    assert {c.peer.implementation for c in summary.fastest.contests} == {"numpy"}
    assert [c.peer.implementation for c in summary.strongest.contests] == ["jax-scan", "numpy"] * 2
    assert summary.any_form is None
    said = " ".join(sentences(summary))
    assert "than the fastest usual peer in 4 of 4" in said
    assert f"than {STRONGEST} in 2 of 4 cases, slower in 2" in said
    assert f"784-50-10 sigmoid SGD, batch 1, 1 thread (JAX lax.scan, 0.90{fmt.TIMES})" in said
    assert finding(summary) == "fastnn is faster than the strongest peer in 2 of 4 cases"


def test_without_a_stronger_peer_the_words_are_as_they_were(results):
    summary = summarize(results)
    assert summary.strongest is summary.any_form is None
    assert "usual" not in " ".join(sentences(summary))
