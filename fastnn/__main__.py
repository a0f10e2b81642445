"""python -m fastnn: show what fastnn runs on, verify every kernel against its reference, compile ahead of time."""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections.abc import Sequence

import numba
import numpy as np

import fastnn
from fastnn.intrinsics import MR, NR_VECTORS, VECTOR_BYTES
from fastnn.kernel_cache import kernel_directory
from fastnn.ops import DECLARED
from fastnn.ops.verify import comparisons
from fastnn.warmup import DTYPES, tasks


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns 0, or 1 if a kernel differs from its reference."""
    parser = argparse.ArgumentParser(prog="fastnn", description=__doc__.partition(": ")[2])
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (_, explained) in COMMANDS.items():
        commands.add_parser(name, help=explained, description=explained)
    return COMMANDS[parser.parse_args(arguments).command][0]()


def info() -> int:
    """Print versions, the vector registers and micro-tile that kernels are compiled for, threads, and the cache."""
    rows = {
        "fastnn": fastnn.__version__,
        "Python": platform.python_version(),
        "NumPy": np.__version__,
        "Numba": numba.__version__,
        "vector registers": f"{8 * VECTOR_BYTES} bits",
        "micro-tile": f"{MR} rows x {NR_VECTORS} vectors",
        "threads": str(fastnn.get_num_threads()),
        "kernel cache": str(kernel_directory() or "none: no home directory"),
    }
    for name, value in rows.items():
        print(f"{name:18} {value}")
    return 0


def verify() -> int:
    """Compare every kernel with its reference over sizes, precisions and adversarial inputs."""
    print(f"{'kernel':22} {'dtype':8} {'inputs':>6} {'error / tolerance':>18}")
    wrong = 0
    for name, function in DECLARED.items():
        for dtype in DTYPES:
            ratios = [found.error_ratio for found in comparisons(function, dtype)]
            verdict = "" if max(ratios) <= 1 else "  WRONG"
            wrong += bool(verdict)
            print(f"{name:22} {dtype:8} {len(ratios):6} {max(ratios):18.2f}{verdict}")
    return int(wrong > 0)


def warmup() -> int:
    """Compile all kernels that Python calls, in both precisions, into the cache: once per machine and version."""
    todo, started = list(tasks()), time.perf_counter()
    for k, (name, task) in enumerate(todo, 1):
        task()
        if sys.stderr.isatty():
            print(f"\r{k:3} of {len(todo)}  {name:50}", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    print(f"{len(todo)} kernels ready in {time.perf_counter() - started:.1f} s: {kernel_directory()}")
    return 0


COMMANDS = {
    "info": (info, "show what kernels are compiled for, and where they are cached"),
    "verify": (verify, "compare every kernel with its reference"),
    "warmup": (warmup, "compile every kernel now, so that no later process has to"),
}

if __name__ == "__main__":
    sys.exit(main())
