"""`fastnn verify`: every kernel against its reference."""

from __future__ import annotations

import argparse

from fastnn.cli.errors import DONE, FAILED
from fastnn.ops import DECLARED

HELP = "compare every kernel with its reference in plain NumPy"
EPILOG = """Half a minute once kernels are compiled (fastnn warmup), some minutes before. The exit
status is 1 if a kernel is wrong."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """None."""


def run(options: argparse.Namespace) -> int:
    """Compare every kernel with its reference over sizes, precisions and adversarial inputs."""
    from fastnn.ops.verify import comparisons
    from fastnn.warmup import DTYPES

    print(f"{'kernel':22} {'dtype':8} {'inputs':>6} {'error / tolerance':>18}")
    wrong = 0
    for name, function in DECLARED.items():
        for dtype in DTYPES:
            ratios = [found.error_ratio for found in comparisons(function, dtype)]
            verdict = "" if max(ratios) <= 1 else "  WRONG"
            wrong += bool(verdict)
            print(f"{name:22} {dtype:8} {len(ratios):6} {max(ratios):18.2f}{verdict}", flush=True)
    return FAILED if wrong else DONE
