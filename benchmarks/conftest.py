"""What every benchmark of the pytest-benchmark suite shares: one thread, verified first, throughput beside times.

Training steps are timed on the rows that `--data` chooses, as those of `python -m benchmarks` are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from threadpoolctl import threadpool_limits

from benchmarks import machine, rows


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--data", choices=rows.CHOICES, default="auto", help=rows.DATA_HELP)


def pytest_report_header(config: pytest.Config) -> str:
    """Which data the times are of."""
    images = rows.images(config.getoption("--data", "auto"))
    return f"benchmarks: training steps on {images} and pima (see --data), single kernels on random numbers"


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """In one process the idle threads of one library would slow the next (`python -m benchmarks` measures threads)."""
    with threadpool_limits(1):
        yield


@pytest.fixture
def measure(benchmark: Any) -> Callable[..., None]:
    """Time a call, and note its throughput from the median."""

    def measured(call: Callable[[], Any], *, rows: int, flops: float, bytes_moved: float, data: str) -> None:
        benchmark.extra_info["data"] = data
        benchmark(call)
        if benchmark.stats is None:  # --benchmark-disable
            return
        seconds = benchmark.stats.stats.median
        benchmark.extra_info |= {
            "samples_per_second": rows / seconds,
            "gflop_per_second": flops / seconds / 1e9,
            "gbyte_per_second": bytes_moved / seconds / 1e9,
        }

    return measured


def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict[str, Any]) -> None:
    """Which CPU, and which versions."""
    machine_info["fastnn"] = machine.machine_info()
