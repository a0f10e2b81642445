"""Learning-rate schedules: each against PyTorch's, and what a training step makes of them."""

from __future__ import annotations

import copy
import math
import pickle
import re
from dataclasses import fields
from functools import partial

import numpy as np
import pytest

import fastnn
from fastnn import schedules
from fastnn.reference.mlp import MLP as Twin

STEPS = 300


def of_torch(make, steps: int = STEPS, lr: float = 0.3) -> list[float]:
    """The rates of PyTorch's scheduler, before its first step and after each."""
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    scheduler = make(torch.optim.lr_scheduler, optimizer)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


SAME = {
    "step": (schedules.Step(0.3, 7, 0.9), lambda s, o: s.StepLR(o, 7, 0.9)),
    "exponential": (schedules.Exponential(0.3, 0.97), lambda s, o: s.ExponentialLR(o, 0.97)),
    "cosine": (schedules.Cosine(0.3, STEPS - 1, 0.02), lambda s, o: s.CosineAnnealingLR(o, STEPS - 1, 0.02)),
    **{
        f"one cycle, {strategy}, {share}, {phases}": (
            schedules.OneCycle(0.3, STEPS, share, strategy, 10.0, 50.0, phases == 3),
            lambda s, o, strategy=strategy, share=share, phases=phases: s.OneCycleLR(
                o, 0.3, STEPS, pct_start=share, anneal_strategy=strategy, div_factor=10.0, final_div_factor=50.0,
                three_phase=phases == 3, cycle_momentum=False,
            ),
        )
        for strategy in ("cos", "linear")
        for share in (0.0, 0.25, 0.3, 0.45)
        for phases in ((2, 3) if share else (2,))
    },
    "one cycle, as it comes": (
        schedules.OneCycle(0.3, STEPS),
        lambda s, o: s.OneCycleLR(o, 0.3, STEPS, cycle_momentum=False),
    ),
    "warm-up": (
        schedules.WarmUp(40, 0.3, 0.1),
        lambda s, o: s.LinearLR(o, 0.1, total_iters=40),
    ),
    "warm-up, then a cosine": (
        schedules.WarmUp(40, schedules.Cosine(0.3, 260, 0.01)),
        lambda s, o: s.SequentialLR(o, [s.LinearLR(o, total_iters=40), s.CosineAnnealingLR(o, 260, 0.01)], [40]),
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:The epoch parameter:UserWarning")
@pytest.mark.parametrize("case", SAME)
def test_rates_of_torch(case: str) -> None:
    """PyTorch works out most of them from the rate before, and so gathers a rounding or two in each step."""
    own, theirs = SAME[case]
    rates = of_torch(theirs)
    np.testing.assert_allclose([own(k) for k in range(STEPS)], rates, rtol=STEPS * 4 * 2.3e-16, atol=1e-14)
    assert len(set(rates)) > STEPS / 10
    assert type(own(0)) is float


def test_what_comes_after_the_end() -> None:
    """The last rate; PyTorch's cosine goes up again, and its cycle raises."""
    assert schedules.Cosine(0.3, 10, 0.02)(10) == schedules.Cosine(0.3, 10, 0.02)(10**9) == 0.02
    cycle = schedules.OneCycle(1.0, 10)
    assert cycle(9) == pytest.approx(1 / 25 / 1e4)
    assert cycle(10**9) == cycle(10) == cycle(9)
    assert schedules.Exponential(1.0, 0.5)(10**6) == 0.0
    assert schedules.Step(1.0, 10**6)(10**6 - 1) == 1.0


@pytest.mark.parametrize(("total", "share"), [(10, 0.1), (1, 1.0), (1, 0.3), (2, 0.5), (10, 1.0)])
def test_a_phase_of_no_length(total: int, share: float) -> None:
    """Where PyTorch may divide by zero."""
    for three in (False, True):
        cycle = schedules.OneCycle(1.0, total, share, three_phase=three)
        rates = [cycle(k) for k in range(total + 2)]
        assert all(0 <= rate <= 1 for rate in rates)
    assert schedules.OneCycle(1.0, 10, 0.1)(0) == 1.0


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "numbers",
    [
        {},
        {"factor": 0.5, "patience": 2},
        {"mode": "max", "patience": 3, "threshold": 0.05},
        {"patience": 1, "threshold": 0.05, "threshold_mode": "abs", "factor": 0.8},
        {"mode": "max", "patience": 0, "threshold_mode": "abs", "cooldown": 4, "factor": 0.9},
        {"patience": 1, "factor": 0.3, "min_lr": 1e-3, "cooldown": 2},
        {"patience": 0, "factor": 0.5, "eps": 1e-3},
    ],
    ids=str,
)
def test_plateau_of_torch(numbers: dict, seed: int) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    sign = -1 if numbers.get("mode") == "max" else 1
    metrics = sign * (1 / np.sqrt(1 + np.arange(STEPS)) + 0.02 * rng.standard_normal(STEPS))
    metrics[[50, 120]] = np.nan, np.inf
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **numbers)
    own = schedules.ReduceOnPlateau(0.3, **numbers)
    rates = set()
    for k, metric in enumerate(metrics):
        assert own(k) == own(0) == optimizer.param_groups[0]["lr"]
        rates.add(own(k))
        theirs.step(metric)
        own.step(metric)
        if k % 100 == 77:
            own = pickle.loads(pickle.dumps(copy.deepcopy(own)))
    assert len(rates) > 3


