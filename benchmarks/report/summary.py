"""The findings: fastnn against the fastest peer of every case and against each peer, and both in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import conditions
from benchmarks.report import formatting as fmt
from benchmarks.report.frame import measured
from benchmarks.report.implementations import KIN, OWN, in_order, label, status_word
from benchmarks.report.statistics import (
    CONFIDENCE,
    FASTER,
    SLOWER,
    UNCLEAR,
    Estimate,
    Verdict,
    attainable_confidence,
    geometric_mean,
    log_ratios,
    median_estimate,
    verdict,
)
from benchmarks.results import CallCell, Cell, Results

Measured = Cell | CallCell


@dataclass(frozen=True)
class Contest:
    """fastnn against one peer on one case. `ratio` is peer time / fastnn time: above 1 where fastnn is faster."""

    own: Measured
    peer: Measured
    logs: NDArray[np.float64]  # log(peer time / fastnn time) per round

    @property
    def ratio(self) -> Estimate:
        return median_estimate(self.logs).exp()

    @property
    def verdict(self) -> Verdict:
        return verdict(self.ratio)

    @property
    def where(self) -> str:
        """The case in words."""
        return self.own.where


@dataclass(frozen=True)
class Tally:
    """fastnn against one peer, or against the fastest one, over all cases in which both have a time."""

    name: str  # implementation, "" for the fastest peer of each case
    contests: list[Contest]
    cases: int  # how many cases the run has

    @property
    def label(self) -> str:
        return label(self.name) if self.name else "the fastest peer"

    @property
    def mean(self) -> Estimate:
        """Geometric mean of the ratios."""
        return geometric_mean([contest.logs for contest in self.contests])

    def with_verdict(self, wanted: Verdict) -> list[Contest]:
        return [contest for contest in self.contests if contest.verdict == wanted]

    @property
    def extremes(self) -> tuple[float, float]:
        """Lowest and highest ratio of a case."""
        values = [contest.ratio.value for contest in self.contests]
        return min(values), max(values)


@dataclass(frozen=True)
class Summary:
    """What a run found."""

    fastest: Tally
    peers: list[Tally]
    own_lost: list[Measured]
    lost: list[Measured]
    fewest_rounds: int  # of the cells with a time; 0 when there is none
    noun: str = "case"  # what is won or lost


def summarize(results: Results) -> Summary:
    """Of the training steps."""
    return summarize_cells(results.cells)


def summarize_cells(cells: Sequence[Measured], noun: str = "case") -> Summary:
    """Pair fastnn's cells with those of every peer, and with the fastest peer (lowest median) of each case.

    Another form of fastnn counts as the fastest peer only where there is no other.
    """
    timed = [cell for cell in cells if measured(cell)]
    own = {cell.case: cell for cell in timed if cell.implementation == OWN}
    cases = len({cell.case for cell in cells})
    peers = in_order(cell.implementation for cell in cells if cell.implementation != OWN)
    rivals = [peer for peer in peers if peer not in KIN] or peers

    contests: dict[str, list[Contest]] = {peer: [] for peer in peers}
    fastest: dict[tuple, Contest] = {}
    for cell in timed:
        if cell.implementation == OWN or cell.case not in own:
            continue
        contest = Contest(own[cell.case], cell, log_ratios(cell.samples, own[cell.case].samples))
        if not len(contest.logs):
            continue
        contests[cell.implementation].append(contest)
        if cell.implementation in rivals and (cell.case not in fastest or cell.median < fastest[cell.case].peer.median):
            fastest[cell.case] = contest

    return Summary(
        fastest=Tally("", list(fastest.values()), cases),
        peers=[Tally(peer, found, cases) for peer, found in contests.items()],
        own_lost=[cell for cell in cells if cell.implementation == OWN and not measured(cell)],
        lost=[cell for cell in cells if not measured(cell)],
        fewest_rounds=min((len(cell.samples) for cell in timed), default=0),
        noun=noun,
    )


def finding(summary: Summary) -> str:
    """The result in one clause, for a title."""
    tally = summary.fastest
    if not tally.contests:
        return "nothing to compare fastnn with"
    return f"fastnn is fastest in {len(tally.with_verdict(FASTER))} of {fmt.count(tally.cases, summary.noun)}"


def sentences(summary: Summary) -> list[str]:
    """The verdict in plain words, most important first. No markup."""
    tally = summary.fastest
    if not tally.contests:
        said = [f"There is no {summary.noun} in which both fastnn and a peer have a time, so nothing can be compared."]
    else:
        faster, unclear, slower = (tally.with_verdict(kind) for kind in (FASTER, UNCLEAR, SLOWER))
        said = [
            f"fastnn is faster than the fastest peer in {len(faster)} of {fmt.count(tally.cases, summary.noun)}, "
            f"slower in {len(slower)}, with no clear difference in {len(unclear)}.",
            _mean_sentence(tally, summary.noun),
        ]
        said += [
            _mean_sentence(other, summary.noun)
            for other in summary.peers
            if other.name in KIN and other.contests and len(summary.peers) > 1
        ]
        if slower:
            said.append(f"It loses in: {_places(slower)}.")
        if unclear:
            said.append(f"No clear difference in: {_places(unclear)}.")
        unopposed = tally.cases - len(tally.contests) - len(summary.own_lost)
        if unopposed > 0:
            said.append(f"In {fmt.count(unopposed, summary.noun)} fastnn or every peer has no time.")
    if summary.own_lost:
        said.append(f"fastnn itself has no time in {fmt.count(len(summary.own_lost), summary.noun)}.")
    if summary.lost:
        said.append(_lost_sentence(summary.lost))
    return said


def warnings(summary: Summary, results: Results) -> list[str]:
    """What a reader must know before believing the numbers. No markup."""
    said = []
    attainable = attainable_confidence(summary.fewest_rounds)
    if summary.fewest_rounds > 0 and attainable < CONFIDENCE:
        said.append(
            f"With {fmt.count(summary.fewest_rounds, 'round')} an interval covers the median with a chance of at most "
            f"{attainable:.0%}, not 95%: run at least 6 rounds before relying on a verdict."
        )
    failed = [error for error in results.kernel_errors if not error.max_error < 1]
    if failed:
        names = fmt.listed([f"{error.kernel} ({error.dtype})" for error in failed])
        said.append(f"Beyond its tolerance: {names}.")
    said += _disobedience(results)
    if results.commit.get("dirty"):
        said.append("Measured on a tree with uncommitted changes.")
    return said


def _disobedience(results: Results) -> list[str]:
    """Who was not held to the width of the run, or may not have been."""
    said = []
    wider = [label(v.implementation) for v in results.vectors if v.avx512]
    if wider:
        said.append(
            f"All were {conditions.width(results)} by their own switches, but {fmt.listed(wider)} used AVX-512 all the "
            "same, which can only shorten their times."
        )
    timed = {cell.implementation for cell in results.cells if measured(cell)}
    unknown = [label(v.implementation) for v in results.vectors if v.avx512 is None and v.implementation in timed]
    if unknown:
        said.append(f"Not known whether {conditions.width(results)}: {fmt.listed(unknown)}.")
    return said


def _mean_sentence(tally: Tally, noun: str) -> str:
    mean, (worst, best) = tally.mean, tally.extremes
    bounds = f", 95% interval {fmt.interval(mean.low, mean.high)}" if mean.has_interval else ""
    return (
        f"Over {fmt.count(len(tally.contests), noun)} {tally.label} takes {fmt.ratio(mean.value)} fastnn's time "
        f"(geometric mean{bounds}; from {fmt.ratio(worst)} to {fmt.ratio(best)})."
    )


def _places(contests: list[Contest], most: int = 6) -> str:
    """Where, against whom and by how much, the worst first."""
    ordered = sorted(contests, key=lambda contest: contest.ratio.value)
    named = [f"{c.where} ({label(c.peer.implementation)}, {fmt.ratio(c.ratio.value)})" for c in ordered[:most]]
    more = len(ordered) - most
    return "; ".join(named) + (f"; and {more} more" if more > 0 else "")


def _lost_sentence(lost: list[Measured]) -> str:
    kinds = Counter((cell.implementation, cell.status) for cell in lost)
    named = [
        f"{label(name)} {status_word(status)} in {kinds[name, status]}"
        for name in in_order(cell.implementation for cell in lost)
        for status in sorted({cell.status for cell in lost if cell.implementation == name})
    ]
    return f"Cells without a time: {len(lost)} ({', '.join(named)})."
