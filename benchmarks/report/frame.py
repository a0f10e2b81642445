"""The results as one tidy table: a row per cell and implementation, those without a time too."""

from __future__ import annotations

import math
import statistics
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.report.implementations import AT_ONCE, OWN, at_once, in_order, label, opponent
from benchmarks.report.statistics import UNKNOWN, Estimate, log_ratios, median_estimate, verdict
from benchmarks.results import CallCell, Ceiling, Cell, Results, write_atomically

# Of a measurement in a CSV file. A logarithm's last digit depends on the CPU and the C library; a file must not.
DIGITS = 6

CASE = ["model", "batch_size", "dtype", "threads"]

# Column of the CSV file -> what it holds.
COLUMNS = {
    "model": "stable name of the model",
    "model_label": "the same for people",
    "batch_size": "rows per step",
    "data": "data set of the rows",
    "dtype": "the case's dtype",
    "threads": "threads that the implementation may use",
    "implementation": "stable name",
    "label": "the same for people",
    "status": "ok, or why the cell has no time, in a word",
    "reason": "why the cell has no time",
    "rounds": "samples taken",
    "median_seconds": "median seconds per step, or per epoch where epochs are timed",
    "median_seconds_low": "its 95% interval",
    "median_seconds_high": "",
    "samples_per_second": "rows trained per second, from the median",
    "samples_per_second_low": "its 95% interval",
    "samples_per_second_high": "",
    "gflops": "1e9 floating-point operations per second",
    "gbytes_per_second": "1e9 bytes per second of the least memory traffic",
    "peak_gflops": "FMA peak measured after each burst of fastnn, else before the run; 1e9 operations per second",
    "share_of_peak": "share of that peak, 0 to 1",
    "memory_roof": "share of that peak that the memory bandwidth allows when nothing stays in cache, 0 to 1",
    "ratio_to_fastnn": "median over rounds of time / fastnn's in the same form: above 1 where fastnn is faster",
    "ratio_low": "its 95% interval",
    "ratio_high": "",
    "fastnn_verdict": "fastnn against this implementation: faster, slower, no clear difference",
    "fastest": "whether no implementation has a lower median in this case",
    "peak_memory": "bytes above what the worker held before the case",
    "max_error": "largest error against the reference as a share of the tolerance",
}


def measured(cell: Cell | CallCell) -> bool:
    """Whether the cell has a time: ok, and with at least one sample."""
    return cell.status == "ok" and bool(cell.samples)


def to_frame(results: Results) -> pd.DataFrame:
    """One row per cell and implementation in the order of the grid, columns as in COLUMNS; NaN without a time."""
    forms = (OWN, AT_ONCE)
    own = {(cell.implementation, cell.case): cell for cell in results.cells if cell.implementation in forms}
    own = {key: cell for key, cell in own.items() if measured(cell)}
    ceilings = {(ceiling.threads, ceiling.dtype): ceiling for ceiling in results.ceilings}
    rows = [
        _row(
            cell,
            own.get((opponent(cell.implementation), cell.case)),
            _ceiling(cell, own.get((OWN, cell.case)), ceilings),
        )
        for cell in results.cells
    ]
    frame = _with_fastest(pd.DataFrame(rows, columns=[name for name in COLUMNS if name != "fastest"]))

    # Models and dtypes keep the order of the run; numbers and implementations have an order of their own.
    orders = {name: list(dict.fromkeys(frame[name])) for name in ("model", "dtype")}
    orders["implementation"] = in_order(frame["implementation"])
    keys = ["model", "dtype", "threads", "batch_size", "implementation"]
    return frame.sort_values(
        keys, key=lambda column: column.map(orders[column.name].index) if column.name in orders else column
    ).reset_index(drop=True)


def floors_frame(results: Results) -> pd.DataFrame:
    """As `to_frame`, of the parts of the step alone; `share_of_peak` is that of a step which would take their time."""
    both = to_frame(replace(results, cells=[*results.cells, *results.floors]))
    return both[both["implementation"].isin({cell.implementation for cell in results.floors})]


def fastest_floor(floors: pd.DataFrame) -> pd.DataFrame:
    """Of `floors_frame`, the row with the lowest time of each case."""
    timed = floors[floors["median_seconds"].notna()]
    return timed.loc[timed.groupby(CASE, sort=False)["median_seconds"].idxmin()]