MADE = [
    schedules.Constant(0.1),
    schedules.Step(0.1, 30, 0.5),
    schedules.Exponential(0.1, 0.99),
    schedules.Cosine(0.1, 100),
    schedules.OneCycle(0.1, 100, anneal_strategy="linear"),
    schedules.WarmUp(10, schedules.Cosine(0.1, 90, min_lr=0.001)),
    schedules.WarmUp(10, 0.1),
    schedules.ReduceOnPlateau(0.1, mode="max", patience=3),
]


@pytest.mark.parametrize("schedule", MADE, ids=lambda schedule: type(schedule).__name__)
def test_shown_as_made_and_copied(schedule) -> None:
    for other in (eval(repr(schedule), vars(schedules)), pickle.loads(pickle.dumps(schedule)), copy.copy(schedule)):
        assert other == schedule
        assert [other(k) for k in range(120)] == [schedule(k) for k in range(120)]


@pytest.mark.parametrize("schedule", MADE, ids=lambda schedule: type(schedule).__name__)
def test_docstring_names_what_is_given_and_raised(schedule) -> None:
    about = type(schedule).__doc__
    assert "Raises TypeError" in about
    assert "ValueError" in about
    assert all(re.search(rf"\b{field.name}\b", about) for field in fields(schedule) if field.init)


