"""Under which conditions a run was measured: short for a footnote, in full for the report's last table.

Nothing here knows which facts a run recorded: what is there is shown, what is missing is left out. The host's name is
never shown, a report is for strangers.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from benchmarks import isa
from benchmarks.report import formatting as fmt
from benchmarks.results import Results

PRIVATE = {"node", "hostname"}


def cpu(results: Results) -> str:
    """The processor's name; "" where the run did not record it. pytest-benchmark keeps a dict under the same key."""
    found = results.machine.get("cpu", "")
    if isinstance(found, dict):
        found = found.get("brand_raw") or found.get("brand") or ""
    return " ".join(str(found).split())


def date(results: Results) -> str:
    """2026-05-09 07:35 UTC; as recorded where that is no ISO date."""
    try:
        return datetime.fromisoformat(results.datetime).strftime("%Y-%m-%d %H:%M UTC")
    except ValueError:
        return results.datetime


def width(results: Results) -> str:
    """What every library was held to: "held to AVX2"; "" where the CPU's own vectors were raced."""
    return isa.label(results.isa)


def titled(text: str, results: Results) -> str:
    """A title, with the width if there is one to tell."""
    return ", ".join(filter(None, [text, width(results)]))


def data_set(results: Results) -> str:
    """Names of the data, "" where the run did not record them."""
    found = results.conditions.get("data", "")
    return fmt.listed(found) if isinstance(found, list) else str(found)


def data_with_zeros(results: Results) -> str:
    """`data_set`, each name with the share of its inputs that is zero, where the run recorded it."""
    names, zeros = results.conditions.get("data", ""), results.conditions.get("zeros", {})
    if not isinstance(names, list):
        return data_set(results)
    return fmt.listed([f"{name} ({zeros[name]})" if name in zeros else name for name in names])


def short(results: Results) -> str:
    """One line that belongs beside every figure: CPU, width, threads, dtype, data, rounds, date, version."""
    threads = sorted({cell.threads for cell in results.cells})
    dtypes = list(dict.fromkeys(cell.dtype for cell in results.cells))
    rounds = sorted({len(cell.samples) for cell in results.cells if cell.samples})
    data = data_with_zeros(results)
    parts = [
        cpu(results),
        width(results),
        f"{fmt.listed([str(n) for n in threads])} thread{'' if threads == [1] else 's'}" if threads else "",
        fmt.listed(dtypes),
        f"data: {data}" if data else "",
        f"{rounds[0]}{f' to {rounds[-1]}' if len(rounds) > 1 else ''} rounds" if rounds else "",
        date(results),
        f"fastnn {results.fastnn_version}{_revision(results)}",
    ]
    return " · ".join(part for part in parts if part)


def rows(results: Results) -> list[tuple[str, str]]:
    """Every recorded condition as (name, value), nested ones with dotted names."""
    facts: list[tuple[str, str]] = [("date", date(results)), ("fastnn", results.fastnn_version)]
    for prefix, found in (("", results.conditions), ("machine", results.machine), ("commit", results.commit)):
        facts += _flat(prefix, found)
    return facts


def _flat(prefix: str, found: dict[str, Any]) -> list[tuple[str, str]]:
    facts: list[tuple[str, str]] = []
    for key, value in found.items():
        if key in PRIVATE or value is None or value == "":
            continue
        name = f"{prefix} {key}".strip().replace("_", " ")
        if isinstance(value, dict):
            facts += _flat(name, value)
        elif isinstance(value, list | tuple):
            facts.append((name, ", ".join(str(item) for item in value)))
        elif "bytes" in name and isinstance(value, int | float):
            facts.append((name.replace(" bytes", ""), fmt.bytes_(value)))
        else:
            facts.append((name, str(value)))
    return facts


def _revision(results: Results) -> str:
    revision = str(results.commit.get("id") or "")[:10]
    return f" ({revision}{', modified' if results.commit.get('dirty') else ''})" if revision else ""
