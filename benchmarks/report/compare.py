"""Two runs against each other: what became slower by more than noise explains.

Two runs happen at different times on a machine that others use too, so absolute times drift. The peers are the same
code in both runs: within each round, an implementation's time is divided by the geometric mean of its peers' times,
and the two runs are compared by these ratios. Drift that slows everybody cancels; only where the runs share no peer
do absolute times stand in, and the table says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks.report import conditions
from benchmarks.report import formatting as fmt
from benchmarks.report.implementations import KIN, OWN, in_order, label, status_word
from benchmarks.report.statistics import (
    FASTER,
    SLOWER,
    UNCLEAR,
    UNKNOWN,
    Estimate,
    median_shift,
)
from benchmarks.results import Cell, Results, ResultsError

Case = tuple[str, int, str, int]

# Outcomes of a cell; the others are the verdicts of a pair, here of the new run against the base.
REGRESSION, UNTIMED, UNJUDGED = "REGRESSION", "without a time", "too few rounds"
STYLES = {REGRESSION: "bold red", UNTIMED: "bold red", SLOWER: "yellow", FASTER: "green"}


@dataclass(frozen=True)
class Change:
    """One cell in both runs. `slowdown` is new time / old time: 1.1 means 10% slower."""

    base: Cell
    new: Cell
    slowdown: Estimate
    controls: list[str]  # peers that took the machine's drift out; none: absolute times
    outcome: str


@dataclass(frozen=True)
class Comparison:
    """What `compare` found."""

    changes: list[Change]
    only_in_base: list[Cell]
    only_in_new: list[Cell]
    fail_if_slower_pct: float | None
    warnings: list[str] = field(default_factory=list)

    @property
    def failures(self) -> list[Change]:
        """Regressions, and cells that had a time and have none any more."""
        return [change for change in self.changes if change.outcome in (REGRESSION, UNTIMED)]

    @property
    def exit_code(self) -> int:
        """0: fine; 1: something failed; 2: nothing could be judged, which must not pass for fine."""
        if self.failures:
            return 1
        return 0 if any(change.outcome != UNJUDGED for change in self.changes) else 2


def compare(
    base: Results, new: Results, fail_if_slower_pct: float | None = None, implementations: Sequence[str] = (OWN,)
) -> Comparison:
    """Judge every cell of `implementations` that had a time in `base` and is in `new`.

    A cell is a regression when the lower bound of the 95% interval of its slow-down lies above `fail_if_slower_pct`
    percent. None reports the changes and fails only on cells that have no time any more. Raises ValueError on a
    negative or NaN percentage.
    """
    if fail_if_slower_pct is not None and not 0 <= fail_if_slower_pct < math.inf:
        raise ValueError(f"the percentage must be 0 or more, not {fail_if_slower_pct}")
    old_cells, new_cells = _by_case(base), _by_case(new)
    changes, only_in_base, only_in_new = [], [], []
    for name in in_order(implementations):
        old, current = old_cells.get(name, {}), new_cells.get(name, {})
        only_in_base += [old[case] for case in old if case not in current]
        only_in_new += [current[case] for case in current if case not in old]
        # A changed fastnn would distort every other implementation's yardstick.
        peers = [peer for peer in in_order(old_cells) if peer not in (name, OWN, *KIN) and peer in new_cells]
        for case, cell in old.items():
            if case in current and _timed(cell):
                changes.append(_change(cell, current[case], peers, old_cells, new_cells, fail_if_slower_pct))
    return Comparison(changes, only_in_base, only_in_new, fail_if_slower_pct, _warnings(base, new, changes))


def compare_files(
    base: Path,
    new: Path,
    fail_if_slower_pct: float | None,
    console: Console,
    implementations: Sequence[str] = (OWN,),
) -> int:
    """Compare two results files, print what was found, return the exit status (2: unusable input)."""
    try:
        comparison = compare(Results.load(base), Results.load(new), fail_if_slower_pct, implementations)
    except (ResultsError, ValueError) as error:
        console.print(Text(str(error), style="red"))
        return 2
    print_comparison(comparison, console)
    return comparison.exit_code


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Warnings, a table of every judged cell, cells of only one run, and the verdict last."""
    for warning in comparison.warnings:
        console.print(Text(f"Warning: {warning}", style="yellow"))
    for table in _tables(comparison.changes):
        console.print(table)
    for cells, where in ((comparison.only_in_base, "base"), (comparison.only_in_new, "new")):
        if cells:
            console.print(Text(f"Only in the {where} run: {'; '.join(_name(cell) for cell in cells)}", style="dim"))
    console.print(Text(verdict_sentence(comparison), style="bold red" if comparison.exit_code else "bold green"))


def verdict_sentence(comparison: Comparison) -> str:
    """The outcome in words."""
    judged = [change for change in comparison.changes if change.outcome != UNJUDGED]
    if not judged:
        return "Nothing to judge: the runs share no cell with enough rounds."
    limit = comparison.fail_if_slower_pct
    slower = sum(change.outcome == REGRESSION for change in judged)
    untimed = sum(change.outcome == UNTIMED for change in judged)
    cells = fmt.count(len(judged), "cell")
    if limit is None:
        kinds = [f"{sum(c.outcome == kind for c in judged)} {kind}" for kind in (FASTER, SLOWER, UNCLEAR, UNTIMED)]
        return f"Of {cells}: {', '.join(kinds)}."
    if not slower and not untimed:
        return f"No regression: none of {cells} is slower by more than {limit:g}% beyond what noise explains."
    return f"Of {cells}, {slower} slower by more than {limit:g}% beyond what noise explains, {untimed} {UNTIMED}."


