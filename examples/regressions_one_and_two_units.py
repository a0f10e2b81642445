"""Regressions with one unit and with two: from x = 2 to y = 1, by gradient descent step by step.

One unit is y = w x + b. Two units, one behind the other, are h = w x + b and y = v h + c. The error of a row is
e = y - t, its loss ½ e². Each step of gradient descent moves a parameter by -lr times the slope of the loss:

    one unit:   dw = e x        db = e
    two units:  dv = e h        dc = e        dw = e v x        db = e v

The teaching notes move a weight by its error divided by the weight, e / w. That is no gradient: it is no slope of the
loss, it grows without bound where w comes near 0, and where w is negative and x positive it leads away from the target.
fastnn's step uses the slope, which the script holds against differences of the loss.

Run it with `python examples/regressions_one_and_two_units.py`. It prints:

    one unit
    step        w        b        y          loss
       0   3.0000   1.0000   7.0000   18.00000000
       1   1.8000   0.4000   4.0000    4.50000000
       2   1.2000   0.1000   2.5000    1.12500000
       3   0.9000  -0.0500   1.7500    0.28125000
       4   0.7500  -0.1250   1.3750    0.07031250
       5   0.6750  -0.1625   1.1875    0.01757812
      10   0.6023  -0.1988   1.0059    0.00001717
      20   0.6000  -0.2000   1.0000    0.00000000
    two units
    step        w        b        v        c        y          loss
       0   0.5000   0.1000  -0.8000   0.2000  -0.6800    1.41120000
       1   0.2312  -0.0344  -0.6152   0.3680   0.1047    0.40078606
       2   0.1210  -0.0895  -0.5769   0.4575   0.3695    0.19876750
       3   0.0483  -0.1259  -0.5673   0.5206   0.5372    0.10710198
       4  -0.0042  -0.1521  -0.5686   0.5669   0.6581    0.05843348
       5  -0.0431  -0.1715  -0.5741   0.6010   0.7490    0.03149874
      10  -0.1274  -0.2137  -0.5985   0.6734   0.9538    0.00106911
      20  -0.1451  -0.2226  -0.6057   0.6882   0.9988    0.00000069
    slope of one unit's loss along w, at b = 2
          w      e x  by differences  by a step  the notes' e / w
       3.00    14.00           14.00      14.00              2.33
       0.01     2.04            2.04       2.04            102.00
      -1.00    -2.00           -2.00      -2.00              1.00

Its figure shows the losses and the outputs of both.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from lesson import COLOURS, LINES, MUTED, counts, figure, options

import fastnn

X, T, LR = np.array([[2.0]]), np.array([[1.0]]), 0.1
ONE = [np.array([[3.0]]), np.array([1.0])]  # w, b
TWO = [np.array([[0.5]]), np.array([0.1]), np.array([[-0.8]]), np.array([0.2])]  # w, b, v, c


def network(weights: list[np.ndarray]) -> fastnn.MLP:
    """One unit for two arrays, two units for four; "identity" leaves what a unit has summed as it is."""
    net = fastnn.MLP((1,) * (1 + len(weights) // 2), "identity", loss="half_squared_error", dtype="float64")
    net.set_weights(weights)
    return net


def descend(weights: list[np.ndarray], steps: int) -> list[dict[str, float]]:
    """Parameters, output and loss before the first step and after each."""
    net, optimizer, course = network(weights), fastnn.SGD(lr=LR), []
    for step in range(steps + 1):
        y = net.forward(X)
        values = dict(zip("wbvc", (float(w.item()) for w in net.get_weights()), strict=False))
        course.append(values | {"y": y.item(), "loss": 0.5 * (y.item() - T.item()) ** 2})
        if step < steps:
            net.train_step(X, T, optimizer)
    return course


def table(course: list[dict[str, float]]) -> None:
    """Some rows of it."""
    print("step", *(f"{name:>8}" for name in course[0] if name != "loss"), f"{'loss':>13}")
    for step in (0, 1, 2, 3, 4, 5, 10, 20):
        if step < len(course):
            *values, loss = course[step].values()
            print(f"{step:4}", *(f"{value:8.4f}" for value in values), f"{loss:13.8f}")


def slopes(w: float, b: float) -> None:
    """Of the loss of one unit along w: by hand, by differences, by a step; and what the notes take for it."""
    error = w * 2 + b - 1
    differences = fastnn.numerical_diff(lambda moved: 0.5 * (moved * 2 + b - 1) ** 2, w)
    net = network([np.array([[w]]), np.array([b])])
    net.train_step(X, T, fastnn.SGD(lr=1.0))
    step = w - net.get_weights()[0].item()
    print(f"{w:7.2f} {error * 2:8.2f} {differences:15.2f} {step:10.2f} {error / w:17.2f}")


def draw(path: Path, courses: dict[str, list[dict[str, float]]]) -> None:
    """Loss and output against the step."""
    with figure(path, panels=2) as (losses, outputs):
        for (name, course), colour, line in zip(courses.items(), COLOURS, LINES, strict=False):
            losses.semilogy([row["loss"] for row in course], color=colour, linestyle=line, label=name)
            outputs.plot([row["y"] for row in course], color=colour, linestyle=line, label=name)
        losses.set(ylabel="loss", title="Loss ½ (y - t)²")
        outputs.set(ylabel="y", title="Output y, and its target t = 1")
        outputs.axhline(1, color=MUTED, linewidth=1)
        for axes in (losses, outputs):
            counts(axes, "step")
            axes.legend()


def main(argv: list[str] | None = None) -> None:
    """Both descents, and the slope of the first."""
    parser = options(__doc__)
    parser.add_argument("--steps", type=int, default=20)
    chosen = parser.parse_args(argv)
    courses = {"one unit": descend(ONE, chosen.steps), "two units": descend(TWO, chosen.steps)}
    for name, course in courses.items():
        print(name)
        table(course)
    print("slope of one unit's loss along w, at b = 2")
    print("      w      e x  by differences  by a step  the notes' e / w")
    for w in (3.0, 0.01, -1.0):
        slopes(w, 2.0)
    if chosen.out:
        draw(chosen.out / "regressions_one_and_two_units.png", courses)


if __name__ == "__main__":
    main()
