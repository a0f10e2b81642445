"""Ticks of a log scale: round, and several however short the span."""

from __future__ import annotations

import pytest

from benchmarks.report.canvas import round_values


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
