"""An activation, a loss and an optimizer of one's own, in a few lines each: checked, then trained on the digits.

Run it from a checkout with `python examples/own_items.py`. The first run compiles, which takes some seconds; later ones
load what it has left on disk.
"""

from __future__ import annotations

import argparse
import math

import numpy as np

import fastnn
from fastnn.extend import Hyper, Optimizer, activation, elementwise_loss, exp, fraction, learning_rate, positive, sign

# An activation: y as a function of x, and dx as one of dy, x and y.


def bent(x):
    return x + (math.sqrt(x * x + 1) - 1) / 2


def bent_backward(dy, x, y):
    return dy * (1 + x / (2 * math.sqrt(x * x + 1)))


activation("bent", value=bent, backward=bent_backward, slope_of="input")


# A loss: of an output y and its target t, and its slope. Far from the target it levels off: outliers count less.


def welsch(y, t, width):
    short = (y - t) / width
    return 1 - exp(-short * short)


def welsch_slope(y, t, width):
    short = (y - t) / width
    return 2 * short / width * exp(-short * short)


elementwise_loss("welsch", value=welsch, slope=welsch_slope, numbers={"width": positive}, defaults={"width": 1.0})


# An optimizer: its hyper-parameters, and the update of a weight. m starts at zero.


class Signum(Optimizer):
    """m ← β m + (1 - β) g; w ← w - lr sign(m) (Bernstein et al., signSGD, 2018)."""

    lr = Hyper(1e-3, learning_rate)
    beta = Hyper(0.9, fraction)
    moments = ("m",)

    @staticmethod
    def update(g, m, lr, beta):
        m = beta * m + (1 - beta) * g
        return m, lr * sign(m)


def check_items(rng: np.random.Generator) -> None:
    """The gradients against differences of the loss, and one update against NumPy."""
    net = fastnn.MLP((5, 8, 3), activation="bent", loss=("welsch", 2.0), dtype="float64")
    found = fastnn.check_gradient(net, rng.standard_normal((20, 5)), rng.standard_normal((20, 3)))
    print(f"gradients: {found.checked} compared, the largest error is {found.error_ratio:.2g} of what is allowed")

    w, g, m = rng.standard_normal((3, 100))
    expected_m = 0.9 * m + 0.1 * g
    expected_w = w - 0.01 * np.sign(expected_m)
    fastnn.signum_update(w, g, m, lr=0.01)
    np.testing.assert_allclose(m, expected_m, rtol=0, atol=1e-15)
    np.testing.assert_allclose(w, expected_w, rtol=0, atol=1e-15)
    print("update: equal to NumPy's")


def train(epochs: int, rng: np.random.Generator) -> float:
    """Train on the digits; returns the accuracy on the test set."""
    (x, labels), (x_test, labels_test) = fastnn.datasets.load("digits")
    targets = np.eye(10, dtype=x.dtype)[labels]
    net = fastnn.MLP((64, 50, 10), activation="bent", loss="welsch")
    optimizer = Signum(lr=fastnn.schedules.Cosine(2e-3, epochs * (len(x) // 32)))
    for epoch in range(epochs):
        order = rng.permutation(len(x))
        losses = [
            net.train_step(x[rows], targets[rows], optimizer) for rows in np.array_split(order, max(1, len(x) // 32))
        ]
        print(f"epoch {epoch + 1}: loss {np.mean(losses):.4f}")
    accuracy = float(np.mean(net.forward(x_test).argmax(axis=1) == labels_test))
    print(f"accuracy on the test set: {accuracy:.3f}")
    return accuracy


def main() -> None:
    """Check, then train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=20, help="how often the digits are gone through")
    epochs = parser.parse_args().epochs
    rng = np.random.default_rng(0)
    check_items(rng)
    train(epochs, rng)


if __name__ == "__main__":
    main()
