"""Is a peer right? Its first steps are compared with those of the NumPy twin in float64, before it is timed.

What rounding may change is derived, not tuned. A sum of L products, rounded to unit roundoff u, is off by more than
lambda * sqrt(L) * u of its terms' size with a probability below 2 exp(-lambda**2 / 2) (Higham and Mary, SIAM J. Sci.
Comput. 41, 2019). So a sound implementation computes what the exact one would from inputs nudged by that much, and the
tolerance of each result is how far it moves when they are: the same trajectory is run in float64 a second time with
every input and initial weight nudged at random by lambda * sqrt(L) * u. That carries each case's own conditioning,
also that of Adam, whose step is a matter of sign where a gradient is all but zero.

What rounding decides with a yes or a no is not a matter of tolerance: on which side of a kink an element lies that
rounding may put on either (`benchmarks.kinks`). A peer that is off is compared again with the reference as it would
be had one such element been taken for the other, then another; it is right if it agrees with one of these, within the
same tolerances.

Chance is left out: dropout is verified at a fraction so small that it drops nothing, by the code that drops.

Compared are the loss of every step and, for every parameter array, the change since the start: its norm (which an
error in a few large elements moves) and the median (which an error in many small ones moves).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastnn
from benchmarks.cases import Case, Model
from benchmarks.kinks import Element, KinkedMLP
from benchmarks.peers.base import Batch, Formulation
from benchmarks.recipes import OPTIMIZERS
from fastnn import Adam, Optimizer, cross_entropy
from fastnn.reference.mlp import MLP

STEPS = 5  # enough that a wrong bias correction or moment shows
SLOW_STEPS = 2  # the least that show them, where a step takes more operations or updates more parameters than these
SLOW_FLOPS, SLOW_PARAMETERS = 2e9, 1e6
ADAM_BETA2 = 0.999  # everyone's default
CONFIDENCE = 8.0  # the lambda above: one failure by chance in 4e13
MOST_TURNED = 16  # elements on a kink that are tried the other way, the closest first


@dataclass(frozen=True)
class Verdict:
    """`error`: the largest error / tolerance, None if an error is not finite; `reason`: "" if the peer is right."""

    error: float | None
    reason: str = ""


@dataclass(frozen=True)
class Trajectory:
    """What the reference returned, with the elements that were on a kink and how close."""

    losses: NDArray  # (steps,), nats
    updates: list[NDArray]  # final weights less initial ones
    doubtful: dict[Element, float]


@dataclass(frozen=True)
class Expectation:
    """What a right implementation returns for one case, and how far rounding may move it."""

    initial: list[NDArray]
    losses: NDArray  # (steps,), nats
    loss_tolerances: NDArray
    updates: list[NDArray]  # final weights less initial ones
    norm_tolerances: list[float]
    median_tolerances: list[float]
    # The same with the slopes of some elements from the other side of a kink.
    turned: Callable[[frozenset[Element]], Trajectory]

    def judge(self, losses: list[float], weights: list[NDArray]) -> Verdict:
        """Compare one loss per step (nats) and the weights after the last step."""
        if len(losses) != len(self.losses):
            return Verdict(None, f"returned {len(losses)} losses for {len(self.losses)} steps")
        if [np.shape(w) for w in weights] != [w.shape for w in self.initial]:
            return Verdict(None, f"has weights of shapes {[np.shape(w) for w in weights]}")
        ratios = self._ratios(losses, weights, self.losses, self.updates)
        verdict = _verdict(ratios)
        return self._turning(losses, weights, ratios) if verdict.reason and verdict.error else verdict

    def _turning(self, losses: list[float], weights: list[NDArray], ratios: dict[str, float]) -> Verdict:
        """Compare with the reference that takes elements on a kink as the peer seems to.

        One element after the other is turned, and stays so if the peer is then closer.
        """
        turned, tried = frozenset[Element](), set[Element]()
        doubtful = self.turned(turned).doubtful
        while len(tried) < MOST_TURNED and (left := doubtful.keys() - tried):
            element = min(left, key=doubtful.__getitem__)
            tried.add(element)
            other = self.turned(turned | {element})
            closer = self._ratios(losses, weights, other.losses, other.updates)
            if not (verdict := _verdict(closer)).reason:
                return verdict
            if sum(closer.values()) < sum(ratios.values()):
                turned, doubtful, ratios = turned | {element}, other.doubtful, closer
        return _verdict(ratios)

    def _ratios(
        self, losses: list[float], weights: list[NDArray], expected: NDArray, updates: list[NDArray]
    ) -> dict[str, float]:
        """Each error divided by its tolerance."""
        ratios = {
            f"the loss of step {k + 1}": float(abs(loss - right) / tolerance)
            for k, (loss, right, tolerance) in enumerate(zip(losses, expected, self.loss_tolerances, strict=True))
        }
        for k, (w, start, update) in enumerate(zip(weights, self.initial, updates, strict=True)):
            error = np.asarray(w, np.float64) - start - update
            name = parameter_name(k)
            ratios[f"the change of {name} (norm)"] = float(np.linalg.norm(error)) / self.norm_tolerances[k]
            ratios[f"the change of {name} (median)"] = _median_change(error, update) / self.median_tolerances[k]
        return ratios


def _verdict(ratios: dict[str, float]) -> Verdict:
    """Of the largest error."""
    for what, ratio in ratios.items():
        if not np.isfinite(ratio):
            return Verdict(None, f"{what} is not finite")
    what = max(ratios, key=ratios.__getitem__)
    error = float(ratios[what])
    return Verdict(error) if error <= 1 else Verdict(error, f"{what} is off by {error:.3g} times the tolerance")


def parameter_name(k: int) -> str:
    """Of the k-th array of a list of weights: w1, b1, w2, ..."""
    return f"{'wb'[k % 2]}{k // 2 + 1}"


def steps_of(case: Case) -> int:
    """How many steps of a case are verified."""
    slow = case.flops > SLOW_FLOPS or case.model.parameter_count > SLOW_PARAMETERS
    return SLOW_STEPS if slow else STEPS


def expect(
    case: Case, weights: list[NDArray], batches: list[Batch], formulation: Formulation, steps: int = 0
) -> Expectation:
    """Run the reference twice, exactly and nudged, from `weights` in the case's dtype over so many steps round the
    batches, `steps_of(case)` where that is 0."""
    steps = steps or steps_of(case)
    unit = float(np.finfo(case.dtype).eps) / 2
    longest = max(*case.model.sizes, case.batch_size)
    nudge = CONFIDENCE * np.sqrt(longest) * unit
    rng = np.random.default_rng(0)

    def nudged(values: NDArray) -> NDArray:
        noise = rng.random(values.shape, np.float32) * 2 - 1  # drawn in float32: cheaper, and random enough
        return values * (1 + nudge * noise.astype(np.float64))

    initial = [w.astype(np.float64) for w in weights]
    exact = [(x.astype(np.float64), t) for x, t in batches[:steps]]
    losses, final = _train(case, initial, exact, formulation, steps)
    start = [nudged(w) for w in initial]
    moved_losses, moved = _train(case, start, [(nudged(x), t) for x, t in exact], formulation, steps)

    def changes(trained: list[NDArray]) -> list[NDArray]:
        return [w - before for w, before in zip(trained, initial, strict=True)]

    @cache
    def turned(elements: frozenset[Element]) -> Trajectory:
        net = KinkedMLP(**_net_of(case.model), share=nudge, turned=elements)
        other_losses, other = _trained(net, case, initial, exact, formulation, steps)
        return Trajectory(other_losses, changes(other), net.doubtful)

    updates = changes(final)
    moves = [w - before - update for w, before, update in zip(moved, start, updates, strict=True)]
    # Besides: all of an update's errors may point the same way; 1 - beta2 may be computed from a rounded beta2; every
    # weight is rounded as it is stored, once a step.
    aligned = nudge + (unit / (1 - ADAM_BETA2) if OPTIMIZERS[case.model.optimizer].moments else 0.0)
    stored, tiny = steps * unit, float(np.finfo(case.dtype).tiny)
    return Expectation(
        initial=initial,
        losses=losses,
        loss_tolerances=np.maximum.accumulate(abs(moved_losses - losses)) + nudge * (1 + abs(losses)),
        updates=updates,
        norm_tolerances=[
            float(np.linalg.norm(move) + aligned * np.linalg.norm(update) + stored * np.linalg.norm(w)) + tiny
            for move, update, w in zip(moves, updates, final, strict=True)
        ],
        median_tolerances=[
            _median_change(move, update)
            + aligned * _median_change(update, update)
            + stored * float(abs(w).max())
            + tiny
            for move, update, w in zip(moves, updates, final, strict=True)
        ],
        turned=turned,
    )


def _median_change(error: NDArray, update: NDArray) -> float:
    """Median size of `error` over the elements that the reference changes at all (many pixels are always 0)."""
    changed = update != 0
    return float(np.median(abs(error[changed]))) if changed.any() else 0.0


def _optimizer(model: Model, formulation: Formulation) -> Optimizer:
    recipe = OPTIMIZERS[model.optimizer]
    numbers = dict(recipe.numbers) | ({"clip_norm": model.clip_norm} if model.clip_norm else {})
    if recipe.name == "Adam":
        numbers["eps"] = formulation.adam_epsilon
    return getattr(fastnn, recipe.name)(model.lr, **numbers)


def _train(
    case: Case, weights: list[NDArray], batches: list[Batch], formulation: Formulation, steps: int
) -> tuple[NDArray, list[NDArray]]:
    """Losses (nats) of so many steps round the batches (float64), and the weights after them."""
    return _trained(MLP(**_net_of(case.model)), case, weights, batches, formulation, steps)


def _net_of(model: Model) -> dict[str, Any]:
    """The arguments of the reference net."""
    loss = (model.loss, {"label_smoothing": model.label_smoothing}) if model.label_smoothing else model.loss
    return {"sizes": model.sizes, "activation": model.activation, "loss": loss, "dtype": "float64"}


def _trained(
    net: MLP, case: Case, weights: list[NDArray], batches: list[Batch], formulation: Formulation, steps: int
) -> tuple[NDArray, list[NDArray]]:
    """As `_train`, of a new net."""
    model = case.model
    net.set_weights(weights)
    optimizer = _optimizer(model, formulation)
    losses = []
    for step in range(1, steps + 1):
        x, labels = batches[(step - 1) % len(batches)]
        t = model.targets(labels, "float64")
        if isinstance(optimizer, Adam) and not formulation.epsilon_after_correction:
            # sqrt(v) + eps = sqrt(1 - beta2**step) * (sqrt(v_hat) + eps / sqrt(1 - beta2**step))
            optimizer.eps = formulation.adam_epsilon / np.sqrt(1 - ADAM_BETA2**step)
        if formulation.loss_epsilon:
            loss = float(cross_entropy.reference(net.predict_proba(x), t, formulation.loss_epsilon))
            net.train_step(x, t, optimizer)
        else:
            loss = net.train_step(x, t, optimizer)
        losses.append(loss)
    return np.array(losses), net.get_weights()
