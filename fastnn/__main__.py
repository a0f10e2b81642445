"""python -m fastnn: show what fastnn runs on, verify every kernel against its reference, compile ahead of time."""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numba
import numpy as np

import fastnn
from fastnn.intrinsics import MR, NR_VECTORS, VECTOR_BYTES
from fastnn.kernel_cache import kernel_directory
from fastnn.ops import DECLARED
from fastnn.ops.verify import comparisons
from fastnn.warmup import DTYPES, run_tasks, tasks


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
    """Compile all kernels that Python calls, in both precisions, into the cache: once per machine and version.

    Returns 0, 1 if something failed, or 130 if it was interrupted.
    """
    started, count = time.perf_counter(), len(list(tasks()))
    failed = []
    try:
        for k, (name, error) in enumerate(run_tasks(), 1):
            if error is not None:
                failed.append(f"{name}: {error}")
            _show_progress(f"{k:3} of {count}  {name}")
    except KeyboardInterrupt:
        print("\ninterrupted: what is compiled is kept, and the next warmup goes on from there", file=sys.stderr)
        return 130
    _show_progress("")
    for line in failed:
        print(line, file=sys.stderr)
    directory = kernel_directory()
    kept = "not kept: no home directory" if directory is None else f"{_megabytes(directory):.0f} MB in {directory}"
    ready = f"{count - len(failed)} of {count} tasks" if failed else f"{count} tasks"
    print(f"{ready} ready in {time.perf_counter() - started:.1f} s: {kept}")
    return int(bool(failed))


def _show_progress(line: str) -> None:
    """In place of the last, on a terminal."""
    if sys.stderr.isatty():
        print(f"\r{line[:78]:78}\r{line[:78]}", end="", file=sys.stderr, flush=True)


def _megabytes(directory: Path) -> float:
    return sum(file.stat().st_size for file in directory.glob("*") if file.is_file()) / 1e6


COMMANDS = {
    "info": (info, "show what kernels are compiled for, and where they are cached"),
    "verify": (verify, "compare every kernel with its reference"),
    "warmup": (warmup, "compile every kernel now, so that no later process has to"),
}

if __name__ == "__main__":
    sys.exit(main())
