"""The headline table of the README, generated from a results file.

python -m benchmarks.report.headline reports/reference/results.json           rewrites the block in README.md
python -m benchmarks.report.headline reports/reference/results.json --check   exits 1 where it is out of date
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.output import tolerant_output
from benchmarks.report import conditions
from benchmarks.report import formatting as fmt
from benchmarks.report.calls import call_sentences
from benchmarks.report.frame import to_frame
from benchmarks.report.grid import LEVEL_MARK, Entry, build_grid
from benchmarks.report.markdown import escape, row, rule
from benchmarks.report.summary import sentences, summarize, warnings
from benchmarks.results import Results, ResultsError, write_atomically

BEGIN, END = "<!-- headline:begin -->", "<!-- headline:end -->"


class HeadlineError(ValueError):
    """A README without one pair of markers."""


def headline(results: Results) -> str:
    """The block as Markdown: verdict, every cell (lost ones too), why cells are lost, conditions."""
    summary = summarize(results)
    grid = build_grid(to_frame(results))
    parts = [" ".join(escape(said) for said in sentences(summary) + warnings(summary, results))]
    for block in grid.blocks:
        lines = [row(["Batch", *map(escape, grid.labels)]), rule(len(grid.labels) + 1)]
        lines += [row([line.head, *map(_entry, line.entries)]) for line in block.rows]
        parts += [f"**{escape(block.title)}**", "\n".join(lines)]
    parts.append(
        f"fastnn: median time per training step. Peers: their time divided by fastnn's (above 1{fmt.TIMES} fastnn is "
        f"faster). Bold: lowest median. {LEVEL_MARK} no clear difference. {escape(conditions.short(results))}."
    )
    parts += ["\n".join(f"{place}. {escape(note)}" for place, note in enumerate(grid.notes, 1))] if grid.notes else []
    if results.calls:
        said = " ".join(map(escape, call_sentences(results)[:2]))
        parts.append(f"Single calls of the kernels from Python, on one thread: {said}")
    return "\n\n".join(parts)


def replace_block(text: str, block: str) -> str:
    """`text` with everything between the markers replaced. Raises HeadlineError unless there is one pair of them."""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise HeadlineError(f"needs exactly one {BEGIN} with one {END} after it")
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n\n{block}\n\n{END}{rest.split(END)[1]}"


def update_readme(readme: Path, results: Results) -> bool:
    """Rewrite the block between the markers; whether that changed the file. Raises HeadlineError."""
    text = readme.read_text(encoding="utf-8")
    new = replace_block(text, headline(results))
    if new != text:
        write_atomically(readme, new)
    return new != text


def is_current(readme: Path, results: Results) -> bool:
    """Whether the README says what the results say. Raises HeadlineError."""
    text = readme.read_text(encoding="utf-8")
    return replace_block(text, headline(results)) == text


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 done or up to date, 1 out of date, 2 unusable input."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report.headline", description="README's headline table")
    parser.add_argument("results", type=Path, help="results.json of a race")
    parser.add_argument("--readme", type=Path, default=Path("README.md"))
    parser.add_argument("--check", action="store_true", help="change nothing, exit 1 where the table is out of date")
    chosen = parser.parse_args(arguments)
    try:
        results = Results.load(chosen.results)
        if chosen.check:
            current = is_current(chosen.readme, results)
            print(f"{chosen.readme}: the headline table is {'up to date' if current else 'out of date'}")
            return 0 if current else 1
        print(f"{chosen.readme}: {'rewritten' if update_readme(chosen.readme, results) else 'was up to date'}")
    except (ResultsError, HeadlineError, OSError) as error:
        print(f"{chosen.readme}: {error}" if isinstance(error, HeadlineError) else error, file=sys.stderr)
        return 2
    return 0


def _entry(cell: Entry) -> str:
    """The time of fastnn, the ratio of a peer (its time, where fastnn has none), or how the cell was lost."""
    if cell.lost:
        return f"*{cell.time}*{f'<sup>{cell.note}</sup>' if cell.note else ''}"
    text = f"{f'{cell.mark} ' if cell.mark else ''}{cell.ratio}" if cell.ratio else cell.time
    return f"**{text}**" if cell.fastest else text


if __name__ == "__main__":
    with tolerant_output():
        sys.exit(main())
