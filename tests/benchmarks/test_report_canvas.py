"""Ticks of a log scale: round, and several however short the span."""

from __future__ import annotations

import math

import pytest

from benchmarks.report.canvas import beyond, round_values


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
