"""The 2-3-2-2 network: what it puts out for one row, and its gradient, by differences and as a training step has it.

Two inputs, hidden layers of 3 and 2 sigmoid units, and two outputs as they come out of the last layer. How steep is the
loss L = ½ Σ (y - t)² along each of the 23 parameters? There are two ways to know:

- by differences, (L(w + h) - L(w - h)) / 2h, which asks for the loss twice for each parameter, 46 times here;
- by backpropagation, one pass for all. A step of SGD with lr = 1 takes away just that gradient from the parameters.

Run it with `python examples/forward_2_3_2_2.py`. It prints:

    y = [0.31682708 0.69627909]
    loss = 0.096313
    gradient, by differences and by backpropagation:
      w1 -0.001344 -0.001754 -0.001936 -0.000672 -0.000877 -0.000968
         -0.001344 -0.001754 -0.001936 -0.000672 -0.000877 -0.000968
      b1 -0.001344 -0.001754 -0.001936
         -0.001344 -0.001754 -0.001936
      w2 -0.007991 -0.005895 -0.009295 -0.006857 -0.010437 -0.007699
         -0.007991 -0.005895 -0.009295 -0.006857 -0.010437 -0.007699
      b2 -0.013911 -0.010262
         -0.013911 -0.010262
      w3  0.198413 -0.190205  0.244277 -0.234172
          0.198413 -0.190205  0.244277 -0.234172
      b3  0.316827 -0.303721
          0.316827 -0.303721
    all 23 are equal within 1e-9

Its figure shows how far off the differences are for smaller and smaller h: at first by h², which is what the
differences leave out; below 1e-5 by eps / h, for the difference of two losses that are nearly equal is mostly rounding.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from lesson import COLOURS, figure, options

import fastnn

X, T = np.array([[1.0, 0.5]]), np.array([[0.0, 1.0]])
NAMES = ["w1", "b1", "w2", "b2", "w3", "b3"]
WEIGHTS = [
    np.array([[0.1, 0.3, 0.5], [0.2, 0.4, 0.6]]),
    np.array([0.1, 0.2, 0.3]),
    np.array([[0.1, 0.4], [0.2, 0.5], [0.3, 0.6]]),
    np.array([0.1, 0.2]),
    np.array([[0.1, 0.3], [0.2, 0.4]]),
    np.array([0.1, 0.2]),
]


def network() -> fastnn.MLP:
    """The network with its weights; they are (inputs, outputs), and biases (outputs,)."""
    net = fastnn.MLP((2, 3, 2, 2), activation="sigmoid", loss="sum_squared_error", dtype="float64")
    net.set_weights(WEIGHTS)
    return net


def by_differences(h: float) -> list[np.ndarray]:
    """The gradient of each array of parameters."""
    net, weights = network(), [w.copy() for w in WEIGHTS]

    def loss(_: np.ndarray) -> float:
        net.set_weights(weights)  # one of which `numerical_gradient` has moved
        return fastnn.sum_squared_error(net.forward(X), T)[0]

    return [fastnn.numerical_gradient(loss, w, h) for w in weights]


def by_backpropagation() -> list[np.ndarray]:
    """The gradient of each array of parameters."""
    net = network()
    net.train_step(X, T, fastnn.SGD(lr=1.0))
    return [before - after for before, after in zip(WEIGHTS, net.get_weights(), strict=True)]


def furthest(one: list[np.ndarray], other: list[np.ndarray]) -> float:
    """The largest difference between two gradients."""
    return max(np.abs(a - b).max() for a, b in zip(one, other, strict=True))


def draw(path: Path) -> None:
    """How far off the differences are, for each h."""
    exact = by_backpropagation()
    steps = 10.0 ** np.arange(-11, 0.5, 0.5)
    errors = [furthest(by_differences(h), exact) for h in steps]
    with figure(path, width=7) as (axes,):
        axes.loglog(steps, errors, marker="o", markersize=4, color=COLOURS[0])
        axes.set_xlabel("h, how far each parameter is moved")
        axes.set_ylabel("largest error of the gradient")
        axes.set_title("Gradient of 2-3-2-2 by differences, in float64")
        axes.annotate("rounding: eps / h", (2e-10, 2e-6), color=COLOURS[1])
        axes.annotate("what differences\nleave out: h²", (1.5e-2, 1e-8), color=COLOURS[1])


def main(argv: list[str] | None = None) -> None:
    """The forward pass, then both gradients."""
    chosen = options(__doc__).parse_args(argv)
    y = network().forward(X)
    print(f"y = {y[0]}")
    print(f"loss = {fastnn.sum_squared_error(y, T)[0]:.6f}")

    differences, exact = by_differences(1e-4), by_backpropagation()
    print("gradient, by differences and by backpropagation:")
    for name, one, other in zip(NAMES, differences, exact, strict=True):
        print(f"  {name}", *(f"{slope:9.6f}" for slope in one.ravel()))
        print("    ", *(f"{slope:9.6f}" for slope in other.ravel()))
    if furthest(differences, exact) > 1e-9:
        raise AssertionError("the gradients differ")
    print(f"all {sum(w.size for w in WEIGHTS)} are equal within 1e-9")
    if chosen.out:
        draw(chosen.out / "forward_2_3_2_2.png")


if __name__ == "__main__":
    main()
