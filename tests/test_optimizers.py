"""Hyper-parameters are checked when they are set, shown, and read back as they were given."""

from __future__ import annotations

import copy
import gc
import inspect
import pickle
from functools import partial

import numpy as np
import pytest

import fastnn
from fastnn import scalar_checks
from fastnn.optimizers import Hyper, Optimizer, UpdateRule
from fastnn.reference.mlp import MLP as Twin
from tests.optimizers.forms import FORMS, make


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: fastnn.SGD(lr=-0.1), r"^lr: got -0.1, expected a number in \[0, inf\)"),
        (lambda: fastnn.SGD(lr=float("nan")), "^lr: got nan"),
        (lambda: fastnn.SGD(lr=float("inf")), "^lr: got inf"),
        (lambda: fastnn.SGD(0.1, momentum=1.0), r"^momentum: got 1.0, expected a number in \[0, 1\)"),
        (lambda: fastnn.SGD(0.1, weight_decay=-1), "^weight_decay: got -1"),
        (lambda: fastnn.SGD(0.1, nesterov=True), "^nesterov: got True with a momentum of 0"),
        (
            lambda: fastnn.SGD(0.1, momentum=0.9, nesterov=True, dampening=0.5),
            "^nesterov: got True with a dampening of",
        ),
        (lambda: fastnn.Adam(beta2=1.5), "^beta2: got 1.5"),
        (lambda: fastnn.Adagrad(lr_decay=-0.1), "^lr_decay: got -0.1"),
        (lambda: fastnn.RMSprop(alpha=1.0), "^alpha: got 1.0"),
        (lambda: fastnn.Adadelta(rho=1.0), "^rho: got 1.0"),
        (lambda: fastnn.NAdam(momentum_decay=-1), "^momentum_decay: got -1"),
        (lambda: fastnn.Adam(eps=-1e-8), "^eps: got -1e-08"),
    ],
)
def test_out_of_range(make, message) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_wrong_type() -> None:
    with pytest.raises(TypeError, match="^lr: got '0.1', expected a number"):
        fastnn.SGD(lr="0.1")
    with pytest.raises(TypeError, match="^nesterov: got 1, expected True or False"):
        fastnn.SGD(0.1, momentum=0.9, nesterov=1)


def test_refused_change_keeps_the_old_value() -> None:
    optimizer = fastnn.Adam(lr=0.01)
    with pytest.raises(ValueError, match="^lr: got -1"):
        optimizer.lr = -1
    assert optimizer.lr == 0.01


def test_shown_as_made() -> None:
    for optimizer in map(make, FORMS):
        assert repr(eval(repr(optimizer), vars(fastnn))) == repr(optimizer)


def test_assignment_refuses_what_the_constructor_refuses() -> None:
    optimizer = fastnn.SGD(0.1, momentum=0.9, nesterov=True)
    with pytest.raises(ValueError, match="^nesterov: got True with a momentum of 0"):
        optimizer.momentum = 0.0
    assert optimizer.momentum == 0.9


@pytest.mark.parametrize("name", ["learning_rate", "hyper", "rule", "values", "step"])
def test_attributes_that_do_not_exist_cannot_be_set(name) -> None:
    with pytest.raises(AttributeError, match=f"^{name}: Adam has no such hyper-parameter, expected one of lr, beta1"):
        setattr(fastnn.Adam(), name, 1)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (
            lambda: fastnn.Adam(learning_rate=1),
            r"^learning_rate: Adam has .* lr, .*; did you mean lr\?$",
        ),
        (lambda: fastnn.Adam(beta_2=0.9), r"; did you mean beta2\?$"),
        (lambda: fastnn.AdamW(weight_decy=0.1), r"^weight_decy: AdamW .*; did you mean weight_decay\?$"),
        (lambda: fastnn.SGD(beta_2=0.9), "^beta_2: SGD has no such hyper-parameter, expected one of lr, .*clip_norm$"),
        (lambda: fastnn.SGD(0.1, lr=0.1), "^SGD: multiple values for argument 'lr', expected lr, momentum"),
        (lambda: fastnn.SGD(*range(9)), "^SGD: too many positional arguments, expected lr, momentum"),
    ],
)
def test_arguments_that_do_not_exist(made, message) -> None:
    with pytest.raises(TypeError, match=message):
        made()


CLASSES = {name: kind for name, kind in vars(fastnn).items() if isinstance(kind, type) and issubclass(kind, Optimizer)}


