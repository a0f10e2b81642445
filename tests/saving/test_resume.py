"""Training that goes on from a file equals training that never stopped, to the last bit."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastnn
from fastnn import schedules
from tests.optimizers.forms import FORMS, make

SIZES = (5, 17, 3)
X, T = np.linspace(-1, 1, 60).reshape(12, 5), np.arange(12) % 3


def net_of(dtype: str = "float32", **options) -> fastnn.MLP:
    return fastnn.MLP(SIZES, dtype=dtype, **options)


def train(net: fastnn.MLP, optimizer: fastnn.Optimizer, steps: int) -> list[float]:
    x = X.astype(net.dtype)
    return [net.train_step(x, T, optimizer) for _ in range(steps)]


def saved(net: fastnn.MLP, path: Path) -> fastnn.MLP:
    net.save(path)
    return fastnn.load(path)


def assert_same_weights(net: fastnn.MLP, other: fastnn.MLP) -> None:
    for w, v in zip(net.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(w, v)


@pytest.mark.parametrize("form", FORMS)
def test_every_optimizer_goes_on(form, dtype, tmp_path) -> None:
    """Saved twice, for the first copy was not trained since."""
    net, optimizer = net_of(dtype), make(form)
    train(net, optimizer, 3)
    net = saved(saved(net, tmp_path / "net"), tmp_path / "net")
    assert repr(net.optimizer) == repr(optimizer)
    losses = train(net, net.optimizer, 3)
    expected, other = net_of(dtype), make(form)
    assert losses == train(expected, other, 6)[3:]
    assert_same_weights(net, expected)


def plateau() -> schedules.ReduceOnPlateau:
    schedule = schedules.ReduceOnPlateau(0.1, patience=1, factor=0.3)
    for metric in (3.0, 2.5, 2.6, 2.7):
        schedule.step(metric)
    return schedule


SCHEDULES = {
    "constant": lambda: schedules.Constant(1 / 3),
    "step": lambda: schedules.Step(0.1, 2, 0.7),
    "exponential": lambda: schedules.Exponential(0.1, 0.9),
    "cosine": lambda: schedules.Cosine(0.1, 7, 1e-3),
    "one cycle": lambda: schedules.OneCycle(0.1, 8, anneal_strategy="linear", three_phase=True),
    "warm-up": lambda: schedules.WarmUp(4, 0.1),
    "nested": lambda: schedules.WarmUp(2, schedules.WarmUp(2, schedules.Cosine(0.1, 5))),
    "plateau": plateau,
    "warm-up, then plateau": lambda: schedules.WarmUp(4, plateau()),
}


def test_every_schedule_is_tried() -> None:
    assert {type(make()).__name__ for make in SCHEDULES.values()} == {*schedules.__all__} - {"Rate"}


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule_goes_on(schedule, tmp_path) -> None:
    net = net_of()
    train(net, fastnn.SGD(lr=SCHEDULES[schedule](), momentum=0.5), 3)
    net = saved(net, tmp_path / "net")
    expected, optimizer = net_of(), fastnn.SGD(lr=SCHEDULES[schedule](), momentum=0.5)
    train(expected, optimizer, 3)
    for metric in (2.7, 2.8):
        for rate in (net.optimizer.lr, optimizer.lr):
            inner = getattr(rate, "after", rate)
            if isinstance(inner, schedules.ReduceOnPlateau):
                inner.step(metric)
        assert train(net, net.optimizer, 2) == train(expected, optimizer, 2)
    assert net.optimizer.lr == optimizer.lr
    assert_same_weights(net, expected)


def test_dropout_penalties_and_shuffling_go_on(dtype, tmp_path) -> None:
    """Each epoch has an order, and each step a mask, of its own number."""

    def made() -> tuple[fastnn.MLP, fastnn.Optimizer]:
        options = {"dropout": 0.3, "input_dropout": 0.1, "l1": 1e-3, "l2": 1 / 3, "penalty_per_row": True, "seed": 5}
        return net_of(dtype, **options), fastnn.Adam(lr=schedules.Cosine(0.01, 20), clip_norm=0.1)

    net, optimizer = made()
    losses = [net.train_epoch(X, T, optimizer, 5) for _ in range(2)]
    net = saved(net, tmp_path / "net")
    assert net.epochs == 2
    losses += [net.train_epoch(X, T, net.optimizer, 5) for _ in range(2)]
    expected, optimizer = made()
    assert losses == [expected.train_epoch(X, T, optimizer, 5) for _ in range(4)]
    assert_same_weights(net, expected)


PROGRAM = """
import sys
import fastnn
from tests.saving.test_resume import T, X

