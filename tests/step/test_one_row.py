"""Panels that the pass backward of one row updates on its way: as they are afterwards, to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fastnn
from fastnn.optimizers import base as optimizers
from fastnn.training.epoch import run_epoch
from fastnn.training.sources import order_of, source_of

# With tail columns and padded ones; with layers narrower than a vector, and rows that fill no dot tile.
NETS = [(37, 100, 70, 10), (48, 40, 16), (20, 3, 50, 33, 61)]

KINDS: dict[str, tuple[dict[str, Any], fastnn.Optimizer]] = {
    "adam": ({"activation": "tanh"}, fastnn.Adam(0.01)),
    "nan in padding": ({"activation": "tanh"}, fastnn.Adam(0.01, eps=0.0)),
    "decoupled, drops": ({"activation": "gelu", "dropout": 0.3, "input_dropout": 0.2}, fastnn.AdamW(0.01)),
    "momentum": ({"activation": "relu"}, fastnn.SGD(0.1, momentum=0.9)),
    "fused": ({"activation": "relu"}, fastnn.SGD(0.1)),
    "penalty": ({"activation": "tanh", "l2": 1e-2}, fastnn.Adam(0.01)),
    "clipped": ({"activation": "relu"}, fastnn.Adam(0.01, clip_value=0.01)),
    "norm": ({"activation": "relu"}, fastnn.Adam(0.01, clip_norm=0.01)),
    # A large eps, with which an update tells how large a gradient is.
    "root": ({"activation": "tanh", "loss": "root_mean_squared_error"}, fastnn.Adam(0.01, eps=1.0)),
}
# The update needs more of the gradient than a row of it, or none.
AFTERWARDS = {"fused", "penalty", "clipped", "norm", "root"}


@pytest.mark.parametrize("epoch", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sizes", NETS, ids=lambda sizes: "-".join(map(str, sizes)))
def test_updated_on_the_way_or_afterwards(
    sizes: tuple[int, ...], kind: str, epoch: bool, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(sizes[0])
    x, t = rng.standard_normal((5, sizes[0])).astype(dtype), rng.integers(0, sizes[-1], 5)
    made_of, optimizer = KINDS[kind]
    if kind == "root":
        t = rng.standard_normal((5, sizes[-1])).astype(dtype)

    def trained(leaves_the_cache: bool) -> list[np.ndarray]:
        monkeypatch.setattr(optimizers, "fetching_pays", lambda *_: leaves_the_cache)
        net, own = fastnn.MLP(sizes, dtype=dtype, seed=3, **made_of), type(optimizer)(**optimizer.values)
        if epoch:
            source = source_of(net, x, t)
            losses = [run_epoch(net, source, own, 1, order_of(net, len(x), 7)).loss]
            plans = [steps._plan for steps in source.idle.values()]
        else:
            losses = [net.train_step(x[k : k + 1], t[k : k + 1], own) for k in range(len(x))]
            plans = [net._prepared.plan]
        on_the_way = leaves_the_cache and kind not in AFTERWARDS
        assert {int(plan["updates_on_the_way"][0]) for plan in plans} == {on_the_way}
        return [np.array(losses), *net.get_weights()]

    for found, expected in zip(trained(True), trained(False), strict=True):
        assert np.isfinite(expected).all()
        np.testing.assert_array_equal(found, expected)