@pytest.mark.parametrize("schedule", MADE[:-1], ids=lambda schedule: type(schedule).__name__)
def test_cannot_be_changed(schedule) -> None:
    with pytest.raises(AttributeError):
        schedule.lr = 0.5


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (partial(schedules.Constant, -0.1), ValueError, r"^lr: got -0.1, expected a number in \[0, inf\)"),
        (partial(schedules.Constant, math.nan), ValueError, "^lr: got nan"),
        (partial(schedules.Step, 0.1, 0), ValueError, "^step_size: got 0, expected at least 1"),
        (partial(schedules.Step, 0.1, 2.5), TypeError, "^step_size: got 2.5, expected an integer"),
        (partial(schedules.Step, 0.1, 5, 1.5), ValueError, "^gamma: got 1.5"),
        (partial(schedules.Exponential, 0.1, -0.5), ValueError, "^gamma: got -0.5"),
        (partial(schedules.Cosine, 0.1, 0), ValueError, "^total_steps: got 0"),
        (partial(schedules.Cosine, 0.1, 10, 0.2), ValueError, "^min_lr: got 0.2, expected at most lr, which is 0.1"),
        (partial(schedules.OneCycle, 0.1, 10, 1.1), ValueError, "^pct_start: got 1.1"),
        (partial(schedules.OneCycle, 0.1, 10, anneal_strategy="sine"), ValueError, "^anneal_strategy: got 'sine', "),
        (partial(schedules.OneCycle, 0.1, 10, div_factor=0), ValueError, "^div_factor: got 0"),
        (partial(schedules.Step, 0.1, 5, 1.5), ValueError, r"^gamma: got 1.5, expected a number in \[0, 1\]$"),
        (partial(schedules.OneCycle, 0.1, 10, div_factor=0), ValueError, r"^div_factor: got 0, .* in \(0, inf\)$"),
        (partial(schedules.OneCycle, 0.1, 10, three_phase=1), TypeError, "^three_phase: got 1, expected True or False"),
        (partial(schedules.WarmUp, 0, 0.1), ValueError, "^steps: got 0"),
        (partial(schedules.WarmUp, 5, "0.1"), TypeError, "^after: got '0.1', expected a number"),
        (partial(schedules.WarmUp, 5, schedules.Cosine), TypeError, "^after: got <class"),
        (partial(schedules.WarmUp, 5, 0.1, 2.0), ValueError, "^start_factor: got 2.0"),
        (partial(schedules.ReduceOnPlateau, 0.1, "least"), ValueError, "^mode: got 'least', expected one of 'min'"),
        (partial(schedules.ReduceOnPlateau, 0.1, factor=1.0), ValueError, "^factor: got 1.0"),
        (partial(schedules.ReduceOnPlateau, 0.1, patience=-1), ValueError, "^patience: got -1"),
        (partial(schedules.ReduceOnPlateau, 0.1, threshold_mode="x"), ValueError, "^threshold_mode: got 'x'"),
        (lambda: schedules.ReduceOnPlateau(0.1).step("low"), TypeError, "^metric: got 'low', expected a number"),
        (lambda: schedules.ReduceOnPlateau(0.1).step(None), TypeError, "^metric: got None, expected a number"),
        (lambda: fastnn.Adam(schedules.Cosine), TypeError, "^lr: got <class"),
        (lambda: fastnn.Adam(schedules.Cosine(0.1, 10), eps=-1), ValueError, "^eps: got -1"),
        (lambda: fastnn.Adam(eps=schedules.Constant(0.1)), TypeError, "^eps: got Constant"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused(make, error, message) -> None:
    with pytest.raises(error, match=message):
        make()


BATCH = np.linspace(-1, 1, 60, dtype=np.float32).reshape(12, 5), np.arange(12) % 3


def weights_equal(one, two) -> None:
    for w, v in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_array_equal(w, v)


def rate(steps: int) -> float:
    return 0.1 / (1 + steps)


@pytest.mark.parametrize("make", [fastnn.SGD, fastnn.AdamW, partial(fastnn.RMSprop, momentum=0.5)])
def test_a_step_takes_the_rate_of_its_number(make, dtype) -> None:
    """As if it were set before each step; for batches as the last ones and others, of one row and in parts."""
    one, two, twin = (
        fastnn.MLP((5, 17, 3), dtype=dtype),
        fastnn.MLP((5, 17, 3), dtype=dtype),
        Twin((5, 17, 3), dtype=dtype),
    )
    scheduled, told, theirs = make(lr=rate), make(lr=1.0), make(lr=rate)
    tolerance = 1e3 * float(np.finfo(dtype).eps)
    for k, n in enumerate((12, 12, 1, 1, 200, 12, 12)):
        x, t = np.resize(BATCH[0], (n, 5)).astype(dtype), np.resize(BATCH[1], n)
        told.lr = rate(k)
        loss = one.train_step(x, t, scheduled)
        assert loss == two.train_step(x, t, told)
        assert loss == pytest.approx(twin.train_step(x, t, theirs), rel=tolerance, abs=tolerance)
    weights_equal(one, two)
    for w, v in zip(one.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(w, v, rtol=0, atol=tolerance)


def test_number_and_schedule_by_turns() -> None:
    """After training began, for several nets at different numbers of steps, and after other optimizers."""
    nets, expected = ([fastnn.MLP((5, 17, 3), seed=s) for s in range(2)] for _ in range(2))
    changing, told, other = fastnn.Adam(0.01), [fastnn.Adam(0.01) for _ in nets], fastnn.SGD(0.1)
    steps = [0, 0]

    def train(k: int, number: float | None) -> None:
        told[k].lr = rate(steps[k]) if number is None else number
        assert nets[k].train_step(*BATCH, changing) == expected[k].train_step(*BATCH, told[k])
        steps[k] += 1

    for lr, order in ((0.01, (0, 0, 1)), (rate, (0, 0, 1, 0, 1)), (0.02, (1, 0, 0)), (0.03, (0, 1)), (rate, (1, 0))):
        changing.lr = lr
        assert changing.lr == lr
        for k in order:
            train(k, None if lr is rate else lr)
    nets[0].train_step(*BATCH, other)
    expected[0].train_step(*BATCH, other)
    train(0, None)
    changing.beta1, told[0].beta1 = 0.8, 0.8
    train(0, None)
    changing.amsgrad, told[0].amsgrad = True, True
    train(0, None)
    train(0, None)
    for net, one in zip(nets, expected, strict=True):
        weights_equal(net, one)


@pytest.mark.parametrize("before", [0, 1, 3])
@pytest.mark.parametrize(
    ("value", "error"),
    [
        *((value, ValueError) for value in (math.nan, math.inf, -0.1)),
        *((value, TypeError) for value in (None, "0.1", True)),
    ],
)
def test_a_rate_that_is_none_changes_nothing(value, error, before) -> None:
    class Schedule:
        fails = False

        def __call__(self, steps: int):
            return value if self.fails else 0.1

        def __repr__(self) -> str:
            return "a schedule"

    schedule = Schedule()
    net, optimizer = fastnn.MLP((5, 17, 3)), fastnn.Adam(schedule)
    fresh, another = fastnn.MLP((5, 17, 3)), fastnn.Adam(0.1)
    for _ in range(before):
        net.train_step(*BATCH, optimizer)
        fresh.train_step(*BATCH, another)
    schedule.fails = True
    for _ in range(2):
        with pytest.raises(error, match=f"^lr: got {value!r} from the schedule a schedule after {before} steps"):
            net.train_step(*BATCH, optimizer)
    weights_equal(net, fresh)
    schedule.fails = False
    assert net.train_step(*BATCH, optimizer) == fresh.train_step(*BATCH, another)
    weights_equal(net, fresh)


def test_what_a_schedule_raises_comes_out() -> None:
    def broken(steps: int) -> float:
        raise KeyError("rates")

    net = fastnn.MLP((5, 17, 3))
    with pytest.raises(KeyError, match="rates"):
        net.train_step(*BATCH, fastnn.SGD(broken))
    weights_equal(net, fastnn.MLP((5, 17, 3)))


@pytest.mark.parametrize("value", [1, np.float32(0.5), np.int64(2)])
def test_other_numbers_are_rates_too(value) -> None:
    one, two = fastnn.MLP((5, 17, 3)), fastnn.MLP((5, 17, 3))
    one.train_step(*BATCH, fastnn.SGD(lambda steps: value))
    two.train_step(*BATCH, fastnn.SGD(value))
    weights_equal(one, two)


def test_wrong_batches_are_refused_before_the_schedule_is_asked() -> None:
    asked = []
    net, optimizer = fastnn.MLP((5, 17, 3)), fastnn.SGD(lambda steps: asked.append(steps) or 0.1)
    with pytest.raises(ValueError, match="^x: got shape"):
        net.train_step(np.ones((3, 4), np.float32), BATCH[1][:3], optimizer)
    assert asked == []
    net.train_step(*BATCH, optimizer)
    with pytest.raises(ValueError, match="^t: got label 5"):
        net.train_step(BATCH[0][:1], np.array([5]), optimizer)
    net.train_step(*BATCH, optimizer)
    assert set(asked) == {0, 1}


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
def test_copies_go_on_with_the_schedule(copied) -> None:
    net, optimizer = fastnn.MLP((5, 17, 3)), fastnn.Adam(schedules.Cosine(0.1, 10))
    for _ in range(3):
        net.train_step(*BATCH, optimizer)
    other, own = copied((net, optimizer))
    assert repr(own) == repr(optimizer)
    assert own.lr(4) == optimizer.lr(4)
    for _ in range(2):
        assert other.train_step(*BATCH, own) == net.train_step(*BATCH, optimizer)
    weights_equal(net, other)


def test_reduced_on_a_plateau_between_steps() -> None:
    plateau = schedules.ReduceOnPlateau(0.1, patience=0, factor=0.5)
    one, two = fastnn.MLP((5, 17, 3)), fastnn.MLP((5, 17, 3))
    scheduled, told = fastnn.SGD(plateau), fastnn.SGD(0.1)
    for k in range(4):
        assert one.train_step(*BATCH, scheduled) == two.train_step(*BATCH, told)
        plateau.step(1.0)
        told.lr = 0.1 * 0.5**k
    weights_equal(one, two)


def test_public_functions_take_numbers_alone() -> None:
    w, g = np.ones(3), np.ones(3)
    with pytest.raises(TypeError, match="^lr: got Constant"):
        fastnn.sgd_update(w, g, lr=schedules.Constant(0.1))
