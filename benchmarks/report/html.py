"""report.html: the whole report in one file that needs no network, no script and nothing beside it."""

from __future__ import annotations

from markupsafe import Markup

from benchmarks.report.canvas import css_variables
from benchmarks.report.content import Content
from benchmarks.report.grid import Entry
from benchmarks.report.templates import environment


def to_html(content: Content) -> str:
    """The whole page. Everything but the drawings and the style sheet is escaped."""
    templates = environment()
    templates.filters |= {"kind": _kind, "svg": Markup}
    style = templates.get_template("report.css").render(colors=css_variables())
    return templates.get_template("report.html.jinja").render(content=content, style=Markup(style))


def _kind(cell: Entry) -> str:
    """Class of a table cell."""
    if not cell.timed:
        return "untimed"
    return " ".join(filter(None, ["ahead" if cell.ahead else "", "fastest" if cell.fastest else ""]))
