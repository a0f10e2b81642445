"""The plan of a step: a wrong name is an error when a kernel is compiled; what is no array is not looked into."""

from __future__ import annotations

import ast
from pathlib import Path

import numba
import numpy as np
import pytest

import fastnn
from fastnn.step import plan as plans
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
        return train_step.train_step(id(x), id(t), 0, net._prepared.address, 1)[1]

    assert step() == train_step.DONE
    given[other] = given[other].view(_Kind)
    assert step() == train_step.UNLIKE_LAST


def test_a_wrong_name_is_a_typing_error() -> None:
    plan_at = plans.STEP.at

    @numba.njit
    def read(address):
        return plan_at(address, 0, np.float32(0)).no_such_field

    with pytest.raises(numba.TypingError, match="no_such_field.*StepPlan"):
        read(0)


def test_records_are_the_same_on_both_sides(dtype: str) -> None:
    layer_at, zero = plans.LAYER.at, np.dtype(dtype).type(0)

    @numba.njit
    def second(address, like):
        layer = layer_at(address, 1, like)
        layer.row = layer.inputs + layer.outputs
        return layer.tail

    records = plans.LAYER.empty(2)
    records["inputs"], records["outputs"], records["tail"] = (1, 20), (2, 30), (3, 40)
    assert second(records.ctypes.data, zero) == 40
    np.testing.assert_array_equal(records["row"], [0, 50])


STEP_FILES = sorted(Path(plans.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("path", STEP_FILES, ids=lambda path: path.name)
def test_no_function_of_the_step_takes_more_than_eight_arguments(path: Path) -> None:
    """What a step needs to know is in its plan."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            assert len(node.args.args) <= 8, node.name
