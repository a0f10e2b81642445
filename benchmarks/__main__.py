"""python -m benchmarks: run the race and write the report; render, compare and quote what was measured.

Exit status: 0 done; 1 fastnn was wrong or lost on a case, or `compare` found a regression; 2 unusable arguments or
files; 130 interrupted by Ctrl-C, 143 by SIGTERM, 129 by SIGHUP (what was measured is written).
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path

from rich.console import Console

from benchmarks import isa, machine, recipes, sizes
from benchmarks.cases import BATCH_SIZES, MODELS, QUICK_BATCH_SIZES, TINY, Model
from benchmarks.epochs.cases import EPOCH_BATCH_SIZES, EPOCH_MODELS
from benchmarks.epochs.peers import EPOCH_PEERS
from benchmarks.interrupts import Interrupts
from benchmarks.peers import BASELINE, FLOORS, PEERS
from benchmarks.peers import known as known_peer
from benchmarks.results import Results, ResultsError
from benchmarks.rows import CHOICES, DATA_HELP, IMAGES, SHAPE, Rows, images, on_images, read
from fastnn.cli.output import tolerant_output
from fastnn.datasets import DatasetError

OWN, AT_ONCE = "fastnn", "fastnn-epoch"
# Operations of a step: the widest model takes half a second on the largest batch, and a run of minutes goes without.
DEFAULT_FLOPS = 1e10
QUICK_FLOPS = 2e9
DEFAULT_OUT = Path("reports/latest")
PATHS = ("--out", "--baseline")  # options that take one
RESULTS_FILE = "results.json"


class UsageError(Exception):
    """What the user asked for is not to be had; the message says what is."""


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
                return {"report": _report, "compare": _compare, "headline": _headline}[chosen.command](chosen)
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
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--quick", action="store_true", help="training steps of the usual peers at 3 batch sizes on 1 thread: a minute"
    )
    size.add_argument("--full", action="store_true", help="every case and more rounds, for figures to be published")
    _add_grid(
        parser,
        f"of {_listed(m.name for m in MODELS)} and {TINY.name}; by default all but the last",
        f"default {_listed(BATCH_SIZES)}, without --full those whose step takes {DEFAULT_FLOPS:.0e} operations",
        (*PEERS, *FLOORS),
    )
    parser.add_argument(
        "--baseline",
        type=Path,
        metavar="PATH",
        help=f"another checkout, whose fastnn takes part in the race of steps as {BASELINE.id}, without single calls "
        "and sweeps; with --peers fastnn it is the only peer",
    )
    parser.set_defaults(dtype="float32", data="auto", out=DEFAULT_OUT, rows=None, isa=isa.held())
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    epochs = commands.add_parser(
        "epochs", help="race whole epochs, shuffled anew each", argument_default=argparse.SUPPRESS
    )
    _add_grid(
        epochs,
        f"of {_listed(m.name for m in EPOCH_MODELS)} and those of steps; by default the first two",
        f"default {_listed(EPOCH_BATCH_SIZES)}",
        EPOCH_PEERS,
    )
    epochs.add_argument("--rows", type=_count, metavar="N", help="of an epoch at most; default all of the data set")
    of_sizes = commands.add_parser(
        "sizes",
        help="race nets of every width at every batch size: where fastnn is worth it",
        argument_default=argparse.SUPPRESS,
    )
    of_sizes.add_argument(
        "--widths", type=_counts, metavar="N,...", help=f"of all layers; default {_listed(sizes.WIDTHS)}"
    )
    _add_grid(
        of_sizes,
        None,
        f"default {_listed(sizes.BATCH_SIZES)}, those whose step takes {sizes.MOST_FLOPS:.0e} operations",
        PEERS,
    )
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
    return parser


def _add_grid(parser: argparse.ArgumentParser, models: str | None, batch_sizes: str, peers: Iterable[str]) -> None:
    """What a race is run over, with the help on what depends on the race; `models` is None where they are given."""
    if models is not None:
        parser.add_argument("--models", type=_names, metavar="NAME,...", help=models)
        parser.add_argument("--data", choices=CHOICES, help=DATA_HELP)
        _add_variations(parser)
    parser.add_argument("--batch-sizes", type=_counts, metavar="N,...", help=batch_sizes)
    parser.add_argument("--peers", type=_names, metavar="NAME,...", help=f"of {_listed(peers)}; fastnn always runs")
    parser.add_argument("--threads", type=_counts, metavar="N,...", help="default 1,2, or 1 where there is one CPU")
    parser.add_argument("--rounds", type=_count, metavar="N", help="exactly so many per case, however long it takes")
    parser.add_argument(
        "--isa", choices=isa.CHOICES, help="hold every library to vectors of this width; default those of this CPU"
    )
    parser.add_argument("--dtype", choices=("float32", "float64"), help="default float32")
    parser.add_argument("--out", type=Path, metavar="DIR", help=f"default {DEFAULT_OUT.as_posix()}")


def _add_variations(parser: argparse.ArgumentParser) -> None:
    """What the models are varied by: every model is trained in each way that is named."""
    group = parser.add_argument_group("variations of the models")
    for option, known in (("--activation", recipes.ACTIVATIONS), ("--optimizer", tuple(recipes.OPTIMIZERS))):
        group.add_argument(option, type=_names, metavar="NAME,...", help=f"all, or of {_listed(known)}")
    group.add_argument("--loss", choices=recipes.LOSSES, metavar="NAME", help=f"one of {_listed(recipes.LOSSES)}")
    group.add_argument("--label-smoothing", type=_number, metavar="P", help="with the softmax cross-entropy")
    group.add_argument("--dropout", type=_number, metavar="P", help="of the hidden layers' outputs")
    group.add_argument("--clip-norm", type=_number, metavar="N", help="a bound of the gradient's norm")


def _varied(models: Iterable[Model], chosen: argparse.Namespace) -> tuple[Model, ...]:
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
    return tuple(known) if names == ("all",) else _known(option, names or (), known)


def _run(chosen: argparse.Namespace, typed: list[str], interrupts: Interrupts) -> int:
    if chosen.isa != isa.held():
        isa.run(chosen.isa, [sys.executable, "-m", "benchmarks", *typed])
    with interrupts.raised():
        # With fastnn and NumPy, which the other commands need not wait for.
        if chosen.command == "epochs":
            from benchmarks.epochs.run import run

            prepared = _epoch_options
        else:
            from benchmarks.run import run

            prepared = _size_options if chosen.command == "sizes" else _options
        out = _writable(chosen.out)
        options, data = prepared(chosen, typed)
    results, interrupted = run(options, data, interrupts.raised)
    file = out / RESULTS_FILE
    results.save(file)
    try:
        with interrupts.raised():
            _show(results, out)
            print(file)
    except KeyboardInterrupt:
        print(f"interrupted: `python -m benchmarks report {file}` writes the report", file=sys.stderr)
        return interrupts.exit_status
    if interrupted:
        print(f"interrupted: what was measured is in {file}", file=sys.stderr)
        return interrupts.exit_status
    lost = [cell for cell in results.cells if cell.implementation in (OWN, AT_ONCE) and cell.status != "ok"]
    for cell in lost:
        print(
            f"error: {cell.implementation} {cell.status} on batch {cell.batch_size} of {cell.model}: {cell.reason}",
            file=sys.stderr,
        )
    return 1 if lost else 0


def _report(chosen: argparse.Namespace) -> int:
    results = Results.load(chosen.results)
    _show(results, _writable(chosen.report_out or chosen.results.parent))
    return 0


def _compare(chosen: argparse.Namespace) -> int:
    from benchmarks.report.compare import compare_files

    return compare_files(chosen.base, chosen.new, chosen.fail_if_slower, Console())


def _headline(chosen: argparse.Namespace) -> int:
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


def _show(results: Results, out: Path) -> None:
    from benchmarks.report import render
    from benchmarks.report.table import print_table

    paths = render(results, out)
    print_table(results, Console())
    for path in paths:
        print(path)


def _options(chosen: argparse.Namespace, typed: list[str]) -> tuple:
    """Everything named is known, or UsageError; with the data (x, labels)."""
    from benchmarks import scaling
    from benchmarks.calls import catalogue
    from benchmarks.race import Plan
    from benchmarks.run import Options

    threads = _threads(chosen)
    baseline = _baseline(chosen.baseline)
    besides = (BASELINE.id,) if baseline else ()
    # The strongest forms take a minute to compile, and a quick race is done in one.
    whole = () if chosen.quick else (*PEERS, *FLOORS)
    usual = tuple(name for name, peer in PEERS.items() if peer.kind == "usual")
    wanted_peers = _known("--peers", chosen.peers or whole or usual, (*PEERS, *FLOORS, *besides))
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
    known = _models_by_name()
    wanted = _known("--models", chosen.models or tuple(m.name for m in MODELS), known)
    models = _varied(dict.fromkeys(on(known[name]) for name in wanted), chosen)
    # Who makes many steps in one call is compared with fastnn doing so.
    epoch = (AT_ONCE,) if any(known_peer(peer).in_one_call for peer in peers) else ()
    peers = tuple(dict.fromkeys((OWN, *besides, *epoch, *peers)))
    steps_alone = chosen.quick or baseline is not None
    options = Options(
        command=" ".join(["python -m benchmarks", *_without_paths(typed)]),
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
    return options, _read([*models, *swept])


def _size_options(chosen: argparse.Namespace, typed: list[str]) -> tuple:
    """As `_options`, of the race over sizes."""
    if chosen.quick or chosen.full or chosen.baseline:
        raise UsageError("--quick, --full and --baseline: go with the race of steps alone")
    chosen.peers = chosen.peers or sizes.PEERS
    options, _ = _options(chosen, typed)
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
    return options, _read(models)


def _epoch_options(chosen: argparse.Namespace, typed: list[str]) -> tuple:
    """As `_options`, of the race of epochs."""
    from benchmarks.epochs.run import EPOCH_PLAN, EpochOptions

    if chosen.quick or chosen.full or chosen.baseline:
        raise UsageError("--quick, --full and --baseline: go with the race of steps alone")
    data = images(chosen.data)
    if chosen.data == "auto" and data == "mnist":
        data = "mnist-standardized"  # dense first
    known = _models_by_name() | {on_images(model, name).name: model for name in IMAGES for model in EPOCH_MODELS}
    wanted = _known("--models", chosen.models or tuple(model.name for model in EPOCH_MODELS), known)
    models = _varied(dict.fromkeys(on_images(known[name], data) for name in wanted), chosen)
    plan = replace(EPOCH_PLAN, rounds=chosen.rounds, min_rounds=chosen.rounds) if chosen.rounds else EPOCH_PLAN
    options = EpochOptions(
        command=" ".join(["python -m benchmarks", *_without_paths(typed)]),
        models=models,
        batch_sizes=chosen.batch_sizes or EPOCH_BATCH_SIZES,
        threads=_threads(chosen),
        dtype=chosen.dtype,
        peers=tuple(dict.fromkeys((OWN, *_known("--peers", chosen.peers or tuple(EPOCH_PEERS), EPOCH_PEERS)))),
        plan=plan,
        most_rows=chosen.rows,
    )
    return options, _read(models)


def _read(models: Iterable[Model]) -> dict[str, Rows]:
    """The rows of every model's data set."""
    try:
        return read(models)
    except DatasetError as error:
        raise UsageError(str(error)) from error