@pytest.mark.parametrize("kind", CLASSES.values(), ids=CLASSES)
def test_docstring_and_signature_name_every_hyper_parameter(kind) -> None:
    """With its range, which a number beyond it is told in the same words."""
    assert list(inspect.signature(kind).parameters) == list(kind.hyper)
    text = " ".join(kind.__doc__.split())
    for name, hyper in kind.hyper.items():
        about = text.partition(f" {name} : ")[2]
        assert f"by default {hyper.default!r}. {hyper.check.__doc__.split()[0]}" in about[:60]
        with pytest.raises((TypeError, ValueError)) as refused:
            kind(**{name: -1})
        expected = {
            "expected a number in [0, inf)": "A number of at least 0",
            "expected a number in (0, inf)": "A number above 0, or None",
            "expected a number in [0, 1)": "A number in [0, 1).",
            "expected True or False": "True or False.",
        }[str(refused.value).partition(", ")[2]]
        assert expected in about[:100]
    assert "Raises TypeError" in text
    assert "ValueError" in text.partition("Raises TypeError")[2]


def test_docstring_has_the_symbol_of_the_formula() -> None:
    assert "\nbeta1 : β₁, by default 0.9. A number in [0, 1).\n" in fastnn.Adam.__doc__
    assert "\nclip_norm : by default None. A number above 0, or None for no bound. The whole" in fastnn.Adam.__doc__


def test_docstring_of_a_class_of_ones_own() -> None:
    class Slower(fastnn.AdamW):
        lr = Hyper(1e-5, lambda name, value: value)
        patience = Hyper(3, partial(scalar_checks.count, low=1), "How long it waits.")

    class Documented(Slower):
        """Slower still."""

    for kind, first in ((Slower, "AdamW ("), (Documented, "Slower still.\n\nlr : ")):
        assert kind.__doc__.startswith(first)
        assert "\nlr : by default 1e-05.\nbeta1 : " in kind.__doc__
        assert "\npatience : by default 3. How long it waits.\n" in kind.__doc__
        assert kind.__doc__.count("weight_decay : ") == 1


BATCH = np.linspace(-1, 1, 60, dtype=np.float32).reshape(12, 5), np.arange(12) % 3


def trained(form: str, steps: int, dtype: str = "float32"):
    net, optimizer = fastnn.MLP((5, 17, 3), dtype=dtype), make(form)
    for _ in range(steps):
        net.train_step(BATCH[0].astype(dtype), BATCH[1], optimizer)
    return net, optimizer


