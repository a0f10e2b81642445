"""The verification passes what rounding explains and catches what it does not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks import verify
from benchmarks.cases import Case, Model
from benchmarks.peers.base import Formulation
from benchmarks.peers.notes import Notes
from benchmarks.peers.tuned_numpy import TunedNumPy
from benchmarks.verify import Expectation, Verdict, expect, steps_of
from fastnn import Adam
from fastnn.reference.mlp import MLP

MODELS = {
    "sgd": Model((64, 50, 10), "sigmoid", "sgd", lr=0.1),
    "adam": Model((64, 128, 10), "relu", "adam", lr=1e-3),
}
RNG = np.random.default_rng(7)
X = RNG.random((2048, 64), np.float32) * (RNG.random((2048, 64)) < 0.5)  # half of the pixels are exactly 0
T = RNG.integers(0, 10, 2048)


def expectation(case: Case, formulation: Formulation = TunedNumPy.formulation) -> Expectation:
    return expect(case, case.model.initial_weights(case.dtype), case.batches(X, T), formulation)


def trained(case: Case, peer: type = TunedNumPy) -> tuple[list[float], list[NDArray]]:
    model = peer(case, case.model.initial_weights(case.dtype), peer.prepare(case, case.batches(X, T)))
    return [model.loss(model.step(k)) for k in range(steps_of(case))], model.weights()


def verdict(case: Case, peer: type = TunedNumPy) -> Verdict:
    return expectation(case, peer.formulation).judge(*trained(case, peer))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", MODELS)
@pytest.mark.parametrize("batch_size", [1, 3, 32, 1000])
def test_a_right_implementation_is_far_within_the_tolerance(optimizer: str, batch_size: int, dtype: str):
    found = verdict(Case(MODELS[optimizer], batch_size, dtype))
    assert not found.reason
    assert found.error < 0.3


@pytest.mark.parametrize("optimizer", MODELS)
def test_the_tolerance_is_a_small_part_of_what_training_changes(optimizer: str):
    expected = expectation(Case(MODELS[optimizer], 32))
    for tolerance, update in zip(expected.norm_tolerances, expected.updates, strict=True):
        assert tolerance < 0.01 * np.linalg.norm(update)
    assert (expected.loss_tolerances < 1e-3 * expected.losses).all()


# Each changes a sound implementation into one with a mistake that people make.
def _negated_hidden_gradient(model: TunedNumPy) -> None:
    sound = model._differentiate
    model._differentiate = lambda delta, *rest: (sound(delta, *rest), np.negative(delta, out=delta))


def _without_derivative(model: TunedNumPy) -> None:
    model._differentiate = lambda *_: None


def _frozen(k: int) -> Callable[[TunedNumPy], None]:
    """The k-th array is never updated."""

    def forget(model: TunedNumPy) -> None:
        update, kept = model._update, model._params[k].copy()
        model._update = lambda: (update(), np.copyto(model._params[k], kept))

    return forget


def _sum_for_mean(model: TunedNumPy) -> None:
    sound = model._softmax_cross_entropy

    def summed(z: NDArray, t: NDArray, delta: NDArray) -> float:
        loss = sound(z, t, delta)
        delta *= len(z)
        return loss

    model._softmax_cross_entropy = summed


def _rate(factor: float) -> Callable[[TunedNumPy], None]:
    def scale(model: TunedNumPy) -> None:
        model._lr *= factor

    return scale


def _without_bias_correction(model: TunedNumPy) -> None:
    update = model._update
    model._update = lambda: (setattr(model, "_steps", 10**6), update())


def _bias_correction_one_step_late(model: TunedNumPy) -> None:
    model._steps = 1


def _moments(**betas: float) -> Callable[[TunedNumPy], None]:
    def use(model: TunedNumPy) -> None:
        update = model._update
        model._update = lambda: update(**betas)

    return use


MISTAKES = [
    pytest.param("sgd", _negated_hidden_gradient, id="sgd, a sign in the hidden gradient"),
    pytest.param("adam", _negated_hidden_gradient, id="adam, a sign in the hidden gradient"),
    pytest.param("sgd", _without_derivative, id="sgd, no derivative of the activation"),
    pytest.param("adam", _without_derivative, id="adam, no derivative of the activation"),
    *(pytest.param(name, _frozen(k), id=f"{name}, array {k} forgotten") for name in MODELS for k in range(4)),
    pytest.param("sgd", _sum_for_mean, id="sgd, sum for mean"),
    pytest.param("sgd", _rate(1.001), id="sgd, rate off by a thousandth"),
    pytest.param("sgd", _rate(-1.0), id="sgd, ascent"),
    pytest.param("adam", _rate(1.001), id="adam, rate off by a thousandth"),
    pytest.param("adam", _rate(-1.0), id="adam, ascent"),
    pytest.param("adam", _without_bias_correction, id="adam, no bias correction"),
    pytest.param("adam", _bias_correction_one_step_late, id="adam, bias correction one step late"),
    pytest.param("adam", _moments(beta1=0.91), id="adam, another beta1"),
    pytest.param("adam", _moments(beta2=0.99), id="adam, another beta2"),
    pytest.param("adam", _moments(epsilon=1e-4), id="adam, another epsilon"),
]


@pytest.mark.parametrize(("batch_size", "slow_flops"), [(32, 2e9), (512, 2e9), (32, 0)])
@pytest.mark.parametrize(("optimizer", "mistake"), MISTAKES)
def test_a_mistake_is_caught(
    optimizer: str,
    mistake: Callable[[TunedNumPy], None],
    batch_size: int,
    slow_flops: float,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(verify, "SLOW_FLOPS", slow_flops)

    class Mistaken(TunedNumPy):
        def __init__(self, *arguments) -> None:
            super().__init__(*arguments)
            mistake(self)

    with np.errstate(over="ignore"):  # some mistakes diverge
        found = verdict(Case(MODELS[optimizer], batch_size), Mistaken)
    assert found.reason
    assert found.error > 3


FEW = Case(MODELS["adam"], 3)  # rows, of which one alone may reach a unit
ROW, UNIT = 0, 5


def on_a_kink(side: float) -> list[NDArray]:
    """Initial weights with which one unit's pre-activation is zero but for rounding on a row of the first step; moved
    by `side` units of roundoff of its terms."""
    weights = FEW.model.initial_weights(FEW.dtype)
    x, _ = FEW.batches(X, T)[0]
    terms = x[ROW].astype(np.float64) * weights[0][:, UNIT]
    weights[1][UNIT] = -terms.sum() + side * np.finfo(np.float32).eps * np.abs(terms).max()
    return weights


@pytest.mark.parametrize("side", [-2, 2])
@pytest.mark.parametrize("mistake", [mistake.values[1] for mistake in MISTAKES if mistake.values[0] == "adam"])
def test_a_mistake_is_caught_on_a_kink_as_well(side: float, mistake: Callable[[TunedNumPy], None]):
    batches, weights = FEW.batches(X, T), on_a_kink(side)
    model = TunedNumPy(FEW, weights, TunedNumPy.prepare(FEW, batches))
    mistake(model)
    losses = [model.loss(model.step(k)) for k in range(steps_of(FEW))]
    found = expect(FEW, weights, batches, TunedNumPy.formulation).judge(losses, model.weights())
    assert found.reason
    assert found.error > 3


class OtherSide(MLP):
    """The reference, but that the slope of one element of the first step is from the other side of the kink."""

    def _activation_backward(self, hidden: int, dy: NDArray, x: NDArray, y: NDArray) -> NDArray:
        found = super()._activation_backward(hidden, dy, x, y)
        if hidden == 0 and self._steps == 0:
            found[ROW, UNIT] = 0 if x[ROW, UNIT] > 0 else dy[ROW, UNIT]
        return found


def other_side(distance: float) -> Verdict:
    """Of a net that takes the other side, so far from the kink."""
    batches, weights = FEW.batches(X, T), on_a_kink(distance)
    net, optimizer = OtherSide(FEW.model.sizes, activation="relu", dtype="float64"), Adam(FEW.model.lr)
    net.set_weights(weights)
    losses = [net.train_step(x, t, optimizer) for x, t in batches[: steps_of(FEW)]]
    return expect(FEW, weights, batches, TunedNumPy.formulation).judge(losses, net.get_weights())


def test_either_side_of_a_kink_is_right_within_rounding_alone(monkeypatch: pytest.MonkeyPatch):
    assert [other_side(side).reason for side in (-2, 2)] == ["", ""]
    assert min(other_side(2000 * side).error for side in (-2, 2)) > 3
    monkeypatch.setattr(verify, "MOST_TURNED", 0)
    # By chance the nudged run is on that side too, and then the tolerance has room for it.
    assert max(other_side(side).error for side in (-2, 2)) > 3


@pytest.mark.parametrize("optimizer", MODELS)
def test_another_formulation_is_told_from_a_mistake(optimizer: str):
    """The notes' 1e-7 inside the logarithm and beside Adam's root are beyond rounding, in float64 by far."""
    case = Case(MODELS[optimizer], 32, "float64")
    assert verdict(case, Notes).error < 0.3
    assert expectation(case, Formulation()).judge(*trained(case, Notes)).error > 100


def test_a_share_of_the_tolerance_grows_with_the_error():
    case = Case(MODELS["sgd"], 32)
    losses, weights = trained(case)
    expected = expectation(case)
    off = [losses[0] + 2 * expected.loss_tolerances[0], *losses[1:]]
    assert expected.judge(off, weights).error == pytest.approx(2, abs=0.2)
    assert "the loss of step 1 is off by" in expected.judge(off, weights).reason
