"""The gradient of a net's training step against central differences of its loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn import scalar_checks
from fastnn.mlp import MLP
from fastnn.numerical import numerical_diff
from fastnn.ops import checks
from fastnn.optimizers import SGD

_FLOAT64 = np.dtype(np.float64)
_EPS = float(np.finfo(_FLOAT64).eps)

# How far the gradient of the step may be from central differences of its loss L:
#
# - Their truncation, h² L'''/6. With h = 1e-5 that is 2e-11 L''', within _TOLERANCE of the largest gradient g of the
#   array where L''' < 6e4 g. Inputs in the hundreds break that, and so does a kink within h of the weight: where both
#   differ, h/10 and h/100 are tried too. A gradient far smaller than others of its array is not held to its own digits.
# - Their rounding, that of L divided by h. Each output is a sum over the widths of the layers, one behind the other:
#   so many roundings, and some ten for each activation and for the loss, of numbers as large as the loss or the largest
#   output S. For 100 of them that is 2e-9 S with h, but 2e-7 S with h/100: so the smallest h is not the first.
# - The rounding of a weight after the step, for the gradient is the weight before the step minus that after it.
_H = 1e-5
_PARTS = (1, 10, 100)
_TOLERANCE = 1e-6


class GradientError(AssertionError):
    """A gradient is not the slope of its loss. `result`, a `GradientCheck`, has the numbers."""

    result: GradientCheck


@dataclass(frozen=True, slots=True)
class GradientCheck:
    """What `check_gradient` found at the parameter that is furthest off.

    error_ratio : the difference divided by its tolerance: above 1 the gradient is wrong.
    layer : of the parameter, 1 for the first. array : "w" or "b". index : of the parameter in the array.
    analytic, numerical : the gradient of the training step, and the central difference of the loss.
    checked : how many parameters were compared.
    """

    error_ratio: float
    layer: int
    array: str
    index: tuple[int, ...]
    analytic: float
    numerical: float
    checked: int


def check_gradient(net: MLP, x: ArrayLike, t: ArrayLike, *, samples: int | None = 20, seed: int = 0) -> GradientCheck:
    """Compare the gradient of a net's training step with central differences of its loss, (L(w + h) - L(w - h)) / 2h.

    So an activation or a loss of your own can be checked: make a small net with it, and give a few rows of x that take
    it through all its branches. What is compared is what `train_step` does: the parameters before minus those after a
    step of SGD with lr = 1, and the loss that a step returns. The steps are those of copies of the net in float64, for
    a float32 net too: the net and its optimizers stay as they are.

    x, t : as for `train_step`, in either precision. samples : how many parameters of each array are compared, at two
    steps each: the one with the largest gradient, and others drawn at random; None compares all. seed : of the draw.

    Near a kink, such as ReLU's at 0, h is made smaller. On a kink a gradient is right that lies between the slopes of
    both sides.

    Returns a `GradientCheck`, of the parameter that is furthest off.

    Raises GradientError, an AssertionError, where a gradient is wrong; it names the activation or the loss. (An error
    that is returned, as by `scipy.optimize.check_grad`, can be overlooked; so this raises, as
    `torch.autograd.gradcheck` does.) Raises ValueError where nothing can be compared, because the loss is not finite or
    all gradients of a layer are zero; otherwise TypeError and ValueError as `train_step` does.
    """
    if not isinstance(net, MLP):
        raise TypeError(f"net: got {net!r}, expected a fastnn.MLP")
    most = None if samples is None else scalar_checks.count("samples", samples)
    rng = np.random.default_rng(scalar_checks.count("seed", seed, 0))
    step = _Step(net, _in_float64("x", x), _in_float64("t", t))
    found = []
    for k, gradient in enumerate(step.gradients):
        found += [step.compare(k, index) for index in _chosen(gradient, most, rng)]
    # An error goes from the loss back to the first layer: the last layer that has it is where it begins.
    layer = max((one.layer for one in found if one.error_ratio > 1), default=None)
    if layer is None:
        step.refuse_zeros()
        return replace(_worst(found), checked=len(found))
    of_layer = [one for one in found if one.layer == layer]
    error = GradientError(_message(net, of_layer))
    error.result = replace(_worst(of_layer), checked=len(found))
    raise error


class _Step:
    """The training step of a net in float64. Each is that of a new copy: so all of them draw the same random numbers,
    if the step draws any."""

    def __init__(self, net: MLP, x: NDArray, t: NDArray) -> None:
        self._weights = [w.astype(_FLOAT64) for w in net.get_weights()]
        self._net, self._x, self._t = net, x, t
        stepped = net._twin(_FLOAT64, self._weights)
        self._loss = stepped.train_step(x, t, SGD(lr=1.0))
        if not np.isfinite(self._loss):
            raise ValueError(f"x, t: got a loss of {self._loss}, expected a finite one, which has a slope")
        self.gradients = [before - after for before, after in zip(self._weights, stepped.get_weights(), strict=True)]
        outputs = net._twin(_FLOAT64, self._weights).forward(x)
        roundings = sum(net.sizes) + 10 * len(net.sizes)
        self._rounding = roundings * _EPS * max(abs(self._loss), float(np.abs(outputs).max()))

    def compare(self, k: int, index: tuple[int, ...]) -> GradientCheck:
        """The gradient of a parameter of array k with the central difference; where they differ, with a smaller h."""
        weight, analytic = float(self._weights[k][index]), float(self.gradients[k][index])
        loss_at = self._loss_at(k, index)
        best, numerical = np.inf, np.nan
        for h in (_h(weight) / part for part in _PARTS):
            tolerance = _TOLERANCE * self._largest(k) + self._rounding / h + _EPS * abs(weight)
            slope = numerical_diff(loss_at, weight, h)
            ratio = _ratio(analytic - slope, tolerance)
            if ratio < best or np.isnan(numerical):
                best, numerical = ratio, slope
            if ratio <= 1:
                break
        else:
            sides = [(loss_at(moved) - self._loss) / (moved - weight) for moved in (weight - h, weight + h)]
            best = min(best, _ratio(analytic - float(np.clip(analytic, min(sides), max(sides))), tolerance))
        return GradientCheck(best, k // 2 + 1, "wb"[k % 2], index, analytic, numerical, checked=1)

    def refuse_zeros(self) -> None:
        """Raises ValueError if the gradients of a layer are all zero, or too small for differences to show them."""
        for k in range(0, len(self.gradients), 2):
            h = _h(float(np.abs(self._weights[k]).max()))
            if max(self._largest(k), self._largest(k + 1)) <= self._rounding / h:
                raise ValueError(
                    f"x, t: got gradients of zero in all of layer {k // 2 + 1}, where nothing can be compared; "
                    "give other rows, or the net other weights"
                )

    def _largest(self, k: int) -> float:
        gradient = np.abs(self.gradients[k])
        return float(gradient.max(initial=0, where=np.isfinite(gradient)))

    def _loss_at(self, k: int, index: tuple[int, ...]) -> Callable[[float], float]:
        def loss_at(value: float) -> float:
            weights = list(self._weights)
            weights[k] = weights[k].copy()
            weights[k][index] = value
            return self._net._twin(_FLOAT64, weights).train_step(self._x, self._t, SGD(lr=0.0))

        return loss_at


def _h(weight: float) -> float:
    # Beside 1e12 a difference of 1e-5 would be lost.
    return _H * max(1.0, abs(weight))


def _ratio(difference: float, tolerance: float) -> float:
    return abs(difference) / tolerance if np.isfinite(difference) else np.inf


def _in_float64(name: str, value: ArrayLike) -> NDArray:
    """Floats in float64; labels as they are."""
    array = checks.plain_array(name, value)
    return array.astype(_FLOAT64) if array.dtype.kind == "f" else array


def _chosen(gradient: NDArray, most: int | None, rng: np.random.Generator) -> list[tuple[int, ...]]:
    """Where to compare an array: everywhere, or at its largest gradient and at others, `most` in all."""
    chosen = np.arange(gradient.size)
    if most is not None and most < gradient.size:
        largest = int(np.abs(gradient).argmax())
        chosen = np.append(rng.choice(np.delete(chosen, largest), most - 1, replace=False), largest)
    return [tuple(map(int, np.unravel_index(k, gradient.shape))) for k in chosen]


def _worst(found: Sequence[GradientCheck]) -> GradientCheck:
    return max(found, key=lambda one: one.error_ratio)


def _message(net: MLP, of_layer: Sequence[GradientCheck]) -> str:
    worst, wrong = _worst(of_layer), sum(one.error_ratio > 1 for one in of_layer)
    if worst.layer == len(net.sizes) - 1:
        what, advice = f"the gradient of the loss {net.loss!r}", "compare its gradient with its value"
    else:
        own = net._activations[worst.layer - 1].argument
        what = f"the slope of the activation {own!r} after layer {worst.layer}"
        advice = "compare its `backward` with its `value`; the layers behind it are right, and so the loss"
    return (
        f"{what} seems wrong: for {worst.array}[{', '.join(map(str, worst.index))}] of layer {worst.layer} the step has"
        f" the gradient {worst.analytic:.6g}, and central differences of the loss give {worst.numerical:.6g} "
        f"({wrong} of the {len(of_layer)} parameters compared in this layer differ); {advice}"
    )
