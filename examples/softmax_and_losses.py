"""Softmax of large numbers, and the losses on the vectors of the teaching notes.

softmax(z) = exp(z) / Σ exp(z). As it stands here, exp(1000) is infinite, and infinity over infinity no number. What is
the same for all elements cancels, so fastnn takes away the largest first: exp(0), exp(-100), exp(-200). float64 has
all of these.

A loss says how far an output is from its target. Two outputs for ten classes, where the third is the true one: one is
right, with 0.6 there, one wrong, with 0.1. The squared error is ½ Σ (y - t)², the cross-entropy -log of what the true
class has, 0.5108 and 2.3026. A net that is surer has less: 0.9798 gives 0.0204, and 0.8652 gives 0.1448.
The notes print all four. The vectors of the last two are not at hand, but this is what the true class had in them.

Run it with `python examples/softmax_and_losses.py`. It prints:

    softmax by its formula:   [nan nan nan]
    fastnn.softmax:           [1.00000000e+00 3.72007598e-44 1.38389653e-87]
    fastnn.log_softmax:       [   0. -100. -200.]
    true class   ½ Σ (y - t)²   cross-entropy
        0.6000         0.0975          0.5108
        0.1000         0.5975          2.3026
        0.9798         0.0002          0.0204
        0.8652         0.0101          0.1448

Its figure shows the cross-entropy of each output, and the two outputs.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from lesson import COLOURS, figure, options

import fastnn

Z = np.array([1000.0, 900.0, 800.0])
TRUE = 2
T = np.eye(10)[[TRUE]]
RIGHT = np.array([[0.1, 0.05, 0.6, 0.0, 0.05, 0.1, 0.0, 0.1, 0.0, 0.0]])
WRONG = np.array([[0.1, 0.05, 0.1, 0.0, 0.05, 0.1, 0.0, 0.6, 0.0, 0.0]])
SURER = [0.9798, 0.8652]


def softmaxes() -> None:
    """By its formula, and as fastnn takes it."""
    with np.errstate(over="ignore", invalid="ignore"):
        print("softmax by its formula:  ", np.exp(Z) / np.exp(Z).sum())
    print("fastnn.softmax:          ", fastnn.softmax(Z))
    print("fastnn.log_softmax:      ", fastnn.log_softmax(Z))


def surer(p: float) -> np.ndarray:
    """An output with p for the true class, and the rest shared by the others."""
    y = np.full((1, 10), (1 - p) / 9)
    y[0, TRUE] = p
    return y


def losses() -> None:
    """Of the outputs, by the names that fastnn has for them."""
    print("true class   ½ Σ (y - t)²   cross-entropy")
    for y in (RIGHT, WRONG, *map(surer, SURER)):
        squared, entropy = fastnn.sum_squared_error(y, T)[0], fastnn.cross_entropy(y, T)
        print(f"{y[0, TRUE]:10.4f} {squared:14.4f} {entropy:15.4f}")


def draw(path: Path) -> None:
    """-log p with the four losses on it; the two outputs."""
    with figure(path, panels=2) as (curve, bars):
        p = np.linspace(0.03, 1, 300)
        curve.plot(p, [fastnn.cross_entropy(surer(one), T) for one in p], color=COLOURS[0])
        for y in (RIGHT, WRONG, *map(surer, SURER)):
            loss = fastnn.cross_entropy(y, T)
            curve.plot(y[0, TRUE], loss, "o", color=COLOURS[1])
            curve.annotate(f"{loss:.4f}", (y[0, TRUE], loss), (6, 6), textcoords="offset points")
        curve.set_xlim(0, 1.2)
        curve.set(xlabel="p, what the output has for the true class", ylabel="loss", title="Cross-entropy, -log p")
        classes = np.arange(10)
        bars.bar(classes - 0.2, RIGHT[0], 0.4, color=COLOURS[0], label="right: cross-entropy 0.5108")
        bars.bar(classes + 0.2, WRONG[0], 0.4, color=COLOURS[4], hatch="//", label="wrong: cross-entropy 2.3026")
        bars.set_xticks(classes)
        bars.set_title("Two outputs where class 2 is true")
        bars.set_xlabel("class")
        bars.set_ylabel("probability")
        bars.set_ylim(0, 0.8)
        bars.legend(loc="upper left")


def main(argv: list[str] | None = None) -> None:
    """The softmax, then the losses."""
    chosen = options(__doc__).parse_args(argv)
    softmaxes()
    losses()
    if chosen.out:
        draw(chosen.out / "softmax_and_losses.png")


if __name__ == "__main__":
    main()