def _threads(chosen: argparse.Namespace) -> tuple[int, ...]:
    cpus = machine.usable_cpus()
    threads = chosen.threads or ((1,) if chosen.quick else tuple(n for n in (1, 2) if n <= cpus))
    if max(threads) > cpus:
        raise UsageError(f"--threads: {max(threads)} is more than the {cpus} CPUs that this process may use")
    return threads


def _most_flops(chosen: argparse.Namespace) -> float:
    """Of a case's step: what is named or wanted in full has no limit."""
    if chosen.full or chosen.batch_sizes:
        return math.inf
    return QUICK_FLOPS if chosen.quick else DEFAULT_FLOPS


def _models_by_name() -> dict[str, Model]:
    """Each model under the name that it has on each of the image sets."""
    return {on_images(model, data).name: model for data in IMAGES for model in (*MODELS, TINY)}


def _one_of_each_kind(models: Iterable[Model]) -> tuple[Model, ...]:
    """What is compiled differs with the kind of network, and hardly with its widths."""
    kinds: dict[tuple[str, str], Model] = {}
    for model in models:
        kinds.setdefault((model.activation, model.optimizer), model)
    return tuple(kinds.values())


def _known(option: str, names: tuple[str, ...], known: Iterable[str]) -> tuple[str, ...]:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(f"{option}: unknown {_listed(unknown)}; known are {_listed(known)}")
    return names


