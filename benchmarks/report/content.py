"""Everything that a report says, prepared once, so that the Markdown and the HTML page cannot differ."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from benchmarks.report import conditions
from benchmarks.report import formatting as fmt
from benchmarks.report.calls import call_sentences, calls_frame, calls_grid
from benchmarks.report.figures import Drawing, draw_all
from benchmarks.report.frame import CASE, fastest_floor, floors_frame, in_form, to_frame
from benchmarks.report.grid import LEVEL_MARK, Grid, build_grid
from benchmarks.report.implementations import FLOOR_LABELS, OWN, in_order, label, status_word
from benchmarks.report.scaling import scaling_frame
from benchmarks.report.statistics import FASTER, SLOWER, UNCLEAR
from benchmarks.report.summary import Summary, Tally, finding, sentences, summarize, warnings
from benchmarks.results import Results, StartUp

HOW_TO_READ = (
    f"Median time per training {{timed}}; below it, for each peer, its time divided by fastnn's (median of the ratios "
    f"within each round): above 1{fmt.TIMES} fastnn is faster. Bold: lowest median of the row. {LEVEL_MARK} no clear "
    "difference to fastnn: the 95% interval of the ratio spans 1."
)

HOW_MANY_STEPS_ARE_READ = (
    "The same steps on the same batches, but many in one call, without Python in between; the time is that of one "
    "step. The losses of all steps are returned and verified. Ratios are to fastnn's epoch in one call; the table of "
    "peers has them against its single steps too."
)

HOW_CALLS_ARE_READ = (
    "One call from Python, on one thread, everything in one process, each on arrays of its own that begin where "
    "NumPy's large ones do, writing into arrays that it is given: fastnn's public functions, which check their "
    "arguments, NumPy and PyTorch. Median time; below it, for each peer, "
    f"its time divided by fastnn's: above 1{fmt.TIMES} fastnn is faster. {LEVEL_MARK} no clear difference. The rate is "
    "fastnn's: share of the FMA peak, or bytes of the inputs and outputs per second."
)


@dataclass(frozen=True)
class Table:
    """A plain table: its first column heads the rows."""

    title: str
    note: str
    columns: list[str]
    rows: list[list[str]]
    words: int = 1  # how many leading columns hold words rather than numbers


@dataclass(frozen=True)
class Calls:
    """The report's part on single calls."""

    sentences: list[str]
    note: str
    grid: Grid


@dataclass(frozen=True)
class ManySteps:
    """The report's part on those who make many steps in one call."""

    note: str
    grid: Grid


@dataclass(frozen=True)
class Content:
    """A whole report, as text and drawings without markup."""

    headline: str
    sentences: list[str]
    warnings: list[str]
    conditions: str
    how_to_read: str
    grid: Grid
    many_steps: ManySteps | None  # None where everybody makes one step a call
    tables: list[Table]
    drawings: list[Drawing]
    calls: Calls | None  # None where the run measured none
    frames: dict[str, pd.DataFrame]  # tidy tables by the name of their CSV file


def prepare(results: Results) -> Content:
    """Compute, draw and phrase everything that the reports show."""
    frame, summary = to_frame(results), summarize(results)
    headline, calls = conditions.titled(finding(summary), results), calls_frame(results)
    frames = {"results": frame, "calls": calls, "scaling": scaling_frame(results)}
    many = in_form(frame, many=True)
    tables = [
        _peers(summary),
        _vectors(results),
        _ceilings(results),
        _products(results),
        _errors(results),
        _startups(results),
        _memory(frame),
    ]
    return Content(
        headline=headline[0].upper() + headline[1:] if not headline.startswith(OWN) else headline,
        sentences=sentences(summary),
        warnings=warnings(summary, results),
        conditions=conditions.short(results),
        how_to_read=HOW_TO_READ.format(timed=results.timed),
        grid=build_grid(in_form(frame, many=False)),
        many_steps=None if many.empty else ManySteps(HOW_MANY_STEPS_ARE_READ, build_grid(many, "many-note")),
        tables=[table for table in [*tables, _vectors(results), _conditions(results)] if table.rows],
        drawings=draw_all(results, frame, summary),
        calls=Calls(call_sentences(results), HOW_CALLS_ARE_READ, calls_grid(calls)) if results.calls else None,
        frames={name: table for name, table in frames.items() if not table.empty or name == "results"},
    )


def _peers(summary: Summary) -> Table:
    chosen = [summary.fastest, summary.strongest, summary.any_form]
    tallies = [tally for tally in chosen if tally and tally.contests] + summary.peers + summary.against_steps
    return Table(
        title="Against each peer",
        note=(
            "Geometric mean over the cases in which both have a time, of the peer's time divided by fastnn's. The "
            "interval says how well these cases were measured on this machine, not what other machines would give."
            + _caveats(summary)
        ),
        columns=["Peer", "Cases", "Geometric mean", "95% interval", "Lowest", "Highest", *_COUNTS],
        rows=[_tally(tally) for tally in tallies],
    )


def _caveats(summary: Summary) -> str:
    """Where peers are not held to what fastnn does."""
    found = [f"{label(name)}, {words}" for name, words in summary.caveats.items()]
    return f" With a caveat: {'; '.join(found)}." if found else ""


_COUNTS = ["fastnn faster", "No clear difference", "fastnn slower"]