net = fastnn.load(sys.argv[1])
print(repr([net.train_epoch(X, T, net.optimizer, 5).hex() for _ in range(2)]))
net.save(sys.argv[1])
"""


def test_another_process_goes_on(tmp_path) -> None:
    net, optimizer = net_of(dropout=0.3), fastnn.Adam(lr=schedules.Cosine(0.01, 20))
    net.train_epoch(X, T, optimizer, 5)
    net.save(tmp_path / "net")
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "net")],
        capture_output=True, text=True, check=True, timeout=300, cwd=root,
    )  # fmt: skip
    assert eval(done.stdout) == [net.train_epoch(X, T, optimizer, 5).hex() for _ in range(2)]
    assert_same_weights(fastnn.load(tmp_path / "net"), net)


def test_moments_of_a_rule_before_are_kept(tmp_path) -> None:
    """Descent without momentum keeps the velocity for when there is momentum again."""
    nets = [net_of(), net_of()]
    optimizers = [fastnn.SGD(0.1, momentum=0.9) for _ in nets]
    for net, optimizer in zip(nets, optimizers, strict=True):
        train(net, optimizer, 2)
        optimizer.momentum = 0.0
        train(net, optimizer, 1)
    net = saved(nets[0], tmp_path / "net")
    net.optimizer.momentum = optimizers[1].momentum = 0.9
    assert train(net, net.optimizer, 2) == train(nets[1], optimizers[1], 2)
    assert_same_weights(net, nets[1])


def test_one_optimizer_of_two_nets_is_saved_for_each(tmp_path) -> None:
    first, second, optimizer = net_of(), net_of(seed=1), fastnn.Adam(0.01)
    train(first, optimizer, 4)
    train(second, optimizer, 2)
    copy = saved(second, tmp_path / "net")
    assert train(copy, copy.optimizer, 2) == train(second, optimizer, 2)


def test_weights_that_are_not_finite_survive(dtype, tmp_path) -> None:
    net = net_of(dtype)
    weights = net.get_weights()
    weights[0][0, :4] = math.nan, math.inf, -math.inf, -0.0
    weights[1][0] = np.finfo(dtype).smallest_subnormal
    net.set_weights(weights)
    for w, v in zip(saved(net, tmp_path / "net").get_weights(), weights, strict=True):
        assert w.dtype == dtype
        assert w.tobytes() == v.tobytes()


@pytest.mark.parametrize("sizes", [(1, 1), (3, 2), (2, 3, 2, 2), (16, 16, 16, 1), (33, 1, 65, 7)])
def test_odd_sizes(sizes, dtype, tmp_path) -> None:
    net = fastnn.MLP(sizes, "relu", "mean_squared_error", dtype=dtype, seed=None)
    other = saved(net, tmp_path / "net")
    assert repr(other) == repr(net)
    assert other.optimizer is None
    assert_same_weights(other, net)
    x = np.random.default_rng(0).random((9, sizes[0])).astype(dtype)
    np.testing.assert_array_equal(other.forward(x), net.forward(x))


@pytest.mark.parametrize(
    "options",
    [
        {"activation": [("leaky_relu", 1 / 3), ("elu", {"alpha": 0.7})]},
        {"loss": ("softmax_cross_entropy", {"label_smoothing": 0.1, "class_weight": [0.1, 3.0, 0.0]})},
        {"loss": ("softmax_cross_entropy", {"ignore_label": -1, "reduction": "sum"})},
        {"loss": ("huber", 0.3), "dropout": [0.1, 0.0]},
        {"loss": "root_mean_squared_error"},
    ],
)
def test_options_survive(options, tmp_path) -> None:
    net = fastnn.MLP((5, 17, 17, 3), **options)
    assert repr(saved(net, tmp_path / "net")) == repr(net)
