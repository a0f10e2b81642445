"""Checks of numbers and flags that callers give."""

from __future__ import annotations

from typing import Any

import numpy as np


def number(name: str, value: Any, low: float, high: float = np.inf, above: bool = False) -> float:
    """`value` as a float in [low, high), or in (low, high) if it must be `above`.

    Raises TypeError for what is no number, ValueError outside and for NaN.
    """
    if type(value) is float and low < value < high:
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name}: got {value!r}, expected a number, int or float")
    try:
        real = float(value)
    except OverflowError:
        real = np.inf
    if not low <= real < high or (above and real == low):
        raise ValueError(f"{name}: got {value!r}, expected a number in {'(' if above else '['}{low:g}, {high:g})")
    return real


def fraction_or_one(name: str, value: Any) -> float:
    """`value` as a float in [0, 1]. Raises as `number` does."""
    real = number(name, value, 0.0)
    if real > 1:
        raise ValueError(f"{name}: got {value!r}, expected a number in [0, 1]")
    return real


def count(name: str, value: Any, low: int = 1) -> int:
    """`value` as an int of at least `low`. Raises TypeError for what is no integer and ValueError below."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name}: got {value!r}, expected an integer")
    if value < low:
        raise ValueError(f"{name}: got {value}, expected at least {low}")
    if value >= 2**63:
        raise ValueError(f"{name}: got {value}, expected less than 2**63")
    return int(value)


def choice(name: str, value: Any, allowed: tuple[str, ...]) -> str:
    """`value`, if it is one of the allowed texts. Raises ValueError for any other."""
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name}: got {value!r}, expected one of {', '.join(map(repr, allowed))}")
    return value


def flag(name: str, value: Any) -> bool:
    """`value` as a bool. Raises TypeError for anything but True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name}: got {value!r}, expected True or False")
    return bool(value)