COPIES = {"deepcopy": copy.deepcopy, "pickle": lambda pair: pickle.loads(pickle.dumps(pair))}


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize("form", FORMS)
def test_a_net_and_its_optimizer_go_on_together(form, copied, dtype) -> None:
    """As pickled by joblib, or as a checkpoint; twice, for the first copy was not trained since."""
    net, optimizer = copied(copied(trained(form, 3, dtype)))
    assert repr(optimizer) == repr(make(form))
    for _ in range(2):
        net.train_step(BATCH[0].astype(dtype), BATCH[1], optimizer)
    expected, _ = trained(form, 5, dtype)
    for w, v in zip(net.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(w, v)


def test_a_number_that_the_rule_does_not_use_can_be_set() -> None:
    """Plain descent has no momentum: after training, it can still be told so."""
    net, optimizer = trained("SGD", 2)
    optimizer.momentum, optimizer.nesterov = 0.0, False
    assert repr(optimizer) == repr(make("SGD"))
    net.train_step(*BATCH, optimizer)
    expected, _ = trained("SGD", 3)
    for w, v in zip(net.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(w, v)


def test_an_optimizer_pickles_alone() -> None:
    for optimizer in (fastnn.Adam(0.01), trained("Adam", 2)[1]):
        other = pickle.loads(pickle.dumps(optimizer))
        assert repr(other) == repr(optimizer)
        other.lr = 0.5
        assert optimizer.lr != 0.5


def test_a_shallow_copy_has_a_rate_and_moments_of_its_own() -> None:
    net, optimizer = trained("Adam", 3)
    copied, other = copy.copy(optimizer), copy.deepcopy(net)
    copied.lr = 0.5
    assert optimizer.lr == FORMS["Adam"]["lr"]
    copied.lr = optimizer.lr
    first = net.get_weights()
    net.train_step(*BATCH, copied)
    expected, _ = trained("Adam", 4)
    np.testing.assert_array_equal(net.get_weights()[0], expected.get_weights()[0])
    net.set_weights(first)
    net.train_step(*BATCH, optimizer)  # whose moments the copy's step left alone
    np.testing.assert_array_equal(net.get_weights()[0], expected.get_weights()[0])
    assert other is not net


@pytest.mark.parametrize("n", [1, 12, 300])
@pytest.mark.parametrize("form", FORMS)
def test_a_rate_of_zero_changes_no_weight(form, n, dtype) -> None:
    """As at the end of a cosine or the start of a warm-up."""
    net, optimizer = trained(form, 3, dtype)
    before = net.get_weights()
    optimizer.lr = 0.0
    x, t = np.resize(BATCH[0], (n, 5)).astype(dtype), np.resize(BATCH[1], n)
    net.train_step(x, t, optimizer)
    for w, v in zip(net.get_weights(), before, strict=True):
        np.testing.assert_array_equal(w, v)


def test_state_goes_with_its_net() -> None:
    optimizer, net = fastnn.Adam(), fastnn.MLP((3, 2))
    net.train_step(np.ones((1, 3), np.float32), np.array([0]), optimizer)
    assert len(optimizer._states) == 1
    del net
    gc.collect()
    assert len(optimizer._states) == 0


# Pairs of forms of one class whose rules differ, and what turns the one into the other.
CHANGES = {
    "amsgrad": ("Adam", {"amsgrad": True}),
    "amsgrad, decoupled": ("AdamW", {"amsgrad": True}),
    "momentum": ("RMSprop", {"momentum": 0.8}),
    "centered": ("RMSprop, momentum", {"centered": True}),
    "decoupled": ("NAdam", {"decoupled_weight_decay": True}),
    "dampening": ("SGD, momentum", {"dampening": 0.4}),
}


@pytest.mark.parametrize("case", CHANGES)
def test_flags_can_change_between_steps(case) -> None:
    """Moments that both rules have go on, others begin at zero; and back."""
    form, numbers = CHANGES[case]
    net, own, theirs = fastnn.MLP((5, 17, 3), dtype="float64"), make(form), make(form)
    twin = Twin((5, 17, 3), dtype="float64")
    before = {name: getattr(own, name) for name in numbers}
    for changed in ({}, numbers, before, numbers):
        for optimizer in (own, theirs):
            for name, value in changed.items():
                setattr(optimizer, name, value)
        for n in (12, 1):
            x, t = BATCH[0][:n].astype("float64"), BATCH[1][:n]
            assert net.train_step(x, t, own) == pytest.approx(twin.train_step(x, t, theirs), rel=1e-12)
    for w, v in zip(net.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(w, v, rtol=0, atol=1e-13)


@pytest.mark.parametrize("form", [form for form in FORMS if "eps" in FORMS[form]])
@pytest.mark.parametrize("n", [1, 3, 65])
def test_padding_takes_no_part_without_eps(form, n, dtype, rng) -> None:
    """Without eps, 0 is divided by 0 where weights are padded, and nowhere else."""
    net, optimizer = fastnn.MLP((20, 70, 59, 4), "tanh", "mean_squared_error", dtype=dtype), make(form)
    optimizer.eps, optimizer.lr = 0.0, 1e-4
    for _ in range(3):
        x, t = (rng.standard_normal((n, width)).astype(dtype) for width in (20, 4))
        assert np.isfinite(net.train_step(x, t, optimizer))
        assert all(np.isfinite(w).all() for w in net.get_weights())


def test_what_another_thread_sets_while_a_net_is_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels may be compiled then, which takes long."""
    x, t = np.random.default_rng(0).standard_normal((9, 5)).astype(np.float32), np.arange(9) % 3
    optimizer, told = fastnn.SGD(0.1), fastnn.SGD(lambda steps: 0.5, clip_norm=0.01)
    net, expected = fastnn.MLP((5, 17, 3)), fastnn.MLP((5, 17, 3))
    addresses = UpdateRule.addresses

    def set_meanwhile(rule: UpdateRule, real: object, near: bool) -> dict[str, int]:
        found = addresses(rule, real, near)
        if optimizer.clip_norm is None:
            optimizer.clip_norm, optimizer.lr = 0.01, told.lr
        return found

    monkeypatch.setattr(UpdateRule, "addresses", set_meanwhile)
    for _ in range(2):
        assert net.train_step(x, t, optimizer) == expected.train_step(x, t, told)
    for w, v in zip(net.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(w, v)


def test_a_schedule_that_another_thread_replaces_by_a_number_before_it_is_asked() -> None:
    x, t = np.zeros((9, 5), np.float32), np.arange(9) % 3
    net, optimizer = fastnn.MLP((5, 17, 3)), fastnn.SGD(lambda steps: 0.5)
    net.train_step(x, t, optimizer)
    state = optimizer.state(net)
    optimizer.lr = 0.25
    state.ask(optimizer)
    assert state.hyper[0] == 0.25


def test_a_schedule_that_another_thread_replaces_by_a_number_while_it_is_asked() -> None:
    def schedule(steps: int) -> float:
        if steps == 1:
            optimizer.lr = 0.25
        return 0.5

    x, t = np.zeros((9, 5), np.float32), np.arange(9) % 3
    net, optimizer = fastnn.MLP((5, 17, 3)), fastnn.SGD(schedule)
    for _ in range(2):
        net.train_step(x, t, optimizer)
    assert optimizer.state(net).hyper[0] == 0.25
