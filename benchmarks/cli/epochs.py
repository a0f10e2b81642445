"""The race of whole epochs."""

from __future__ import annotations

import argparse
from dataclasses import replace

from benchmarks.cli import grid, words
from benchmarks.cli.grid import OWN
from benchmarks.cli.words import UsageError
from benchmarks.epochs.cases import EPOCH_BATCH_SIZES, EPOCH_MODELS
from benchmarks.epochs.peers import EPOCH_PEERS
from benchmarks.rows import IMAGES, images, on_images


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """That of this command."""
    epochs = commands.add_parser(
        "epochs", help="race whole epochs, shuffled anew each", argument_default=argparse.SUPPRESS
    )
    grid.add_options(
        epochs,
        f"of {words.listed(m.name for m in EPOCH_MODELS)} and those of steps; by default the first two",
        f"default {words.listed(EPOCH_BATCH_SIZES)}",
        EPOCH_PEERS,
    )
    epochs.add_argument(
        "--rows", type=words.count, metavar="N", help="of an epoch at most; default all of the data set"
    )


def options(chosen: argparse.Namespace, typed: list[str]) -> tuple:
    """Everything named is known, or UsageError; with the data (x, labels)."""
    from benchmarks.epochs.run import EPOCH_PLAN, EpochOptions

    if chosen.quick or chosen.full or chosen.baseline:
        raise UsageError("--quick, --full and --baseline: go with the race of steps alone")
    data = images(chosen.data)
    if chosen.data == "auto" and data == "mnist":
        data = "mnist-standardized"  # dense first
    known = grid.models_by_name() | {on_images(model, name).name: model for name in IMAGES for model in EPOCH_MODELS}
    wanted = words.known("--models", chosen.models or tuple(model.name for model in EPOCH_MODELS), known)
    models = grid.varied(dict.fromkeys(on_images(known[name], data) for name in wanted), chosen)
    plan = replace(EPOCH_PLAN, rounds=chosen.rounds, min_rounds=chosen.rounds) if chosen.rounds else EPOCH_PLAN
    options = EpochOptions(
        command=" ".join(["python -m benchmarks", *words.without_paths(typed)]),
        models=models,
        batch_sizes=chosen.batch_sizes or EPOCH_BATCH_SIZES,
        threads=grid.threads(chosen),
        dtype=chosen.dtype,
        peers=tuple(dict.fromkeys((OWN, *words.known("--peers", chosen.peers or tuple(EPOCH_PEERS), EPOCH_PEERS)))),
        plan=plan,
        most_rows=chosen.rows,
    )
    return options, grid.read(models)
