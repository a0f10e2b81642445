"""Ticks of a log scale: round, and several however short the span; titles of panels, which stay within the figure."""

from __future__ import annotations

import math

import pytest

from benchmarks.report.canvas import NARROW, WIDE, beyond, layout, round_values


@pytest.mark.parametrize(("low", "high"), [(0.9, 1.2), (0.5, 4.0), (1e-3, 1e6)])
def test_markers_at_the_limits_are_within_the_frame(low: float, high: float) -> None:
    """They are 7 points wide at most, in a panel of 170 or more."""
    bottom, top = beyond(low, high, 1.1)
    scale = math.log(top / bottom)
    for room in (low / bottom, top / high):
        assert room >= 1.1
        assert 170 * math.log(room) / scale > 3.5


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.7, 1.9, [0.8, 1, 1.25, 1.5]),
        (0.5, 12, [0.5, 1, 2, 5, 10]),
        (1, 2e4, [1, 10, 100, 1000, 10000]),
    ],
)
def test_round_values(low: float, high: float, expected: list[float]) -> None:
    assert round_values(low, high) == pytest.approx(expected)


@pytest.mark.parametrize("left", [0.78, 1.0])
@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_titles_of_panels_are_not_cut_off(width: float, left: float) -> None:
    """Neither at the right nor at the top; nor does one reach into the panel beside or above it."""
    titles = [
        "784-128-10 ReLU centered RMSprop, 1\N{NO-BREAK SPACE}thread",
        "784-1024-1024-10 ReLU Adam, float32, 16\N{NO-BREAK SPACE}threads",
        "784-50-10 sigmoid SGD",
        "784-128-10 ReLU Adam, two words more, so that it needs several lines, float32, 16\N{NO-BREAK SPACE}threads",
    ]
    figure, axes = layout(width, titles, 2.4, None, [], left)
    figure.canvas.draw()
    boxes = [place._left_title.get_window_extent() for place in axes]
    panels = [place.get_window_extent() for place in axes]
    for title, place in zip(titles, axes, strict=True):
        assert place.get_title(loc="left").replace("\n", " ") == title
    for box, panel in zip(boxes, panels, strict=True):
        assert box.x1 <= panel.x1 + 0.2 * figure.dpi
        assert box.y1 <= figure.bbox.height
        assert not any(box.overlaps(other) for other in panels)
