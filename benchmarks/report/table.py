"""The comparison table for the terminal."""

from __future__ import annotations

import textwrap

from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from benchmarks.report import conditions
from benchmarks.report import formatting as fmt
from benchmarks.report.calls import call_sentences
from benchmarks.report.frame import in_form, to_frame
from benchmarks.report.grid import LEVEL_MARK, Block, Entry, Grid, build_grid
from benchmarks.report.implementations import AT_ONCE, OWN, label
from benchmarks.report.summary import sentences, summarize, warnings
from benchmarks.results import Results

ONE_LINE_WIDTH = 14  # of a time and a ratio side by side; in narrower columns the ratio goes below the time
HEAD_WIDTH = 9


def print_table(results: Results, console: Console) -> None:
    """Print a table per model and number of threads, why cells have no time, and the verdict."""
    summary = summarize(results)
    frame = to_frame(results)
    _print_grid(build_grid(in_form(frame, many=False)), console)
    many = in_form(frame, many=True)
    if not many.empty:
        console.print(Text("Many steps in one call", style="bold"))
        _print_grid(build_grid(many), console)
    legend = f"time per {results.timed} and time / fastnn's time: above 1{fmt.TIMES} fastnn is faster"
    console.print(Text(f"{legend}; {LEVEL_MARK} no clear difference", style="dim"))
    console.print(Text(conditions.short(results), style="dim"))
    console.print()
    console.print(Group(*[Text(sentence, style="bold") for sentence in sentences(summary)]))
    if results.calls:
        console.print(Text(f"Single calls: {' '.join(call_sentences(results)[:2])}"))
    for warning in warnings(summary, results):
        console.print(Text(warning, style="yellow"))


def _print_grid(grid: Grid, console: Console) -> None:
    absent = _absent(grid)
    shown = [name for name in grid.implementations if name not in absent]
    room = (console.width - 6) // max(1, len(shown)) - 1
    for block in grid.blocks:
        console.print(_table(block, shown, room))
    for note in grid.notes:
        console.print(Text(note, style="dim"))


def _absent(grid: Grid) -> set[str]:
    """Implementations without a time in any cell: their column would repeat what their footnote says."""
    timed = {cell.implementation for block in grid.blocks for row in block.rows for cell in row.entries if cell.timed}
    return set(grid.implementations) - timed - {OWN, AT_ONCE}


def _table(block: Block, shown: list[str], room: int) -> Table:
    """`room` is that of a column, in characters."""
    one_line, roomy, width = room >= ONE_LINE_WIDTH, room > HEAD_WIDTH + 1, max(1, min(HEAD_WIDTH, room))
    table = Table(title=block.title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    table.padding = (0, 1 if roomy else 0)  # the box itself keeps one space between columns
    table.add_column("batch", justify="right")
    for name in shown:
        table.add_column(
            textwrap.fill(label(name), width), justify="right", style="cyan" if name in (OWN, AT_ONCE) else ""
        )
    for row in block.rows:
        cells = [_entry(cell, one_line) for cell in row.entries if cell.implementation in shown]
        table.add_row(row.head, *cells)
    return table


def _entry(cell: Entry, one_line: bool) -> Text:
    if not cell.timed:
        return Text(textwrap.fill(cell.time, HEAD_WIDTH), style="dim italic")
    text = Text(cell.time, style="bold" if cell.fastest else "")
    if cell.ratio:
        text.append(" " if one_line else "\n")
        text.append(f"{cell.mark}{cell.ratio}", style="yellow" if cell.ahead else "dim" if cell.mark else "not bold")
    return text
