"""Nets and what trains them, as words of the command line."""

from __future__ import annotations

import math

import pytest

from fastnn import schedules
from fastnn.activations import Activation
from fastnn.cli import choices
from fastnn.cli.errors import UsageError
from fastnn.losses import Loss
from fastnn.optimizers import SGD, Adam, AdamW


def test_every_item_of_the_catalogue_is_a_choice() -> None:
    for name in Activation.by_name:
        assert choices.activation(name).argument == name
    for name in Loss.by_name:
        assert choices.loss(name).argument == name
    for name, kind in choices.OPTIMIZERS.items():
        assert type(choices.optimizer(name, None)) is kind
    assert set(choices.OPTIMIZERS) >= {"sgd", "adam", "adamw", "adamax", "rmsprop", "nadam", "lion", "adadelta"}
    assert set(choices.SCHEDULES) == {"step", "exponential", "cosine", "one_cycle", "reduce_on_plateau"}


def test_options() -> None:
    assert choices.activation("leaky_relu:negative_slope=0.2").argument == ("leaky_relu", 0.2)
    chosen = choices.loss("softmax_cross_entropy:class_weight=[1,3.5],label_smoothing=0.1,reduction=sum")
    assert chosen.class_weight == (1, 3.5)
    assert chosen.options == {"label_smoothing": 0.1, "class_weight": [1, 3.5], "reduction": "sum"}
    made = choices.optimizer("SGD:momentum=0.9,nesterov=true,clip_norm=1", 0.5)
    assert repr(made) == repr(SGD(lr=0.5, momentum=0.9, nesterov=True, clip_norm=1.0))
    assert repr(choices.optimizer("adamw", None)) == repr(AdamW())


@pytest.mark.parametrize(
    ("choose", "text", "message"),
    [
        (choices.activation, "rleu", r"^--activation: got 'rleu', expected one of .*'relu'"),
        (choices.activation, "relu:slope=1", r"^--activation: got .* expected 'relu' alone"),
        (choices.activation, "leaky_relu:slope", r"^--activation: got 'leaky_relu:slope', expected NAME or"),
        (choices.loss, "hubert", r"^--loss: got 'hubert', expected one of .*'huber'"),
        (choices.loss, "huber:delta=-1", r"^--loss: delta: got -1"),
        (choices.loss, "huber:beta=1", r"^--loss: got the option 'beta' of huber, expected one of 'delta'"),
        (lambda text: choices.optimizer(text, None), "adm", r"^--optimizer: got 'adm', expected one of .*adam"),
        (lambda text: choices.optimizer(text, None), "adam:beta=1", r"^--optimizer: adam has no option 'beta'.*beta1"),
        (lambda text: choices.optimizer(text, None), "adam:beta1=2", r"^--optimizer: beta1: got 2"),
        (lambda text: choices.optimizer(text, None), "adam:lr=2", r"^--optimizer: .* option --lr"),
        (lambda text: choices.optimizer(text, -1.0), "adam", r"^--lr: got -1.0, expected a number"),
    ],
)  # fmt: skip
def test_refusals_name_the_option(choose, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        choose(text)


def test_schedules() -> None:
    def made(schedule: str | None, warm_up: str | None = None) -> object:
        return choices.schedule(schedule, warm_up, 0.5, 10, 20)

    assert made(None) == 0.5
    assert made("cosine") == schedules.Cosine(0.5, 200)
    assert made("cosine:total_steps=50,min_lr=0.1") == schedules.Cosine(0.5, 50, 0.1)
    assert made("step:step_size=2epochs,gamma=0.5") == schedules.Step(0.5, 40, 0.5)
    assert made("one_cycle") == schedules.OneCycle(0.5, 200)
    assert made("reduce_on_plateau:patience=3") == schedules.ReduceOnPlateau(0.5, patience=3)
    assert made("cosine", "1epoch") == schedules.WarmUp(20, schedules.Cosine(0.5, 180))
    assert made(None, "0") == 0.5
    assert made(None, "30") == schedules.WarmUp(30, 0.5)


def test_a_cosine_after_a_warm_up_ends_with_the_training() -> None:
    rate = choices.schedule("cosine", "30", 0.5, 10, 20)
    assert rate(30) == 0.5
    assert math.isclose(rate(200), 0, abs_tol=1e-12)
    assert rate(199) > 0


@pytest.mark.parametrize(
    ("schedule", "warm_up", "message"),
    [
        ("cosin", None, r"^--schedule: got 'cosin', expected one of .*cosine"),
        ("cosine:lr=1", None, r"^--schedule: cosine has the options total_steps, min_lr, got lr"),
        ("step", None, r"^--schedule: step has no default for step_size; write step:step_size=VALUE"),
        ("step:step_size=0", None, r"^--schedule: step_size: got 0, expected at least 1"),
        ("step:step_size=2weeks", None, r"^--schedule: step_size: got '2weeks', expected an integer"),
        (None, "soon", r"^--warm-up: got 'soon', expected a number of steps"),
    ],
)
def test_schedules_that_are_none(schedule: str | None, warm_up: str | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        choices.schedule(schedule, warm_up, 0.5, 10, 20)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("128", (64, 128, 10)),
        ("128-32", (64, 128, 32, 10)),
        ("64", (64, 64, 10)),
        ("64-50-10", (64, 50, 10)),
        ("64-10", (64, 10)),
        ("x-64-10-x", (64, 64, 10, 10)),
        ("x-128-10", (64, 128, 10)),
        ("x-x", (64, 10)),
        ("128-32-16", (64, 128, 32, 16, 10)),
    ],
)
def test_widths(text: str, expected: tuple[int, ...]) -> None:
    assert choices.widths(text, 64, 10) == expected


@pytest.mark.parametrize("text", ["784-128-10", "64-128-11", "x", "x-128", "128-x", "x-128-11"])
def test_widths_that_do_not_fit_the_data(text: str) -> None:
    with pytest.raises(
        UsageError, match=r"^--layers: got .* 64 inputs and takes 10 outputs; write 64-128-10, or x-.*-x"
    ):
        choices.widths(text, 64, 10)


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("8-128-64-1", "write 8-128-64-2, or --loss sigmoid_cross_entropy for one output"),
        ("8-128-64-3", "write 8-128-64-2, or x-8-128-64-3-x for these hidden layers"),
        ("7-128-64-2", "write 8-128-64-2, or x-7-128-64-2-x for these hidden layers"),
    ],
)
def test_widths_that_are_nearly_right(text: str, advice: str) -> None:
    with pytest.raises(UsageError, match=f"2 outputs; {advice}$"):
        choices.widths(text, 8, 2)


@pytest.mark.parametrize("text", ["", "128-", "128--10", "-1", "1x", "0", "64-x-10", "a-b", "128,10"])
def test_widths_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match=r"^--layers: got .* expected widths such as 64-128-10"):
        choices.widths(text, 64, 10)


def test_the_default_rate_is_that_of_the_class() -> None:
    assert choices.optimizer("adam", None).values["lr"] == Adam().lr
