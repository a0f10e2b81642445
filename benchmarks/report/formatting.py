"""Numbers as people read them: three digits, a unit, nothing more."""

from __future__ import annotations

import math

EM_DASH = "\N{EM DASH}"
TIMES = "\N{MULTIPLICATION SIGN}"


def three_digits(value: float) -> str:
    """1.53, 15.3, 153; never in exponent notation, no more than three digits that mean anything."""
    if value == 0:
        return "0"
    rounded = float(f"{value:.3g}")
    decimals = max(0, 2 - math.floor(math.log10(abs(rounded))))
    return f"{rounded:,.{decimals}f}"


def seconds(value: float | None) -> str:
    """152 ns, 152 µs, 15.2 ms, 1.52 s."""
    return _scaled(value, (("ns", 1e-9), ("µs", 1e-6), ("ms", 1e-3), ("s", 1.0)))


def bytes_(value: float | None) -> str:
    """152 B, 1.52 kB, 15.2 MB: powers of 1000."""
    return _scaled(value, (("B", 1.0), ("kB", 1e3), ("MB", 1e6), ("GB", 1e9)))


def ratio(value: float | None) -> str:
    """1.53, 15.3, 153 and the sign for "times"."""
    return EM_DASH if _unknown(value) else f"{_ratio_digits(value)}{TIMES}"


def interval(low: float, high: float) -> str:
    """1.41 to 1.66."""
    return EM_DASH if _unknown(low) or _unknown(high) else f"{_ratio_digits(low)} to {_ratio_digits(high)}"


def share(value: float | None) -> str:
    """0.153 -> 15.3%."""
    return EM_DASH if _unknown(value) else f"{three_digits(100 * value)}%"


def number(value: float | None) -> str:
    """Three digits, or a dash."""
    return EM_DASH if _unknown(value) else three_digits(value)


def count(number: int, noun: str) -> str:
    """1 thread, 2 threads."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def listed(words: list[str]) -> str:
    """a; a and b; a, b and c."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""


def _scaled(value: float | None, units: tuple[tuple[str, float], ...]) -> str:
    if _unknown(value):
        return EM_DASH
    # Compared after rounding, so that 999.9 µs reads 1.00 ms and not 1,000 µs.
    rounded = float(f"{value:.3g}")
    unit, size = next(((u, s) for u, s in reversed(units) if abs(rounded) >= s), units[0])
    return f"{three_digits(value / size)} {unit}"


def _ratio_digits(value: float) -> str:
    # Hundredths are the last digit that a race on a shared machine can mean.
    return f"{value:.2f}" if 0.1 <= value < 9.995 else three_digits(value)


def _unknown(value: float | None) -> bool:
    return value is None or math.isnan(value)
