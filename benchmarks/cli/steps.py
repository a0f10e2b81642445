"""The race of training steps, which is run where no command is named."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks.cases import BATCH_SIZES, MODELS, QUICK_BATCH_SIZES, TINY, Model
from benchmarks.cli import grid, words
from benchmarks.cli.grid import OWN
from benchmarks.cli.words import UsageError
from benchmarks.peers import BASELINE, FLOORS, PEERS
from benchmarks.peers import known as known_peer
from benchmarks.rows import images, on_images

AT_ONCE = "fastnn-epoch"
# Operations of a step: the widest model takes half a second on the largest batch, and a run of minutes goes without.
DEFAULT_FLOPS = 1e10
QUICK_FLOPS = 2e9


def add_options(parser: argparse.ArgumentParser) -> None:
    """Those of this race."""
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--quick", action="store_true", help="training steps of the usual peers at 3 batch sizes on 1 thread: a minute"
    )
    size.add_argument("--full", action="store_true", help="every case and more rounds, for figures to be published")
    grid.add_options(
        parser,
        f"of {words.listed(m.name for m in MODELS)} and {TINY.name}; by default all but the last",
        f"default {words.listed(BATCH_SIZES)}, without --full those whose step takes {DEFAULT_FLOPS:.0e} operations",
        (*PEERS, *FLOORS),
    )
    parser.add_argument(
        "--baseline",
        type=Path,
        metavar="PATH",
        help=f"another checkout, whose fastnn takes part in the race of steps as {BASELINE.id}, without single calls "
        "and sweeps; with --peers fastnn it is the only peer",
    )


def options(chosen: argparse.Namespace, typed: list[str]) -> tuple:
    """Everything named is known, or UsageError; with the data (x, labels)."""
    from benchmarks import scaling
    from benchmarks.calls import catalogue
    from benchmarks.race import Plan
    from benchmarks.run import Options

    threads = grid.threads(chosen)
    baseline = _checkout(chosen.baseline)
    besides = (BASELINE.id,) if baseline else ()
    # The strongest forms take a minute to compile, and a quick race is done in one.
    whole = () if chosen.quick else (*PEERS, *FLOORS)
    usual = tuple(name for name, peer in PEERS.items() if peer.kind == "usual")
    wanted_peers = words.known("--peers", chosen.peers or whole or usual, (*PEERS, *FLOORS, *besides))
    peers = tuple(name for name in wanted_peers if name not in FLOORS)
    plan = Plan()
    if chosen.quick:
        plan = replace(plan, rounds=10, case_seconds=0.4, burst_seconds=0.005, warm_one=0.005)
    elif chosen.full:
        # With several threads a round takes a second, most of it pauses, and other work disturbs it most.
        plan = replace(plan, min_rounds=7, case_seconds=15.0)
    if chosen.rounds:
        plan = replace(plan, rounds=chosen.rounds, min_rounds=chosen.rounds)
    on = partial(on_images, data=images(chosen.data))
    known = grid.models_by_name()
    wanted = words.known("--models", chosen.models or tuple(m.name for m in MODELS), known)
    models = grid.varied(dict.fromkeys(on(known[name]) for name in wanted), chosen)
    # Who makes many steps in one call is compared with fastnn doing so.
    epoch = (AT_ONCE,) if any(known_peer(peer).in_one_call for peer in peers) else ()
    peers = tuple(dict.fromkeys((OWN, *besides, *epoch, *peers)))
    steps_alone = chosen.quick or baseline is not None
    options = Options(
        command=" ".join(["python -m benchmarks", *words.without_paths(typed)]),
        models=models,
        batch_sizes=chosen.batch_sizes or (QUICK_BATCH_SIZES if chosen.quick else BATCH_SIZES),
        most_flops=_most_flops(chosen),
        threads=threads,
        dtype=chosen.dtype,
        peers=peers,
        floors=tuple(name for name in wanted_peers if name in FLOORS),
        baseline=baseline,
        plan=plan,
        startup_peers=(OWN,) if chosen.quick else peers,
        startup_models=_one_of_each_kind(models) if chosen.full else models[:1],
        calls=() if steps_alone else tuple(catalogue.calls()),
        error_dtypes=() if steps_alone else catalogue.DTYPES,
        sweeps={} if steps_alone else scaling.sweeps(on, threads, chosen.dtype),
    )
    swept = [case.model for cases in options.sweeps.values() for case in cases]
    return options, grid.read([*models, *swept])


def _most_flops(chosen: argparse.Namespace) -> float:
    """Of a case's step: what is named or wanted in full has no limit."""
    if chosen.full or chosen.batch_sizes:
        return math.inf
    return QUICK_FLOPS if chosen.quick else DEFAULT_FLOPS


def _one_of_each_kind(models: Iterable[Model]) -> tuple[Model, ...]:
    """What is compiled differs with the kind of network, and hardly with its widths."""
    kinds: dict[tuple[str, str], Model] = {}
    for model in models:
        kinds.setdefault((model.activation, model.optimizer), model)
    return tuple(kinds.values())


def _checkout(checkout: Path | None) -> Path | None:
    if checkout is not None and not (checkout / "fastnn" / "__init__.py").is_file():
        raise UsageError(
            f"--baseline: got {checkout}, expected a checkout of this repository: no fastnn/__init__.py there"
        )
    return checkout
