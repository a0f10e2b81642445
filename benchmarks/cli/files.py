"""What is done with results files: render, compare and quote them."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from benchmarks.cli import words
from benchmarks.cli.words import UsageError
from benchmarks.results import Results


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Those of these commands."""
    report = commands.add_parser("report", help="render a results file again")
    report.add_argument("results", type=Path, metavar="RESULTS.json")
    report.add_argument("--out", dest="report_out", type=Path, metavar="DIR", help="default: beside the results")
    compare = commands.add_parser("compare", help="what became slower from one results file to another")
    compare.add_argument("base", type=Path, metavar="BASE.json")
    compare.add_argument("new", type=Path, metavar="NEW.json")
    compare.add_argument("--fail-if-slower", type=float, metavar="PCT", help="exit 1 when fastnn is slower by more")
    headline = commands.add_parser("headline", help="rewrite the headline table of a README, a column per results file")
    headline.add_argument("results", type=Path, nargs="+", metavar="RESULTS.json")
    headline.add_argument("readme", type=Path, metavar="README.md")
    headline.add_argument("--check", action="store_true", help="change nothing, exit 1 if the table is out of date")


def report(chosen: argparse.Namespace) -> int:
    results = Results.load(chosen.results)
    show(results, words.writable(chosen.report_out or chosen.results.parent))
    return 0


def compare(chosen: argparse.Namespace) -> int:
    from benchmarks.report.compare import compare_files

    return compare_files(chosen.base, chosen.new, chosen.fail_if_slower, Console())


def headline(chosen: argparse.Namespace) -> int:
    from benchmarks.report.headline import HeadlineError, is_current, update_readme

    runs = [Results.load(path) for path in chosen.results]
    try:
        if chosen.check:
            current = is_current(chosen.readme, runs)
            print(f"{chosen.readme}: the headline table is {'up to date' if current else 'out of date'}")
            return 0 if current else 1
        changed = update_readme(chosen.readme, runs)
    except (HeadlineError, OSError) as error:
        raise UsageError(f"{chosen.readme}: {error}") from error
    print(f"{chosen.readme}: {'rewritten' if changed else 'was up to date'}")
    return 0


def show(results: Results, out: Path) -> None:
    from benchmarks.report import render
    from benchmarks.report.table import print_table

    paths = render(results, out)
    print_table(results, Console())
    for path in paths:
        print(path)
