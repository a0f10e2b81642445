"""Results on standard output, for people or as JSON."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping


def add_json(parser: argparse._ActionsContainer) -> None:
    """--json."""
    parser.add_argument("--json", action="store_true", help="print the results as one line of JSON, for scripts")


def print_results(results: Mapping[str, float | int], as_json: bool) -> None:
    """One line for each, a name and a number; or all as JSON, null where a number is not finite."""
    if as_json:
        print(json.dumps({name: value if math.isfinite(value) else None for name, value in results.items()}))
        return
    width = max(map(len, results), default=0)
    for name, value in results.items():
        print(f"{name:{width}}  {value}" if isinstance(value, int) else f"{name:{width}}  {value:.6g}")
