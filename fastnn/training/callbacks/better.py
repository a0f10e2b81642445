"""When a number is better than the best before."""

from __future__ import annotations

from fastnn import scalar_checks

MODES = ("min", "max")


def checked_mode(mode: str | None) -> str | None:
    """ "min", "max" or None. Raises ValueError for any other."""
    return None if mode is None else scalar_checks.choice("mode", mode, MODES)


def is_better(value: float, best: float | None, direction: str, min_delta: float = 0.0) -> bool:
    """Whether the value is better than the best by more than `min_delta`. NaN never is; any other is better than none.

    The rule of `keras.callbacks.EarlyStopping`: value + min_delta < best where the smaller is better, and
    value - min_delta > best where the larger is.
    """
    if best is None:
        return value == value
    return value + min_delta < best if direction == "min" else value - min_delta > best
