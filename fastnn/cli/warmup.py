"""`fastnn warmup`: compile everything ahead of time."""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import closing
from pathlib import Path

from fastnn.cli.errors import DONE, FAILED, INTERRUPTED, TERMINATED
from fastnn.cli.signals import Terminated, interrupts
from fastnn.kernel_cache import kernel_directory

HELP = "compile every kernel now, so that no later process has to"
EPILOG = """Once per machine and version: a minute on two cores, and 20 MB in the folder that
fastnn info shows. Without it, what is needed is compiled when it is first needed: 5 to
10 seconds before the first training step."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """None."""


def run(options: argparse.Namespace) -> int:
    """Compile all kernels that Python calls, in both precisions, into the cache."""
    # Here, for it imports what processes need.
    from fastnn import warmup

    started, count = time.perf_counter(), len(list(warmup.tasks()))
    failed = []
    try:
        with interrupts(), closing(warmup.run_tasks()) as done:
            for k, (name, error) in enumerate(done, 1):
                if error is not None:
                    failed.append(f"{name}: {error}")
                _show_progress(f"{k:3} of {count}  {name}")
    except KeyboardInterrupt as interrupt:
        print("\ninterrupted: what is compiled is kept, and the next warmup goes on from there", file=sys.stderr)
        return TERMINATED if isinstance(interrupt, Terminated) else INTERRUPTED
    _show_progress("")
    for line in failed:
        print(line, file=sys.stderr)
    directory = kernel_directory()
    kept = "not kept: no home directory" if directory is None else f"{_megabytes(directory):.0f} MB in {directory}"
    ready = f"{count - len(failed)} of {count} tasks" if failed else f"{count} tasks"
    print(f"{ready} ready in {time.perf_counter() - started:.1f} s: {kept}")
    return FAILED if failed else DONE


def _show_progress(line: str) -> None:
    """In place of the last, on a terminal."""
    if sys.stderr is not None and sys.stderr.isatty():
        print(f"\r{line[:78]:78}\r{line[:78]}", end="", file=sys.stderr, flush=True)


def _megabytes(directory: Path) -> float:
    return sum(file.stat().st_size for file in directory.glob("*") if file.is_file()) / 1e6