def _baseline(checkout: Path | None) -> Path | None:
    if checkout is not None and not (checkout / "fastnn" / "__init__.py").is_file():
        raise UsageError(
            f"--baseline: got {checkout}, expected a checkout of this repository: no fastnn/__init__.py there"
        )
    return checkout


def _writable(out: Path) -> Path:
    """The folder, made if need be: better found out before the race than after it."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{out}: cannot be made: {error.strerror}") from error
    if not os.access(out, os.W_OK):
        raise UsageError(f"{out}: cannot be written to")
    return out


def _without_paths(typed: list[str]) -> list[str]:
    """The arguments but for options with paths, which may tell a user's name."""
    kept, skip = [], False
    for word in typed:
        if not skip and word.split("=")[0] not in PATHS:
            kept.append(word)
        skip = word in PATHS
    return kept


def _names(text: str) -> tuple[str, ...]:
    """A comma-separated list without repeats."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise argparse.ArgumentTypeError("names nothing")
    return names


def _counts(text: str) -> tuple[int, ...]:
    return tuple(dict.fromkeys(_count(name) for name in _names(text)))


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return int(text)


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 on")
    return number


def _listed(names: Iterable[object]) -> str:
    return ", ".join(str(name) for name in names)


if __name__ == "__main__":
    signals = Interrupts()
    signals.install()
    sys.exit(main(interrupts=signals))
