"""python -m benchmarks: run the race and write the report; render, compare and quote what was measured.

Exit status: 0 done; 1 fastnn was wrong or has no time on a case, or `compare` found a regression; 2 unusable arguments
or files; 130 interrupted by Ctrl-C, 143 by SIGTERM, 129 by SIGHUP (what was measured is written).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from benchmarks import isa
from benchmarks.cli import epochs, files, sizes, steps
from benchmarks.cli.grid import DEFAULT_OUT, OWN
from benchmarks.cli.words import UsageError, writable
from benchmarks.interrupts import Interrupts
from benchmarks.results import ResultsError
from fastnn.cli.output import tolerant_output

RESULTS_FILE = "results.json"


def main(arguments: Sequence[str] | None = None, interrupts: Interrupts | None = None) -> int:
    """Run one command; the exit status. Signals are the caller's where no `interrupts` are given."""
    interrupts = interrupts or Interrupts()
    typed = list(sys.argv[1:] if arguments is None else arguments)
    with tolerant_output():
        chosen = parser().parse_args(typed)
        try:
            if chosen.command in (None, "epochs", "sizes"):
                return _run(chosen, typed, interrupts)
            with interrupts.raised():
                return {"report": files.report, "compare": files.compare, "headline": files.headline}[chosen.command](
                    chosen
                )
        except isa.IsaError as error:
            print(f"error: --isa: {error}", file=sys.stderr)
            return 2
        except (UsageError, ResultsError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return interrupts.exit_status


def parser() -> argparse.ArgumentParser:
    """The parser of the command line. Without a command, the race is run."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Race fastnn's training step against its peers and write a report.",
    )
    steps.add_options(parser)
    parser.set_defaults(dtype="float32", data="auto", out=DEFAULT_OUT, rows=None, isa=isa.held())
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    epochs.add_parser(commands)
    sizes.add_parser(commands)
    files.add_parsers(commands)
    return parser


def _run(chosen: argparse.Namespace, typed: list[str], interrupts: Interrupts) -> int:
    if chosen.isa != isa.held():
        isa.run(chosen.isa, [sys.executable, "-m", "benchmarks", *typed])
    with interrupts.raised():
        # With fastnn and NumPy, which the other commands need not wait for.
        if chosen.command == "epochs":
            from benchmarks.epochs.run import run

            prepared = epochs.options
        else:
            from benchmarks.run import run

            prepared = sizes.options if chosen.command == "sizes" else steps.options
        out = writable(chosen.out)
        options, data = prepared(chosen, typed)
    results, interrupted = run(options, data, interrupts.raised)
    file = out / RESULTS_FILE
    results.save(file)
    try:
        with interrupts.raised():
            files.show(results, out)
            print(file)
    except KeyboardInterrupt:
        print(f"interrupted: `python -m benchmarks report {file}` writes the report", file=sys.stderr)
        return interrupts.exit_status
    if interrupted:
        print(f"interrupted: what was measured is in {file}", file=sys.stderr)
        return interrupts.exit_status
    untimed = [cell for cell in results.cells if cell.implementation in (OWN, steps.AT_ONCE) and cell.status != "ok"]
    for cell in untimed:
        print(
            f"error: {cell.implementation} {cell.status} on batch {cell.batch_size} of {cell.model}: {cell.reason}",
            file=sys.stderr,
        )
    return 1 if untimed else 0


if __name__ == "__main__":
    signals = Interrupts()
    signals.install()
    sys.exit(main(interrupts=signals))
