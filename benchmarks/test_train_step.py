"""The training step of every installed peer, over batch sizes, in one process and one thread:
`pytest benchmarks/test_train_step.py`. `python -m benchmarks` compares them in pairs, and with more threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.cases import BATCH_SIZES, MODELS, Case, grid
from benchmarks.peers import PEERS, Unavailable
from benchmarks.verify import expect, steps_of

# Compiling takes a minute a case: left to `python -m benchmarks`.
IMPLEMENTATIONS = [name for name in PEERS if name != "pytorch-compiled"]
# Steps of half a second, too, are for `python -m benchmarks --full`.
CASES = grid(MODELS, BATCH_SIZES, [1], most_flops=1e10)


def rows(case: Case) -> list[tuple[Any, Any]]:
    """Batches of random pixels and labels: what is in them does not change the time of a step."""
    rng = np.random.default_rng(0)
    n = min(4 * case.batch_size, 8192)
    return case.batches(rng.random((n, case.model.sizes[0]), np.float32), rng.integers(0, case.model.sizes[-1], n))


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.benchmark(max_time=0.2, min_rounds=5, warmup=True, warmup_iterations=1)
def test_train_step(case: Case, implementation: str, benchmark: Any, measure: Any) -> None:
    if missing := PEERS[implementation].missing():
        pytest.skip(missing)
    benchmark.group = case.name
    batches, weights = rows(case), case.model.initial_weights(case.dtype)
    peer_class = PEERS[implementation].load()
    try:
        peer = peer_class(case, weights, peer_class.prepare(case, batches))
    except Unavailable as reason:
        pytest.skip(str(reason))
    losses = [peer.loss(peer.step(k)) for k in range(steps_of(case))]
    verdict = expect(case, weights, batches, peer.formulation).judge(losses, peer.weights())
    assert not verdict.reason, verdict.reason
    peer.restart()
    steps = iter(range(10**12))

    def step() -> None:
        peer.synchronise(peer.step(next(steps)))

    measure(step, rows=case.batch_size, flops=case.flops, bytes_moved=case.bytes_moved)
