"""What every race is run over: models and their variations, batch sizes, threads; options and what they mean."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import replace
from itertools import product
from pathlib import Path

from benchmarks import isa, machine, recipes
from benchmarks.cases import MODELS, TINY, Model
from benchmarks.cli import words
from benchmarks.cli.words import UsageError
from benchmarks.rows import CHOICES, DATA_HELP, IMAGES, Rows, on_images
from benchmarks.rows import read as read_rows
from fastnn.datasets import DatasetError

OWN = "fastnn"
DEFAULT_OUT = Path("reports/latest")


def add_options(parser: argparse.ArgumentParser, models: str | None, batch_sizes: str, peers: Iterable[str]) -> None:
    """What a race is run over, with the help on what depends on the race; `models` is None where they are given."""
    if models is not None:
        parser.add_argument("--models", type=words.names, metavar="NAME,...", help=models)
        parser.add_argument("--data", choices=CHOICES, help=DATA_HELP)
        _add_variations(parser)
    parser.add_argument("--batch-sizes", type=words.counts, metavar="N,...", help=batch_sizes)
    parser.add_argument(
        "--peers", type=words.names, metavar="NAME,...", help=f"of {words.listed(peers)}; fastnn always runs"
    )
    parser.add_argument(
        "--threads", type=words.counts, metavar="N,...", help="default 1,2, or 1 where there is one CPU"
    )
    parser.add_argument(
        "--rounds", type=words.count, metavar="N", help="exactly so many per case, however long it takes"
    )
    parser.add_argument(
        "--isa", choices=isa.CHOICES, help="hold every library to vectors of this width; default those of this CPU"
    )
    parser.add_argument("--dtype", choices=("float32", "float64"), help="default float32")
    parser.add_argument("--out", type=Path, metavar="DIR", help=f"default {DEFAULT_OUT.as_posix()}")


def _add_variations(parser: argparse.ArgumentParser) -> None:
    """What the models are varied by: every model is trained in each way that is named."""
    group = parser.add_argument_group("variations of the models")
    for option, known in (("--activation", recipes.ACTIVATIONS), ("--optimizer", tuple(recipes.OPTIMIZERS))):
        group.add_argument(option, type=words.names, metavar="NAME,...", help=f"all, or of {words.listed(known)}")
    group.add_argument("--loss", choices=recipes.LOSSES, metavar="NAME", help=f"one of {words.listed(recipes.LOSSES)}")
    group.add_argument("--label-smoothing", type=words.number, metavar="P", help="with the softmax cross-entropy")
    group.add_argument("--dropout", type=words.number, metavar="P", help="of the hidden layers' outputs")
    group.add_argument("--clip-norm", type=words.number, metavar="N", help="a bound of the gradient's norm")


def varied(models: Iterable[Model], chosen: argparse.Namespace) -> tuple[Model, ...]:
    """The models in each of the ways that are asked for. Another optimizer has another learning rate."""
    activations = _all_or("--activation", chosen.activation, recipes.ACTIVATIONS)
    optimizers = _all_or("--optimizer", chosen.optimizer, recipes.OPTIMIZERS)
    if chosen.label_smoothing and chosen.loss not in (None, "softmax_cross_entropy"):
        raise UsageError("--label-smoothing: goes with the softmax cross-entropy alone")
    for option, number, most in (("--label-smoothing", chosen.label_smoothing, 1), ("--dropout", chosen.dropout, 1)):
        if number is not None and number >= most:
            raise UsageError(f"{option}: got {number:g}, expected less than {most}")
    numbers = {
        name: getattr(chosen, name)
        for name in ("loss", "label_smoothing", "dropout", "clip_norm")
        if getattr(chosen, name) is not None
    }
    varied = []
    for model in models:
        for activation, optimizer in product(activations or (model.activation,), optimizers or (model.optimizer,)):
            lr = model.lr if optimizer == model.optimizer else recipes.OPTIMIZERS[optimizer].lr
            varied.append(replace(model, activation=activation, optimizer=optimizer, lr=lr, **numbers))
    return tuple(dict.fromkeys(varied))


def _all_or(option: str, names: tuple[str, ...] | None, known: Iterable[str]) -> tuple[str, ...]:
    return tuple(known) if names == ("all",) else words.known(option, names or (), known)


def threads(chosen: argparse.Namespace) -> tuple[int, ...]:
    cpus = machine.usable_cpus()
    threads = chosen.threads or ((1,) if chosen.quick else tuple(n for n in (1, 2) if n <= cpus))
    if max(threads) > cpus:
        raise UsageError(f"--threads: {max(threads)} is more than the {cpus} CPUs that this process may use")
    return threads


def models_by_name() -> dict[str, Model]:
    """Each model under the name that it has on each of the image sets."""
    return {on_images(model, data).name: model for data in IMAGES for model in (*MODELS, TINY)}


def read(models: Iterable[Model]) -> dict[str, Rows]:
    """The rows of every model's data set."""
    try:
        return read_rows(models)
    except DatasetError as error:
        raise UsageError(str(error)) from error
