"""The map of sizes: who is fastest where, what a colour means, and that other runs have none."""

from __future__ import annotations

import re

import pytest

from benchmarks import sizes as race
from benchmarks.report import canvas, sizes
from benchmarks.report.drawing import Source
from benchmarks.report.figures import draw_all
from benchmarks.report.formatting import TIMES
from benchmarks.report.frame import to_frame
from benchmarks.report.summary import summarize
from benchmarks.results import Results
from tests.benchmarks.test_report_render import contrast


@pytest.fixture
def of_sizes(made_up) -> Results:
    return made_up(race.PEERS, (1, 32), (1, 2), tuple(race.net(width) for width in (4, 64, 512)), 7)


def of(results: Results, width: int, batch_size: int, threads: int, implementation: str):
    (cell,) = [
        cell
        for cell in results.cells
        if (cell.model, cell.batch_size, cell.threads, cell.implementation)
        == (race.net(width).name, batch_size, threads, implementation)
    ]
    return cell


def test_the_fastest_peer_of_each_cell_and_how_much_longer_it_takes(of_sizes: Results):
    for cell in of_sizes.cells:
        cell.status, cell.reason = "ok", ""
        cell.samples = [{"fastnn": 1e-3, "numpy": 3e-3}.get(cell.implementation, 4e-3)] * 7
    of(of_sizes, 64, 1, 1, "jax").samples = [0.5e-3] * 7
    of(of_sizes, 512, 1, 1, "numpy").status = "died"
    of(of_sizes, 512, 32, 1, "fastnn").status = "wrong"
    leads = sizes.leads(to_frame(of_sizes).assign(width=lambda frame: frame["model"].map(race.width_of)))
    found = leads.set_index(["threads", "width", "batch_size"])[["implementation", "lead"]]
    assert list(found.loc[(1, 4, 1)]) == ["numpy", pytest.approx(3)]
    assert list(found.loc[(1, 64, 1)]) == ["jax", pytest.approx(0.5)]
    assert list(found.loc[(1, 512, 1)]) == ["pytorch", pytest.approx(4)]
    assert len(found) == 2 * 3 * 2 - 1  # without fastnn's time there is none
    # Width 4: 3 and 3; width 64: 0.5 and 3; width 512: 4 alone; two threads are not in it.
    assert (
        sizes.finding(leads)
        .replace(TIMES, "")
        .endswith("3.00 up to width 32, 1.22 up to width 256, 4.00 beyond width 256")
    )


def test_a_colour_is_level_within_a_tenth_and_darker_the_larger_the_lead():
    grounds = [light for light, _ in canvas.GROUNDS]
    leads = (0.3, 0.7, 1 / 1.09, 1, 1.09, 1.2, 2, 3, 40)
    assert [grounds.index(sizes.ground(lead)) for lead in leads] == [0, 1, 2, 2, 2, 3, 4, 5, 6]


def test_numbers_can_be_read_on_every_ground_on_both_pages():
    for place in (0, 1):
        for ground in canvas.GROUNDS:
            assert contrast(canvas.INKS["ink"][place], ground[place]) >= 4.5, ground


def test_the_map_is_the_only_figure_and_follows_the_page(of_sizes: Results):
    (drawing,) = draw_all(of_sizes, to_frame(of_sizes), summarize(of_sizes))
    assert drawing.name == "sizes"
    for svg in (drawing.wide, drawing.narrow):
        assert not re.search(r"#[0-9a-f]{6}\b", svg)
        assert "var(--ground-" in svg


def test_other_runs_have_no_map(results: Results, of_sizes: Results):
    assert sizes.draw(Source(results, to_frame(results), summarize(results))) == []
    of_sizes.cells += results.cells
    assert sizes.draw(Source(of_sizes, to_frame(of_sizes), summarize(of_sizes))) == []


def test_a_width_is_read_from_the_name_of_a_net_of_equal_layers_alone():
    assert [race.width_of(race.net(width).name) for width in race.WIDTHS] == list(race.WIDTHS)
    assert [race.width_of(name) for name in ("784-128-10-relu-adam", "8-8-4-10-relu-adam")] == [None, None]