def _tally(tally: Tally) -> list[str]:
    name = tally.label if tally.name else f"{tally.label[4].upper()}{tally.label[5:]} of each case"
    cases = f"{len(tally.contests)} of {tally.cases}"
    if not tally.contests:
        return [name, cases, *[fmt.EM_DASH] * 7]
    low, high = tally.extremes
    counts = [str(len(tally.with_verdict(kind))) for kind in (FASTER, UNCLEAR, SLOWER)]
    mean = tally.mean
    return [
        name,
        cases,
        fmt.ratio(mean.value),
        fmt.interval(mean.low, mean.high),
        fmt.ratio(low),
        fmt.ratio(high),
        *counts,
    ]


def _vectors(results: Results) -> Table:
    seen = {True: "YES", False: "no", None: "not known"}
    order = in_order(v.implementation for v in results.vectors)
    return Table(
        title=f"Every implementation {conditions.width(results)}",
        note=(
            "By each library's own switch, set for every process. What its libraries then say of themselves, and "
            "whether Linux saw a thread of it use AVX-512 while it trained."
        ),
        columns=["Implementation", "Its libraries say", "Used AVX-512"],
        rows=[
            [label(v.implementation), v.reason or _said(v.reports), seen[v.avx512]]
            for v in sorted(results.vectors, key=lambda v: order.index(v.implementation))
        ],
        words=3,
    )


def _said(reports: dict[str, str]) -> str:
    """Libraries and what they say."""
    return "; ".join(f"{name}: {said}" for name, said in reports.items()) or fmt.EM_DASH


def _ceilings(results: Results) -> Table:
    beside = any(cell.peaks for cell in results.cells)
    return Table(
        title="What the machine can do at most",
        note="Measured in the same run, before the race"
        + ("; the FMA peak again beside each case of it, to which shares of the peak refer there." if beside else "."),
        columns=["Threads", "dtype", "FMA peak", "Memory bandwidth"],
        rows=[
            [
                str(c.threads),
                c.dtype,
                f"{fmt.number(c.flops_per_second / 1e9)} GFLOP/s",
                f"{fmt.number(c.bytes_per_second / 1e9)} GB/s",
            ]
            for c in results.ceilings
        ],
        words=2,
    )


def _products(results: Results) -> Table:
    floors = floors_frame(results)
    names = list(dict.fromkeys(floors["implementation"]))
    best = fastest_floor(floors).set_index(CASE)["ratio_to_fastnn"]
    rows = []
    for case, part in floors.groupby(CASE, sort=False):
        _, batch_size, dtype, threads = case
        head = f"{part['model_label'].iloc[0]}, batch {batch_size:,}, {dtype}, {fmt.count(threads, 'thread')}"
        seconds = part.set_index("implementation")["median_seconds"]
        rows.append([head, *[fmt.seconds(seconds.get(name)) for name in names], fmt.ratio(best.get(case))])
    return Table(
        title="The matrix products of a step alone",
        note="What the products of a step take by themselves, of batches and of random hidden values, each written to "
        "an array that is there: a floor under a step by that BLAS, and no peer. Last: the faster one's time divided "
        "by that of fastnn's whole step, above 1 where a whole step of fastnn takes less than these products.",
        columns=["Case", *[FLOOR_LABELS.get(name, name) for name in names], "Faster / fastnn's step"],
        rows=rows,
    )


def _errors(results: Results) -> Table:
    return Table(
        title="Largest errors of the kernels against the reference",
        note="Over every drawn input, adversarial ones included. Share of the tolerance: below 100% passes.",
        columns=["Kernel", "dtype", "Share of the tolerance", "ULPs", "Inputs", "Passes"],
        rows=[
            [
                e.kernel,
                e.dtype,
                fmt.share(e.max_error),
                fmt.number(e.max_ulps),
                f"{e.inputs:,}",
                "yes" if e.max_error < 1 else "NO",
            ]
            for e in results.kernel_errors
        ],
        words=2,
    )


def _startups(results: Results) -> Table:
    labels = {cell.model: cell.model_label for cell in results.cells}
    names = in_order(start.implementation for start in results.startups)
    ordered = sorted(results.startups, key=lambda start: names.index(start.implementation))
    return Table(
        title="Compile and start-up times",
        note=(
            "From the start of a new process: until the import is done, and until the first training step is done with "
            "filled and with empty on-disk caches. Never part of a time per step."
        ),
        columns=["Implementation", "Model", "Import", "First step, caches filled", "First step, caches empty"],
        rows=[[label(s.implementation), labels.get(s.model, s.model), *_startup_times(s)] for s in ordered],
        words=2,
    )


def _startup_times(start: StartUp) -> list[str]:
    if start.status != "ok":
        return [f"{status_word(start.status)}: {start.reason}" if start.reason else status_word(start.status), "", ""]
    return [fmt.seconds(value) for value in (start.import_seconds, start.cached_seconds, start.cold_seconds)]


def _memory(frame: pd.DataFrame) -> Table:
    """Only the largest batch: the figure shows the rest, the CSV file every cell."""
    largest = frame[frame["batch_size"] == frame["batch_size"].max()]
    names = in_order(frame["implementation"])
    rows = []
    for (_, dtype, threads), part in largest.groupby(["model", "dtype", "threads"], sort=False):
        gained = part.set_index("implementation")["peak_memory"]
        case = f"{part['model_label'].iloc[0]}, {dtype}, {fmt.count(threads, 'thread')}"
        rows.append([case, *[fmt.bytes_(gained.get(name)) for name in names]])
    return Table(
        title=f"Peak memory at batch {frame['batch_size'].max():,}",
        note="What a process's memory grew by while it trained.",
        columns=["Case", *[label(name) for name in names]],
        rows=rows if largest["peak_memory"].notna().any() else [],
    )


def _conditions(results: Results) -> Table:
    return Table("Conditions", "", ["Condition", "Value"], [list(row) for row in conditions.rows(results)], words=2)
