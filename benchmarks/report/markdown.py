"""report.md: the report for whoever browses the repository. GitHub-flavoured, figures as files beside it."""

from __future__ import annotations

import re

from benchmarks.report.content import Content
from benchmarks.report.grid import Entry
from benchmarks.report.templates import environment

FIGURES = "figures"  # folder beside the report

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~$])")


def to_markdown(content: Content) -> str:
    """The whole report."""
    templates = environment()
    templates.filters |= {"md": escape, "entry": entry, "row": row, "rule": rule}
    return templates.get_template("report.md.jinja").render(content=content, figures=FIGURES)


def escape(text: str) -> str:
    """Text that stays text within a paragraph or a table cell: one line, no markup, no HTML."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.replace("&", "&amp;").split()))


def entry(cell: Entry) -> str:
    """A cell of the headline table: the time, below it the ratio."""
    time = f"**{cell.time}**" if cell.fastest else cell.time
    if not cell.timed:
        return f"*{cell.time}*{f' <sup>{cell.note}</sup>' if cell.note else ''}"
    return f"{time}<br>{cell.ratio}{f' {cell.mark}' if cell.mark else ''}" if cell.ratio else time


def row(cells: list[str]) -> str:
    """A line of a table, from cells that are Markdown already."""
    return f"| {' | '.join(cells)} |"


def rule(count: int, words: int = 1) -> str:
    """The line below a table's head: words to the left, numbers to the right."""
    return row([":---"] * words + ["---:"] * (count - words))