def _change(
    old: Cell,
    new: Cell,
    peers: list[str],
    old_cells: dict[str, dict[Case, Cell]],
    new_cells: dict[str, dict[Case, Cell]],
    limit: float | None,
) -> Change:
    if not _timed(new):
        return Change(old, new, UNKNOWN, [], UNTIMED)
    controls = [
        peer
        for peer in peers
        if all(old.case in cells[peer] and _timed(cells[peer][old.case]) for cells in (old_cells, new_cells))
    ]
    before = _controlled(old, [old_cells[peer][old.case] for peer in controls])
    after = _controlled(new, [new_cells[peer][old.case] for peer in controls])
    slowdown = median_shift(before, after).exp()
    return Change(old, new, slowdown, controls, _outcome(slowdown, limit))


def _controlled(cell: Cell, controls: list[Cell]) -> NDArray[np.float64]:
    """log(time / geometric mean of the controls' times) per round; log(time) where there are none."""
    rounds = min(len(c.samples) for c in [cell, *controls])
    times = np.array([c.samples[:rounds] for c in [cell, *controls]], float)
    times = times[:, (times > 0).all(axis=0) & np.isfinite(times).all(axis=0)]
    logs = np.log(times)
    return logs[0] - logs[1:].mean(axis=0) if controls else logs[0]


def _outcome(slowdown: Estimate, limit: float | None) -> str:
    if not slowdown.has_interval:
        return UNJUDGED
    if limit is not None and slowdown.low > 1 + limit / 100:
        return REGRESSION
    if slowdown.low > 1:
        return SLOWER
    return FASTER if slowdown.high < 1 else UNCLEAR


def _warnings(base: Results, new: Results, changes: list[Change]) -> list[str]:
    said = []
    cpus = conditions.cpu(base), conditions.cpu(new)
    if cpus[0] != cpus[1]:
        said.append(
            f"the runs are from different machines ({cpus[0] or 'unknown'}; {cpus[1] or 'unknown'}): "
            "a difference may be the processor's and not the code's"
        )
    widths = conditions.width(base) or "native", conditions.width(new) or "native"
    if widths[0] != widths[1]:
        said.append(f"the runs are of different vector widths ({widths[0]}; {widths[1]})")
    data = conditions.data_set(base), conditions.data_set(new)
    if data[0] != data[1]:
        said.append(f"the runs are on different data ({data[0] or 'unknown'}; {data[1] or 'unknown'})")
    old_versions, new_versions = (run.conditions.get("versions") or {} for run in (base, new))
    moved = [
        f"{package} {old_versions[package]} to {new_versions[package]}"
        for package in old_versions
        if package in new_versions and package != OWN and old_versions[package] != new_versions[package]
    ]
    if moved:
        said.append(f"the peers are no steady yardstick, versions changed: {', '.join(moved)}")
    absolute = [change for change in changes if not change.controls and change.outcome != UNTIMED]
    if absolute:
        said.append(
            f"{fmt.count(len(absolute), 'cell')} without a peer in both runs: compared by absolute times, "
            "which also change with the load of the machine"
        )
    return said


def _tables(changes: list[Change]) -> Iterator[Table]:
    """One per implementation, model, dtype and threads."""
    groups: dict[str, list[Change]] = {}
    for change in changes:
        groups.setdefault(_group(change.base), []).append(change)
    for title, members in groups.items():
        table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
        for name in ("batch", "base", "new", "new / base", "95% interval"):
            table.add_column(name, justify="right")
        table.add_column("")
        for change in members:
            table.add_row(*_row(change))
        yield table


def _row(change: Change) -> tuple[str | Text, ...]:
    untimed = change.outcome == UNTIMED
    absolute = "" if change.controls or untimed else " (absolute)"
    return (
        f"{change.base.batch_size:,}",
        fmt.seconds(change.base.median),
        status_word(change.new.status) if untimed else fmt.seconds(change.new.median),
        fmt.ratio(change.slowdown.value),
        fmt.interval(change.slowdown.low, change.slowdown.high),
        Text(f"{change.outcome}{absolute}", style=STYLES.get(change.outcome, "dim")),
    )


def _by_case(results: Results) -> dict[str, dict[Case, Cell]]:
    found: dict[str, dict[Case, Cell]] = {}
    for cell in results.cells:
        found.setdefault(cell.implementation, {})[cell.case] = cell
    return found


def _timed(cell: Cell) -> bool:
    return cell.status == "ok" and bool(cell.samples)


def _group(cell: Cell) -> str:
    return f"{label(cell.implementation)}: {cell.model_label}, {cell.dtype}, {fmt.count(cell.threads, 'thread')}"


def _name(cell: Cell) -> str:
    return f"{_group(cell)}, batch {cell.batch_size:,}"
