"""The headline of the README, generated from results files: one table of geometric means per model.

python -m benchmarks headline RESULTS.json ... README.md            rewrites the block between the markers
python -m benchmarks headline RESULTS.json ... README.md --check    exits 1 if it is out of date
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.report import conditions
from benchmarks.report import formatting as fmt
from benchmarks.report.markdown import escape, row, rule
from benchmarks.report.statistics import FASTER, SLOWER, UNCLEAR
from benchmarks.report.summary import Summary, Tally, footnotes, summarize, summarize_cells, used_wider, warnings
from benchmarks.results import Results, write_atomically

BEGIN, END = "<!-- headline:begin -->", "<!-- headline:end -->"

# What a column is called that was measured on these data sets, as conditions.data_set has them.
COLUMNS = {
    "mnist-standardized": "Dense inputs",
    "mnist-standardized and pima": "Dense inputs",
    "mnist": "MNIST",
    "mnist and pima": "MNIST (8 inputs: Pima)",
}


class HeadlineError(ValueError):
    """A README without one pair of markers."""


def headline(runs: Sequence[Results]) -> str:
    """The block as Markdown: a table with a row per model and a column per run, on one thread; a table of the verdicts
    over all that each run has; and below it where each run loses to an equal, cells without a time, warnings, and its
    conditions."""
    found = [(_column(results), summarize(results), results) for results in runs]
    notes = [
        f"- {' '.join(map(escape, [f'{name}:', *sizes, *footnotes(summary), *warnings(summary, results)]))} "
        f"{escape(conditions.short(results))}."
        for (name, summary, results), sizes in zip(found, _own_batch_sizes(runs), strict=True)
    ]
    return "\n\n".join([*_per_model(runs), *_every_case(found), "\n".join(notes)])


def replace_block(text: str, block: str) -> str:
    """`text` with everything between the markers replaced. Raises HeadlineError unless there is one pair of them."""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise HeadlineError(f"needs exactly one {BEGIN} with one {END} after it")
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n\n{block}\n\n{END}{rest.split(END)[1]}"


def update_readme(readme: Path, runs: Sequence[Results]) -> bool:
    """Rewrite the block between the markers; whether that changed the file. Raises HeadlineError."""
    text = readme.read_text(encoding="utf-8")
    new = replace_block(text, headline(runs))
    if new != text:
        write_atomically(readme, new)
    return new != text


def is_current(readme: Path, runs: Sequence[Results]) -> bool:
    """Whether the README says what the results say. Raises HeadlineError."""
    text = readme.read_text(encoding="utf-8")
    return replace_block(text, headline(runs)) == text


_STRONGEST = (
    " After it the same against the strongest equal peer of each case: one that takes the same rows and keeps NaN and "
    "infinity, as an expert would write it, and where it makes many steps in one call, against fastnn's epoch in one "
    "call."
)
_CAVEAT = (
    " With a caveat: may change NaN and infinity (fast-math), takes rows in another form (CSR), or used wider vectors "
    "than it was held to."
)


def _per_model(runs: Sequence[Results]) -> tuple[str, str]:
    """The table of geometric means on one thread, and what it shows."""
    columns = [_summaries(results) for results in runs]
    strong = any(summary.strongest for found in columns for _, summary in found.values())
    models = {model: label for found in columns for model, (label, _) in found.items()}
    lines = [row(["Model, one thread", *(escape(_column(results)) for results in runs)]), rule(len(runs) + 1)]
    lines += [
        row([escape(label), *(_entries(found[model][1]) if model in found else "not measured" for found in columns)])
        for model, label in models.items()
    ]
    caveats = any(summarize(results).any_form for results in runs)
    sizes = _batch_sizes(runs[0]) if _same_batch_sizes(runs) else "the batch sizes of the run, which stand below"
    meaning = (
        f"How many times fastnn's time per training {runs[0].timed} the fastest {'usual ' if strong else ''}peer of "
        f"each case takes: geometric mean over {sizes}, and in brackets the lowest and the highest case. "
        f"Above 1{fmt.TIMES} fastnn is faster.{_STRONGEST if strong else ''}{_CAVEAT if caveats else ''}"
    )
    return "\n".join(lines), meaning


def _every_case(found: Sequence[tuple[str, Summary, Results]]) -> list[str]:
    """The table of verdicts over all cases of each run, and over its single calls; nothing without any."""
    lines = []
    for name, summary, results in found:
        usual = "fastest usual peer" if summary.strongest else "fastest peer"
        tallies = {usual: summary.fastest, "strongest equal peer": summary.strongest}
        tallies["strongest peer, forms with a caveat too"] = summary.any_form
        if results.calls:
            calls = summarize_cells(results.calls, "call", used_wider(results))
            tallies["single calls, fastest peer, 1 thread"] = calls.fastest
        lines += [
            row([escape(name), escape(against), *_counts(tally)])
            for against, tally in tallies.items()
            if tally and tally.contests
        ]
    head = ["Every case", "Against", "Faster", "Unclear", "Slower", "Geometric mean", "Lowest to highest"]
    return ["\n".join([row(head), rule(len(head), 2), *lines])] if lines else []


def _counts(tally: Tally) -> list[str]:
    """Faster, unclear and slower; the mean with its interval; the extremes."""
    won, unclear, slower = (len(tally.with_verdict(kind)) for kind in (FASTER, UNCLEAR, SLOWER))
    mean, (lowest, highest) = tally.mean, tally.extremes
    interval = f" ({fmt.interval(mean.low, mean.high)})" if mean.has_interval else ""
    counts = [f"{won} of {tally.cases}", str(unclear), str(slower)]
    return [*counts, f"**{fmt.ratio(mean.value)}**{interval}", fmt.interval(lowest, highest)]


def _summaries(results: Results) -> dict[str, tuple[str, Summary]]:
    """Of each model on one thread: its label, and what the run found."""
    cells = [cell for cell in results.cells if cell.threads == 1]
    labels = {cell.model: cell.model_label for cell in cells}
    return {
        model: (label, summarize_cells([cell for cell in cells if cell.model == model], wider=used_wider(results)))
        for model, label in labels.items()
    }


def _entries(summary: Summary) -> str:
    """Against the usual peers, and where there are stronger ones, against the strongest."""
    strongest = f"; strongest {_entry(summary.strongest)}" if summary.strongest else ""
    return _entry(summary.fastest) + strongest


def _entry(tally: Tally) -> str:
    """The mean and the extremes; and how many cases are not won, where there are such."""
    if not tally.contests:
        return "no time"
    lowest, highest = tally.extremes
    text = f"**{fmt.ratio(tally.mean.value)}** ({fmt.interval(lowest, highest)})"
    won = len(tally.with_verdict(FASTER))
    return text if won == tally.cases else f"{text}, faster in {won} of {tally.cases}"


def _column(results: Results) -> str:
    """The data, and the width that all were held to, if to any."""
    data = conditions.data_set(results)
    return conditions.titled(COLUMNS.get(data, data), results)


def _own_batch_sizes(runs: Sequence[Results]) -> list[list[str]]:
    """What the note of each run says of them: nothing where all have the same, which the caption then tells."""
    if _same_batch_sizes(runs):
        return [[] for _ in runs]
    said = [_batch_sizes(results) for results in runs]
    return [[f"{words[0].upper()}{words[1:]}."] for words in said]


def _same_batch_sizes(runs: Sequence[Results]) -> bool:
    return len({_batch_sizes(results) for results in runs}) == 1


def _batch_sizes(results: Results) -> str:
    """Those on one thread, in words."""
    sizes = sorted({cell.batch_size for cell in results.cells if cell.threads == 1})
    if not sizes:
        return "no batch size on one thread"
    return f"batch size{'s' if len(sizes) > 1 else ''} {fmt.listed([f'{size:,}' for size in sizes])}"
