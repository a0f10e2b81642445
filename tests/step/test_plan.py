"""What the training step makes of objects that it is told by their `id`."""

from __future__ import annotations

import numpy as np
import pytest

import fastnn
from fastnn.step import train_step


class _Kind(np.ndarray):
    """An array in all but its type."""


@pytest.mark.parametrize("other", ["x", "t"])
def test_only_arrays_themselves_are_looked_into(other: str) -> None:
    """Of any other object nobody knows how far it reaches."""
    net, optimizer = fastnn.MLP((3, 2)), fastnn.SGD(0.1)
    given = {"x": np.ones((1, 3), np.float32), "t": np.zeros(1, np.int64)}
    net.train_step(*given.values(), optimizer)

    def step() -> int:
        x, t = given.values()
        told = net._like, net._target_like, net._table_address, 1, train_step.WHOLE
        return train_step.train_step(id(x), id(t), 0, *told)[1]

    assert step() == train_step.NOWHERE
    given[other] = given[other].view(_Kind)
    assert step() == train_step.UNLIKE_LAST
