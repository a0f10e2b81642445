"""The race of nets of every size."""

from __future__ import annotations

import argparse
from dataclasses import replace

from benchmarks import sizes
from benchmarks.cli import grid, steps, words
from benchmarks.cli.words import UsageError
from benchmarks.peers import PEERS
from benchmarks.rows import SHAPE


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """That of this command."""
    of_sizes = commands.add_parser(
        "sizes",
        help="race nets of every width at every batch size: where fastnn is worth it",
        argument_default=argparse.SUPPRESS,
    )
    of_sizes.add_argument(
        "--widths", type=words.counts, metavar="N,...", help=f"of all layers; default {words.listed(sizes.WIDTHS)}"
    )
    grid.add_options(
        of_sizes,
        None,
        f"default {words.listed(sizes.BATCH_SIZES)}, those whose step takes {sizes.MOST_FLOPS:.0e} operations",
        PEERS,
    )


def options(chosen: argparse.Namespace, typed: list[str]) -> tuple:
    """As `steps.options`, of the race over sizes."""
    if chosen.quick or chosen.full or chosen.baseline:
        raise UsageError("--quick, --full and --baseline: go with the race of steps alone")
    chosen.peers = chosen.peers or sizes.PEERS
    options, _ = steps.options(chosen, typed)
    plan = replace(sizes.PLAN, rounds=chosen.rounds, min_rounds=chosen.rounds) if chosen.rounds else sizes.PLAN
    widths = getattr(chosen, "widths", sizes.WIDTHS)
    if max(widths) > SHAPE[1]:
        raise UsageError(f"--widths: got {max(widths)}, expected at most {SHAPE[1]}")
    models = tuple(sizes.net(width) for width in widths)
    options = replace(
        options,
        models=models,
        batch_sizes=chosen.batch_sizes or sizes.BATCH_SIZES,
        most_flops=sizes.MOST_FLOPS,
        plan=plan,
        startup_peers=(),
        startup_models=models[:1],
        calls=(),
        error_dtypes=(),
        sweeps={},
    )
    return options, grid.read(models)
