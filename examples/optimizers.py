"""Optimizers compared: their paths on one surface, and how the loss falls that they leave on the digits.

The surface is the notes' f(x, y) = x²/20 + y², a valley far longer than wide, from (-7, 2). Its slope points across the
valley much more than along it, so SGD zigzags. Momentum keeps most of its last move, and swings round; the others
divide each direction by the size of the slopes that it has had.

Run it with `python examples/optimizers.py`. It prints:

    surface: f after 10, 20 and 30 steps
      SGD      lr 0.95    0.81907   0.10432   0.01333
      momentum lr 0.1     0.94514   0.52192   0.04794
      Adagrad  lr 1.5     0.11091   0.00884   0.00072
      RMSprop  lr 0.3     0.34691   0.03960   0.00118
      Adam     lr 0.3     1.06585   0.19351   0.10221
      NAdam    lr 0.3     1.16386   0.36938   0.05834
    digits: loss of the first and of the last of 20 epochs, and test accuracy
      SGD      lr 0.1     1.8666   0.1087    0.961
      momentum lr 0.02    1.7552   0.0611    0.972
      Adagrad  lr 0.03    0.9165   0.0679    0.972
      RMSprop  lr 0.002   1.1043   0.0473    0.972
      Adam     lr 0.003   1.7094   0.0409    0.975
      NAdam    lr 0.003   1.7372   0.0361    0.972

The learning rates on the surface are the notes' where they have one (SGD, momentum, Adagrad, Adam). On the digits,
64-50-10 with ReLU in batches of 32, each has one that suits it there: rates of different optimizers do not compare.

Its figure shows the paths and the losses.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from lesson import COLOURS, LINES, MARKERS, RULE, counts, figure, load, options

import fastnn

START, STEPS = (-7.0, 2.0), 30

# Each moves w in place against the slope g. What it keeps of earlier slopes, m and v, starts at zero; k counts from 1.
Update = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int], None]
ON_THE_SURFACE: dict[str, tuple[float, Update]] = {
    "SGD": (0.95, lambda w, g, m, v, k: fastnn.sgd_update(w, g, lr=0.95)),
    "momentum": (0.1, lambda w, g, m, v, k: fastnn.momentum_update(w, g, m, lr=0.1)),
    "Adagrad": (1.5, lambda w, g, m, v, k: fastnn.adagrad_update(w, g, v, step=k, lr=1.5)),
    "RMSprop": (0.3, lambda w, g, m, v, k: fastnn.rmsprop_update(w, g, v, lr=0.3, alpha=0.9)),
    "Adam": (0.3, lambda w, g, m, v, k: fastnn.adam_update(w, g, m, v, step=k, lr=0.3)),
    "NAdam": (0.3, lambda w, g, m, v, k: fastnn.nadam_update(w, g, m, v, step=k, lr=0.3)),
}
ON_DIGITS: dict[str, Callable[[], fastnn.Optimizer]] = {
    "SGD": lambda: fastnn.SGD(lr=0.1),
    "momentum": lambda: fastnn.SGD(lr=0.02, momentum=0.9),
    "Adagrad": lambda: fastnn.Adagrad(lr=0.03),
    "RMSprop": lambda: fastnn.RMSprop(lr=2e-3),
    "Adam": lambda: fastnn.Adam(lr=3e-3),
    "NAdam": lambda: fastnn.NAdam(lr=3e-3),
}


def height(w: np.ndarray) -> float:
    """f(x, y)."""
    return w[0] ** 2 / 20 + w[1] ** 2


def slope(w: np.ndarray) -> np.ndarray:
    """(df/dx, df/dy)."""
    return np.array([w[0] / 10, 2 * w[1]])


def path_of(update: Update) -> np.ndarray:
    """The points (STEPS + 1, 2) from the start on."""
    w, m, v = np.array(START), np.zeros(2), np.zeros(2)
    points = [w.copy()]
    for k in range(1, STEPS + 1):
        update(w, slope(w), m, v, k)
        points.append(w.copy())
    return np.array(points)


def train(optimizer: fastnn.Optimizer, epochs: int) -> tuple[list[float], float]:
    """The mean loss of each epoch on the digits, and the accuracy on the test set."""
    (x, t), (x_test, t_test) = load("digits")
    net = fastnn.MLP((64, 50, 10), activation="relu", seed=0)
    losses = [net.train_epoch(x, t, optimizer, batch_size=32) for _ in range(epochs)]
    return losses, float(fastnn.accuracy(net.forward(x_test), t_test))


def draw(path: Path, paths: dict[str, np.ndarray], losses: dict[str, list[float]]) -> None:
    """Both in the same colours."""
    x, y = np.linspace(-8, 5, 200), np.linspace(-3.5, 3.5, 200)
    z = height(np.stack(np.meshgrid(x, y)))
    with figure(path, width=11, height=4.6, panels=2) as (surface, curves):
        surface.contour(x, y, z, levels=[0.05, 0.25, 0.5, 1, 2, 4, 8], colors=RULE, linewidths=1)
        surface.grid(False)
        for name, colour, line, marker in zip(paths, COLOURS, LINES, MARKERS, strict=True):
            look = {"color": colour, "linestyle": line, "marker": marker, "markersize": 3.5, "linewidth": 1.3}
            surface.plot(*paths[name].T, label=f"{name}, lr {ON_THE_SURFACE[name][0]:g}", **look)
            curves.semilogy(range(1, len(losses[name]) + 1), losses[name], label=name, **look)
        surface.plot(0, 0, "*", color="black", markersize=11, zorder=4)
        surface.set(xlabel="x", ylabel="y", title=f"{STEPS} steps on x²/20 + y², from (-7, 2)")
        counts(curves, "epoch")
        curves.set(ylabel="mean loss of the epoch", title="Digits, 64-50-10")
        surface.legend(loc="upper right", fontsize=9)
        curves.legend(fontsize=9)


def main(argv: list[str] | None = None) -> None:
    """The paths, then the losses."""
    parser = options(__doc__)
    parser.add_argument("--epochs", type=int, default=20, help="how often the digits are gone through")
    chosen = parser.parse_args(argv)

    print(f"surface: f after 10, 20 and {STEPS} steps")
    paths = {name: path_of(update) for name, (_, update) in ON_THE_SURFACE.items()}
    for name, points in paths.items():
        print(f"  {name:8} lr {ON_THE_SURFACE[name][0]:<5g}", *(f"{height(points[k]):9.5f}" for k in (10, 20, STEPS)))

    print(f"digits: loss of the first and of the last of {chosen.epochs} epochs, and test accuracy")
    losses = {}
    for name, make in ON_DIGITS.items():
        optimizer = make()
        losses[name], accuracy = train(optimizer, chosen.epochs)
        print(f"  {name:8} lr {optimizer.lr:<5g} {losses[name][0]:8.4f} {losses[name][-1]:8.4f} {accuracy:8.3f}")
    if chosen.out:
        draw(chosen.out / "optimizers.png", paths, losses)


if __name__ == "__main__":
    main()
