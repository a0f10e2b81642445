"""The findings: fastnn against the fastest peer of every case and against each peer, and both in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import conditions
from benchmarks.report import formatting as fmt
from benchmarks.report.frame import measured
from benchmarks.report.implementations import (
    AT_ONCE,
    KIN,
    OWN,
    at_once,
    caveat,
    in_order,
    is_usual,
    label,
    opponent,
    status_word,
)
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
    """fastnn against one peer on one case. `ratio` is peer time / fastnn time: above 1 where fastnn is faster.

    `own` is fastnn in the same form: one step a call, or many in one call.
    """

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
    """fastnn against one peer, or against one of each case, over all cases in which both have a time."""

    name: str  # implementation, "" for one of each case
    contests: list[Contest]
    cases: int  # how many cases the run has
    words: str = ""  # what the peer is called, "" for its label

    @property
    def label(self) -> str:
        return self.words or label(self.name)

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

    fastest: Tally  # of the usual peers; of all, in a run that has no usual one
    peers: list[Tally]
    strongest: Tally | None  # of all that take the same rows and keep NaN and infinity; None if all are usual ones
    any_form: Tally | None  # of all, those with a caveat too; None in a run without such
    against_steps: list[Tally]  # peers of many steps in one call, against fastnn's single steps
    own_untimed: list[Measured]
    untimed: list[Measured]
    fewest_rounds: int  # of the cells with a time; 0 when there is none
    caveats: dict[str, str]  # of each peer that is not held to what fastnn does
    noun: str = "case"  # what is counted


def summarize(results: Results) -> Summary:
    """Of the training steps."""
    return summarize_cells(results.cells, wider=used_wider(results))


def used_wider(results: Results) -> list[str]:
    """Who used wider vectors than the run's width, though all were held to it."""
    return [found.implementation for found in results.vectors if found.avx512]


def summarize_cells(cells: Sequence[Measured], noun: str = "case", wider: Collection[str] = ()) -> Summary:
    """Pair every peer's cells with those of fastnn in the same form; of each case find the fastest usual peer (lowest
    median), and the strongest of all (lowest ratio to fastnn in its form).

    Another form of fastnn counts as the fastest peer only where there is no other. Peers that are `wider` than the
    width that all were to be held to have a caveat, and are no usual peers.
    """
    timed = [cell for cell in cells if measured(cell)]
    own = {(cell.implementation, cell.case): cell for cell in timed if cell.implementation in (OWN, AT_ONCE)}
    cases = list(dict.fromkeys(cell.case for cell in cells))
    names = in_order(cell.implementation for cell in cells if cell.implementation != OWN)

    def tally(name: str, form: str, words: str = "") -> Tally:
        pairs = [(own.get((form, cell.case)), cell) for cell in timed if cell.implementation == name]
        found = [Contest(mine, cell, log_ratios(cell.samples, mine.samples)) for mine, cell in pairs if mine]
        return Tally(name, [contest for contest in found if len(contest.logs)], len(cases), words)

    tallies = {name: tally(name, opponent(name)) for name in names}

    def of_each_case(rivals: Sequence[str], key: Callable[[Contest], float], words: str) -> Tally:
        best: dict[tuple, Contest] = {}
        for contest in (contest for name in rivals for contest in tallies[name].contests):
            case = contest.peer.case
            best[case] = min(best.get(case, contest), contest, key=key)
        return Tally("", [best[case] for case in cases if case in best], len(cases), words)

    peers = [name for name in names if name not in KIN]
    caveats = {name: words for name in peers if (words := caveat(name) or (WIDER if name in wider else ""))}
    usual = [name for name in peers if is_usual(name) and name not in wider]
    equal = [name for name in peers if name not in caveats]
    return Summary(
        fastest=of_each_case(
            usual or peers or names,
            lambda contest: contest.peer.median,
            "the fastest usual peer" if usual and usual != peers else "the fastest peer",
        ),
        peers=list(tallies.values()),
        strongest=of_each_case(equal, _ratio, STRONGEST) if usual != equal else None,
        any_form=of_each_case(peers, _ratio, ANY_FORM) if equal != peers else None,
        against_steps=[tally(name, OWN, f"{label(name)}, against single steps") for name in peers if at_once(name)],
        own_untimed=[cell for cell in cells if cell.implementation == OWN and not measured(cell)],
        untimed=[cell for cell in cells if not measured(cell)],
        fewest_rounds=min((len(cell.samples) for cell in timed), default=0),
        caveats=caveats,
        noun=noun,
    )


