"""Every declared kernel held against its reference, over sizes, precisions and styles of input."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn.ops.arguments import STYLES
from fastnn.ops.declaration import Declaration, PublicFunction

# Each dimension takes the size of its place in the signature: ones, small and odd, larger than every block and tile.
SIZES = ((1, 1, 1), (1, 10, 3), (7, 5, 3), (33, 17, 10), (130, 300, 50))


@dataclass(frozen=True)
class Comparison:
    """One input: how far each result is from the reference."""

    sizes: dict[str, int]
    style: str
    form: int  # which of the declaration's signatures
    share: float  # the largest error as a share of the tolerance; infinite where a NaN or infinity is misplaced
    ulps: float  # the largest error in units of eps times the expected result, where that is a normal number


def comparisons(function: PublicFunction, dtype: str) -> Iterator[Comparison]:
    """One comparison of a declared public function for each signature, size and style of input."""
    declaration = function.declaration
    for form, signature in enumerate(declaration.signatures):
        names = signature.dimensions
        for row in SIZES:
            sizes = dict(zip(names, row, strict=False)) | _example_sizes(declaration)
            loop = (row[0], row[2]) if declaration.looped else ()
            for style in STYLES:
                arrays = declaration.draw(sizes, dtype, style, form=form, loop=loop)
                yield Comparison(sizes, style, form, *compare(function, arrays, declaration.example))


def compare(function: PublicFunction, arrays: list[Any], numbers: Mapping[str, Any]) -> tuple[float, float]:
    """The largest error of the kernel on these inputs, as a share of the tolerance and in units in the last place.

    Arrays that the kernel writes are copied, so that both start from the same.
    """
    declaration = function.declaration
    with np.errstate(all="ignore"):
        expected = _run(declaration, declaration.reference, arrays, numbers)
    found = _run(declaration, function, arrays, numbers)
    tolerances = declaration.tolerance(arrays, numbers, expected)
    share = ulps = 0.0
    for e, f, tolerance in zip(expected, found, tolerances, strict=True):
        e, f = np.asarray(e), np.asarray(f)
        if e.shape != f.shape or e.dtype != f.dtype:
            return np.inf, np.inf
        finite = np.isfinite(e)
        if not np.array_equal(e[~finite], f[~finite], equal_nan=True):
            return np.inf, np.inf
        error = np.abs(f[finite].astype(np.float64) - e[finite].astype(np.float64))
        if np.isnan(error).any():
            return np.inf, np.inf
        with np.errstate(over="ignore"):
            share = max(share, (error / np.broadcast_to(tolerance, e.shape)[finite]).max(initial=0))
        normal = np.abs(e[finite]) >= np.finfo(e.dtype).tiny
        relative = error[normal] / (np.abs(e[finite][normal]).astype(np.float64) * np.finfo(e.dtype).eps)
        ulps = max(ulps, relative.max(initial=0))
    return share, ulps


def _run(declaration: Declaration, function: Any, arrays: list[Any], numbers: Mapping[str, Any]) -> tuple[Any, ...]:
    copies = [a.copy() for a in arrays]
    returned = function(*copies, **numbers)
    if declaration.in_place:
        return tuple(c for name, c in zip(declaration.arrays, copies, strict=True) if name in declaration.in_place)
    return returned if isinstance(returned, tuple) else (returned,)


def _example_sizes(declaration: Declaration) -> dict[str, int]:
    return {name: declaration.example[name] for name in declaration.size_numbers}
