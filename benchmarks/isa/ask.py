"""Asking an implementation which vectors it uses: in a worker of its own, once that has trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.race import PREPARE_TIMEOUT, START_TIMEOUT
from benchmarks.results import Vectors
from benchmarks.transport import Transport, WorkerLost


def ask(peer: str, prepare: Sequence[Mapping[str, Any]], start_worker: Callable[[str, int], Transport]) -> Vectors:
    """The answers of `benchmarks.isa.vectors`, after the first of the requests `prepare` that the peer can take."""
    reason = "there is no case"
    for request in prepare:
        transport = start_worker(peer, 1)
        try:
            _reply(transport, START_TIMEOUT, {"do": "start"})
            _reply(transport, PREPARE_TIMEOUT, {"do": "prepare", **request})
            answer = _reply(transport, PREPARE_TIMEOUT, {"do": "vectors"})
            return Vectors(peer, answer["reports"], answer["avx512"])
        except WorkerLost as lost:
            reason = str(lost)
        finally:
            transport.close()
    return Vectors(peer, {}, None, reason)


def _reply(transport: Transport, timeout: float, message: Mapping[str, Any]) -> dict[str, Any]:
    """The reply, "ok"; WorkerLost with the reason otherwise."""
    reply = transport.request(dict(message), timeout)
    if reply.get("status") != "ok":
        raise WorkerLost(str(reply.get("status")), str(reply.get("reason", "")))
    return reply