STRONGEST = "the strongest peer that takes the same rows and keeps NaN and infinity"
ANY_FORM = "the strongest peer, forms with a caveat too,"
WIDER = "which used wider vectors than the others were held to"


def _ratio(contest: Contest) -> float:
    return float(np.median(contest.logs))


def finding(summary: Summary) -> str:
    """The result in one clause, for a title."""
    tally = summary.strongest or summary.fastest
    if not tally.contests:
        return "nothing to compare fastnn with"
    rounds = max(len(contest.logs) for contest in tally.contests)
    if attainable_confidence(rounds) < CONFIDENCE:
        return f"{fmt.count(rounds, 'round')}, too few for a verdict"
    won = f"in {len(tally.with_verdict(FASTER))} of {fmt.count(tally.cases, summary.noun)}"
    return f"fastnn is faster than {'the strongest' if summary.strongest else 'every'} peer {won}"


def sentences(summary: Summary) -> list[str]:
    """The verdict in plain words, most important first. No markup."""
    tally, noun = summary.fastest, summary.noun
    if not tally.contests:
        said = [f"There is no {noun} in which both fastnn and a peer have a time, so nothing can be compared."]
    else:
        first, mean, *places = _verdict_sentences(tally, noun)
        kin = [
            _mean_sentence(other, noun)
            for other in summary.peers
            if other.name in KIN and other.contests and len(summary.peers) > 1
        ]
        said = [first, mean, *kin, *places]
        unopposed = tally.cases - len(tally.contests) - len(summary.own_untimed)
        if unopposed > 0:
            said.append(f"In {fmt.count(unopposed, noun)} fastnn or every peer has no time.")
    for stronger in (summary.strongest, summary.any_form):
        if stronger and stronger.contests:
            said += _verdict_sentences(stronger, noun)
    return said + _without_a_time(summary)


def _without_a_time(summary: Summary) -> list[str]:
    said = []
    if summary.own_untimed:
        said.append(f"fastnn itself has no time in {fmt.count(len(summary.own_untimed), summary.noun)}.")
    if summary.untimed:
        said.append(_untimed_sentence(summary.untimed))
    return said


def footnotes(summary: Summary) -> list[str]:
    """What counts do not tell: the cases in which an equal is faster, and those without a time. No markup."""
    slower = (summary.strongest or summary.fastest).with_verdict(SLOWER)
    return ([_slower_sentence(slower)] if slower else []) + _without_a_time(summary)


def _verdict_sentences(tally: Tally, noun: str) -> list[str]:
    """In how many cases fastnn is faster, by how much, and where it is not."""
    faster, unclear, slower = (tally.with_verdict(kind) for kind in (FASTER, UNCLEAR, SLOWER))
    said = [
        f"fastnn is faster than {tally.label} in {len(faster)} of {fmt.count(tally.cases, noun)}, "
        f"slower in {len(slower)}, with no clear difference in {len(unclear)}.",
        _mean_sentence(tally, noun),
    ]
    if slower:
        said.append(_slower_sentence(slower))
    if unclear:
        said.append(f"No clear difference in: {_places(unclear)}.")
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
    wider = [label(name) for name in used_wider(results)]
    if wider:
        said.append(
            f"All were {conditions.width(results)} by their own switches, but {fmt.listed(wider)} used AVX-512 all the "
            "same: they count among the forms with a caveat."
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


def _slower_sentence(slower: list[Contest]) -> str:
    return f"It loses in: {_places(slower)}."


def _places(contests: list[Contest], most: int = 6) -> str:
    """Where, against whom and by how much, the worst first."""
    ordered = sorted(contests, key=lambda contest: contest.ratio.value)
    named = [f"{c.where} ({label(c.peer.implementation)}, {fmt.ratio(c.ratio.value)})" for c in ordered[:most]]
    more = len(ordered) - most
    return "; ".join(named) + (f"; and {more} more" if more > 0 else "")


def _untimed_sentence(untimed: list[Measured]) -> str:
    kinds = Counter((cell.implementation, cell.status) for cell in untimed)
    named = [
        f"{label(name)} {status_word(status)} in {kinds[name, status]}"
        for name in in_order(cell.implementation for cell in untimed)
        for status in sorted({cell.status for cell in untimed if cell.implementation == name})
    ]
    return f"Cells without a time: {len(untimed)} ({', '.join(named)})."