def in_form(frame: pd.DataFrame, many: bool) -> pd.DataFrame:
    """Of `to_frame`, the rows of those who make one step in a call, or `many`; the fastest among them."""
    rows = frame[[at_once(name) == many for name in frame["implementation"]]]
    return _with_fastest(rows.drop(columns="fastest"))


def _with_fastest(frame: pd.DataFrame) -> pd.DataFrame:
    fastest = frame.groupby(CASE, sort=False)["median_seconds"].transform("min")
    frame.insert(list(COLUMNS).index("fastest"), "fastest", (frame["median_seconds"] == fastest).astype(bool))
    return frame


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Any tidy table, whole or not at all; counts exactly, measurements to DIGITS digits, empty where unknown."""
    write_atomically(path, frame.to_csv(index=False, lineterminator="\n", float_format=_digits))


def measurement(cell: Cell | CallCell, own: Cell | CallCell | None, ceiling: Ceiling | None) -> dict[str, object]:
    """What training steps and single calls have in common, from the implementation on; `own` is fastnn's cell."""
    time, ratio = UNKNOWN, UNKNOWN
    if measured(cell):
        time = median_estimate(cell.samples)
        if own is not None and cell.implementation == OWN:
            ratio = Estimate(1.0)
        elif own is not None:
            ratio = median_estimate(log_ratios(cell.samples, own.samples)).exp()
    flops_per_second = quotient(cell.flops, time.value)
    compared = cell.implementation != OWN and not math.isnan(ratio.value)
    return {
        "implementation": cell.implementation,
        "label": label(cell.implementation),
        "status": cell.status,
        "reason": cell.reason,
        "rounds": len(cell.samples),
        "median_seconds": time.value,
        "median_seconds_low": time.low,
        "median_seconds_high": time.high,
        "gflops": flops_per_second / 1e9,
        "gbytes_per_second": quotient(cell.bytes_moved, time.value) / 1e9,
        "share_of_peak": quotient(flops_per_second, ceiling.flops_per_second if ceiling else math.nan),
        "ratio_to_fastnn": ratio.value,
        "ratio_low": ratio.low,
        "ratio_high": ratio.high,
        "fastnn_verdict": verdict(ratio) if compared else "",
        "max_error": math.nan if cell.max_error is None else cell.max_error,
    }


def _ceiling(cell: Cell, own: Cell | None, ceilings: dict[tuple[int, str], Ceiling]) -> Ceiling | None:
    """That of the run, but with the FMA peak that was measured between the bursts of the case, where it was."""
    found = ceilings.get((cell.threads, cell.dtype))
    if own is None or not own.peaks:
        return found
    bandwidth = found.bytes_per_second if found else math.nan
    return Ceiling(cell.threads, cell.dtype, statistics.median(own.peaks), bandwidth)


def _row(cell: Cell, own: Cell | None, ceiling: Ceiling | None) -> dict[str, object]:
    shared = measurement(cell, own, ceiling)
    peak = ceiling.flops_per_second if ceiling else math.nan
    bandwidth = ceiling.bytes_per_second if ceiling else math.nan
    rows = cell.rows or cell.batch_size
    return shared | {
        "model": cell.model,
        "model_label": cell.model_label,
        "batch_size": cell.batch_size,
        "data": cell.data,
        "dtype": cell.dtype,
        "threads": cell.threads,
        "peak_gflops": peak / 1e9,
        "samples_per_second": quotient(rows, shared["median_seconds"]),
        "samples_per_second_low": quotient(rows, shared["median_seconds_high"]),
        "samples_per_second_high": quotient(rows, shared["median_seconds_low"]),
        "memory_roof": float(np.minimum(1.0, quotient(quotient(cell.flops, cell.bytes_moved) * bandwidth, peak))),
        "peak_memory": math.nan if cell.peak_memory is None else cell.peak_memory,
    }


def _digits(value: float) -> str:
    """Whole numbers are counts of bytes."""
    return str(float(value) if value == int(value) else float(f"{value:.{DIGITS}g}"))


def quotient(numerator: float, denominator: float) -> float:
    """NaN where the denominator is 0 or unknown."""
    return numerator / denominator if denominator > 0 else math.nan
