"""Every call, measured in one worker process; who dies or hangs on a call has no time for it, and the rest goes on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence

from benchmarks.calls.catalogue import Call, Plan
from benchmarks.progress import Progress
from benchmarks.results import CallCell
from benchmarks.transport import ProcessTransport, Transport, WorkerLost, worker_environment

PEERS = ("fastnn", "numpy", "pytorch")  # who has such calls; the others compile whole steps
TIMEOUT = 120.0  # seconds for one call: imports, compilation and verification included


def start_worker(peers: Sequence[str]) -> ProcessTransport:
    """The process of `benchmarks.calls.worker`."""
    command = [sys.executable, "-m", "benchmarks.calls.worker", ",".join(peers)]
    return ProcessTransport(command, worker_environment(1))


def measure(
    calls: Sequence[Call],
    peers: Sequence[str],
    plan: Plan,
    shown: Progress,
    start: Callable[[Sequence[str]], Transport] = start_worker,
) -> Iterator[CallCell]:
    """A cell per call and implementation, those of `peers` that have such calls; each call's when it is measured."""
    taking_part = [peer for peer in PEERS if peer in peers]
    transport: Transport | None = None
    try:
        for call in calls:
            shown.doing(f"call {call.name}")
            transport = transport or start(taking_part)
            try:
                cells = transport.request({"do": "measure", "call": call, "plan": plan}, TIMEOUT)["cells"]
            except WorkerLost as lost:
                transport = None
                cells = [_untimed(call, peer, lost) for peer in taking_part]
            shown.advance(1 / len(calls))
            yield from cells
    finally:
        if transport is not None:
            transport.close()


def _untimed(call: Call, peer: str, lost: WorkerLost) -> CallCell:
    return CallCell(call.family, call.function, call.size, call.dtype, peer, lost.status, str(lost))
