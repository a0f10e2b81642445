"""Reports from one results file: CSV, Markdown, HTML and figures (`render`), and what the terminal shows (`table`)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.results import Results

if TYPE_CHECKING:
    from benchmarks.report.content import Content

__all__ = ["render", "write_texts"]


def render(results: Results, out: Path) -> list[Path]:
    """Write report.html, report.md, the tables as CSV and figures/*.png into `out`; their paths, the page first.

    Each file is written whole or not at all. `results.json` is the caller's: `results.save(out / "results.json")`.
    """
    # Imported here: pandas and matplotlib take a second, which whoever only compares or races need not pay.
    from benchmarks.report.content import prepare
    from benchmarks.report.html import to_html
    from benchmarks.report.markdown import FIGURES
    from benchmarks.results import write_atomically

    out = Path(out)
    content = prepare(results)
    figures = [out / FIGURES / f"{drawing.name}.png" for drawing in content.drawings]
    for path, drawing in zip(figures, content.drawings, strict=True):
        write_atomically(path, drawing.png)
    texts = write_texts(content, out)
    page = out / "report.html"
    write_atomically(page, to_html(content))
    return [page, *texts, *figures]


def write_texts(content: Content, out: Path) -> list[Path]:
    """Write report.md and the tables as CSV into `out`, which takes no drawing; their paths, report.md first."""
    from benchmarks.report.frame import write_csv
    from benchmarks.report.markdown import to_markdown
    from benchmarks.results import write_atomically

    text = out / "report.md"
    tables = {out / f"{name}.csv": frame for name, frame in content.frames.items()}
    for path, frame in tables.items():
        write_csv(frame, path)
    write_atomically(text, to_markdown(content))
    return [text, *tables]
