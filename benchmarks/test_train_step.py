"""The training step of every installed peer, over batch sizes, in one process and one thread:
`pytest benchmarks/test_train_step.py`. `python -m benchmarks` compares them in pairs, and with more threads."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from benchmarks import rows
from benchmarks.cases import BATCH_SIZES, MODELS, Case, Model, grid
from benchmarks.peers import PEERS, Unavailable
from benchmarks.verify import expect, steps_of

# Compiling takes a minute a case: left to `python -m benchmarks`.
IMPLEMENTATIONS = [name for name in PEERS if name != "pytorch-whole"]
MOST_FLOPS = 1e10  # steps of half a second, too, are for `python -m benchmarks --full`


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The cases, on the data that `--data` chooses."""
    images = rows.images(metafunc.config.getoption("--data", "auto"))
    models = [rows.on_images(model, images) for model in MODELS]
    metafunc.parametrize("case", grid(models, BATCH_SIZES, [1], most_flops=MOST_FLOPS), ids=lambda case: case.name)


@cache
def data_set(model: Model) -> rows.Rows:
    """The training rows (x, labels) of a model's data set, read once."""
    return rows.read([model])[model.data]


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.benchmark(max_time=0.2, min_rounds=5, warmup=True, warmup_iterations=1)
def test_train_step(case: Case, implementation: str, benchmark: Any, measure: Any) -> None:
    if missing := PEERS[implementation].missing():
        pytest.skip(missing)
    x, t = data_set(case.model)
    data = f"{case.model.data}, {rows.zeros(x)}"
    benchmark.group = f"{case.name} on {data}"
    batches, weights = case.batches(x, t), case.model.initial_weights(case.dtype)
    peer_class = PEERS[implementation].load()
    try:
        peer = peer_class(case, weights, peer_class.prepare(case, batches))
    except Unavailable as reason:
        pytest.skip(str(reason))
    losses = peer.first_losses(steps_of(case))
    verdict = expect(case, weights, batches, peer.formulation).judge(losses, peer.weights())
    assert not verdict.reason, verdict.reason
    peer.restart()
    steps = iter(range(10**12))

    def step() -> None:
        peer.synchronise(peer.step(next(steps)))

    measure(step, rows=case.batch_size, flops=case.flops, bytes_moved=case.bytes_moved, data=data)
