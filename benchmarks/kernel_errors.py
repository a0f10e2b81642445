"""How far every declared kernel is from its reference, over every drawn input."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.results import KernelError
from fastnn.ops import DECLARED
from fastnn.ops.verify import comparisons


def measure(dtypes: tuple[str, ...]) -> Iterator[KernelError]:
    """One entry per kernel and dtype, each when it is measured."""
    for name, function in DECLARED.items():
        for dtype in dtypes:
            found = list(comparisons(function, dtype))
            error_ratio, ulps = max(c.error_ratio for c in found), max(c.ulps for c in found)
            yield KernelError(name, dtype, float(error_ratio), float(ulps), len(found))
