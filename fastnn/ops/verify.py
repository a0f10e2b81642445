"""Comparison of every declared kernel with its reference, over sizes, precisions and styles of input."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn.ops.arguments import STYLES
from fastnn.ops.declaration import Declaration, PublicFunction

# Sizes of the dimensions, in order of appearance in the signature: ones; small; odd; larger than every block and tile.
SIZES = ((1, 1, 1), (1, 10, 3), (7, 5, 3), (33, 17, 10), (130, 300, 50))


@dataclass(frozen=True)
class Comparison:
    """How far the results for one set of inputs are from the reference."""

    sizes: dict[str, int]
    style: str
    signature_index: int  # which of the declaration's signatures
    error_ratio: float  # the largest error / tolerance; infinite if a NaN or infinity is at the wrong place
    ulps: float  # the largest error in units of eps times the expected element, if that is a normal number


def comparisons(function: PublicFunction, dtype: str) -> Iterator[Comparison]:
    """One comparison of a declared public function for each signature, size and style of input."""
    declaration = function.declaration
    for index, signature in enumerate(declaration.signatures):
        names = signature.dimensions
        for row in SIZES:
            sizes = dict(zip(names, row, strict=False)) | _example_sizes(declaration)
            leading = (row[0], row[2]) if declaration.flattens_leading else ()
            for style in STYLES:
                arrays = declaration.draw(sizes, dtype, style, signature_index=index, leading=leading)
                yield Comparison(sizes, style, index, *compare(function, arrays, declaration.example))


def compare(function: PublicFunction, arrays: list[Any], numbers: Mapping[str, Any]) -> tuple[float, float]:
    """The largest error of the kernel on these inputs: relative to the tolerance, and in units in the last place.

    Both run on copies of the arrays, because either may update them in place.
    """
    declaration = function.declaration
    with np.errstate(all="ignore"):
        expected = _run(declaration, declaration.reference, arrays, numbers)
    found = _run(declaration, function, arrays, numbers)
    tolerances = declaration.tolerance(arrays, numbers, expected)
    error_ratio = ulps = 0.0
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
            error_ratio = max(error_ratio, (error / np.broadcast_to(tolerance, e.shape)[finite]).max(initial=0))
        normal = np.abs(e[finite]) >= np.finfo(e.dtype).tiny
        relative = error[normal] / (np.abs(e[finite][normal]).astype(np.float64) * np.finfo(e.dtype).eps)
        ulps = max(ulps, relative.max(initial=0))
    return error_ratio, ulps


def _run(declaration: Declaration, function: Any, arrays: list[Any], numbers: Mapping[str, Any]) -> tuple[Any, ...]:
    copies = [a.copy() for a in arrays]
    returned = function(*copies, **numbers)
    if declaration.in_place:
        return tuple(c for name, c in zip(declaration.arrays, copies, strict=True) if name in declaration.in_place)
    return returned if isinstance(returned, tuple) else (returned,)


def _example_sizes(declaration: Declaration) -> dict[str, int]:
    return {name: declaration.example[name] for name in declaration.size_numbers}
