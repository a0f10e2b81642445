"""The sweeps: what is on each axis, what memory is counted, and that a run without them has no figure."""

from __future__ import annotations

import copy

import pytest

from benchmarks import scaling as sweeps
from benchmarks.report import scaling
from benchmarks.report.drawing import Source
from benchmarks.report.frame import to_frame
from benchmarks.report.scaling import scaling_frame
from benchmarks.report.summary import summarize
from benchmarks.results import Results


def source(results: Results) -> Source:
    return Source(results, to_frame(results), summarize(results))


def test_every_sweep_has_its_own_axis(results: Results):
    frame = scaling_frame(results)
    swept = {sweep: sorted(set(rows["swept"])) for sweep, rows in frame.groupby("sweep")}
    assert swept == {
        "batch": list(sweeps.BATCH_SIZES),
        "width": list(sweeps.WIDTHS),
        "depth": list(sweeps.DEPTHS),
        "threads": [1, 2],
    }
    assert set(swept) == set(scaling.AXES)
    assert len(frame) == sum(map(len, results.scaling.values()))


def test_parameters_are_not_counted_as_memory_that_a_step_takes(results: Results):
    rows = scaling_frame(results).set_index(["sweep", "implementation"])
    own = rows.loc[("batch", "fastnn")]
    assert set(own["parameter_bytes"]) == {4 * sweeps.DEEP.parameter_count}
    drawing = scaling.draw(source(results))[1]
    assert drawing.name == "memory_by_batch"
    kept = (300_000 - 4 * sweeps.DEEP.parameter_count) / 1e3
    assert f"fastnn {kept:.0f} kB to {kept:.0f} kB, batch 512 to 65,536" in drawing.title


def test_the_title_counts_points_won(results: Results):
    changed = copy.deepcopy(results)
    changed.scaling = {"depth": changed.scaling["depth"]}
    for cell in changed.scaling["depth"]:
        cell.samples = [2e-3 if cell.implementation == "fastnn" else 1e-3] * 5
    (drawing,) = [d for d in scaling.draw(source(changed)) if d.name == "scaling"]
    assert drawing.title.endswith("fastnn is fastest in 0 of 6 points")


@pytest.mark.parametrize("left", [{}, {"batch": []}])
def test_a_run_without_sweeps_has_no_figure_of_them(results: Results, left: dict):
    changed = copy.deepcopy(results)
    changed.scaling = left
    assert scaling.draw(source(changed)) == []
