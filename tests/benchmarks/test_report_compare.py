"""Two runs against each other: drift is no regression, a regression is not lost in drift."""

import copy
import io
import math

import pytest
from rich.console import Console

from benchmarks.report.compare import REGRESSION, UNJUDGED, UNTIMED, compare, compare_files, print_comparison
from benchmarks.report.statistics import FASTER, SLOWER

SMALL = {"batch_sizes": (8, 512), "threads": (1,), "implementations": ("fastnn", "numpy", "numba")}


@pytest.fixture(scope="module")
def base(made_up):
    return made_up(**SMALL)


def printed(comparison, width=80) -> str:
    console = Console(file=io.StringIO(), width=width)
    print_comparison(comparison, console)
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= width
    return " ".join(text.split())


def test_a_busier_machine_is_no_regression(base, made_up):
    comparison = compare(base, made_up(**SMALL, seed=1, machine_factor=1.6), 5)
    assert comparison.exit_code == 0
    assert all(change.slowdown.value == pytest.approx(1, abs=0.06) for change in comparison.changes)
    assert "No regression" in printed(comparison)


def test_a_slower_fastnn_is_a_regression_even_on_a_calmer_machine(base, made_up):
    comparison = compare(base, made_up(**SMALL, seed=1, machine_factor=0.5, slower={"fastnn": 1.3}), 10)
    assert comparison.exit_code == 1
    assert {change.outcome for change in comparison.changes} == {REGRESSION}
    assert all(1.2 < change.slowdown.value < 1.4 for change in comparison.changes)
    assert "REGRESSION" in printed(comparison)


def test_the_lower_bound_decides(base, made_up):
    new = made_up(**SMALL, seed=1, slower={"fastnn": 1.3})
    lowest = min(change.slowdown.low for change in compare(base, new).changes)
    highest = max(change.slowdown.low for change in compare(base, new).changes)
    assert len(compare(base, new, (lowest - 1) * 100 - 0.01).failures) == 4
    assert len(compare(base, new, (highest - 1) * 100 + 0.01).failures) == 0
    assert compare(base, new, 30).exit_code == 0


def test_no_limit_reports_without_failing(base, made_up):
    slower = compare(base, made_up(**SMALL, seed=1, slower={"fastnn": 1.3}))
    assert slower.exit_code == 0
    assert {change.outcome for change in slower.changes} == {SLOWER}
    faster = compare(base, made_up(**SMALL, seed=1, slower={"fastnn": 0.7}), 5)
    assert {change.outcome for change in faster.changes} == {FASTER}


def test_a_run_equals_itself(base):
    comparison = compare(base, base, 0)
    assert comparison.exit_code == 0
    assert all(change.slowdown.value == 1 for change in comparison.changes)


def test_a_cell_without_a_time_fails(base, made_up):
    new = made_up(**SMALL, seed=1)
    cell = next(c for c in new.cells if c.implementation == "fastnn")
    cell.status, cell.reason, cell.samples = "wrong", "loss differs", []
    for limit in (50, None):
        comparison = compare(base, new, limit)
        assert comparison.exit_code == 1
        assert [change.outcome for change in comparison.failures] == [UNTIMED]
        assert "wrong" in printed(comparison)


def test_a_cell_that_had_no_time_before_does_not_fail(base, made_up):
    old = copy.deepcopy(base)
    cell = next(c for c in old.cells if c.implementation == "fastnn")
    cell.status, cell.samples = "died", []
    assert compare(old, made_up(**SMALL, seed=1), 10).exit_code == 0


def test_without_common_peers_absolute_times_stand_in_and_it_says_so(base, made_up):
    alone = made_up(**SMALL | {"implementations": ("fastnn",)}, seed=1, machine_factor=2.0)
    comparison = compare(base, alone, 10)
    assert comparison.exit_code == 1
    assert all(change.controls == [] for change in comparison.changes)
    assert "absolute" in printed(comparison)


def test_a_peer_without_a_time_in_one_run_is_no_yardstick(base, made_up):
    new = made_up(**SMALL, seed=1)
    for cell in new.cells:
        if cell.implementation == "numpy":
            cell.status, cell.samples = "died", []
    assert {tuple(change.controls) for change in compare(base, new, 10).changes} == {("numba",)}


def test_other_implementations_on_demand_and_never_measured_by_fastnn(base, made_up):
    new = made_up(**SMALL, seed=1, slower={"fastnn": 5.0, "numba": 1.5})
    comparison = compare(base, new, 10, implementations=("numba",))
    assert {change.base.implementation for change in comparison.changes} == {"numba"}
    assert all(change.slowdown.value == pytest.approx(1.5, abs=0.12) for change in comparison.changes)
    assert {tuple(change.controls) for change in comparison.changes} == {("numpy",)}


def test_cells_of_one_run_are_listed(base, made_up):
    new = made_up(**SMALL | {"batch_sizes": (8, 32)}, seed=1)
    comparison = compare(base, new, 10)
    assert {cell.batch_size for cell in comparison.only_in_base} == {512}
    assert {cell.batch_size for cell in comparison.only_in_new} == {32}
    text = printed(comparison)
    assert "Only in the base run" in text
    assert "Only in the new run" in text


def test_unequal_and_few_rounds(base, made_up):
    assert compare(base, made_up(**SMALL, seed=1, rounds=7), 20).exit_code == 0
    few = compare(base, made_up(**SMALL, seed=1, rounds=2), 20)
    assert {change.outcome for change in few.changes} == {UNJUDGED}
    assert few.exit_code == 2
    assert "Nothing to judge" in printed(few)


def test_warnings(base, made_up):
    new = made_up(**SMALL, seed=1)
    new.machine["cpu"] = "Another CPU"
    new.conditions["versions"] = {"numpy": "9.9"}
    new.conditions["data"] = "digits"
    text = printed(compare(base, new, 10))
    for words in ("different machines", "Another CPU", "numpy 2.4.6 to 9.9", "different data"):
        assert words in text
    held = made_up(**SMALL, seed=1, isa="avx2")
    assert any("different vector widths (native; held to AVX2)" in said for said in compare(base, held, 10).warnings)
    assert compare(base, made_up(**SMALL, seed=1), 10).warnings == []


@pytest.mark.parametrize("limit", [-1, math.nan, math.inf])
def test_nonsense_limits_are_refused(base, limit):
    with pytest.raises(ValueError, match="percentage"):
        compare(base, base, limit)


def test_files(base, made_up, tmp_path):
    old, new, cut = (tmp_path / name for name in ("old.json", "new.json", "cut.json"))
    base.save(old)
    made_up(**SMALL, seed=1, slower={"fastnn": 1.5}).save(new)
    cut.write_text(old.read_text()[:5000])
    console = Console(file=io.StringIO(), width=80)
    assert compare_files(old, old, 5, console) == 0
    assert compare_files(old, new, 5, console) == 1
    for pair in ((cut, new), (old, cut), (old, tmp_path / "none.json")):
        assert compare_files(*pair, 5, console) == 2
    assert "cut.json" in console.file.getvalue()
    assert compare_files(old, new, -5, console) == 2
