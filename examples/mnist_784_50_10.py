"""The notes' first real network: 784-50-10 learns MNIST's handwritten digits, with its accuracy curves.

784 pixels, 50 sigmoid units, 10 classes by softmax cross-entropy; initial weights are normal with a standard deviation
of 0.01. A step draws 100 of the 60,000 training images at random, and goes 0.1 down the slope of their loss. 600 steps
are about one epoch: after each, the accuracies on the training and test images are taken. The two curves stay close
together: a network this small does not learn its training images by heart.

Run it with `python examples/mnist_784_50_10.py`, for the notes' 10,000 steps, or with `--steps 50000`. It prints:

    step   600: accuracy 0.7794 training, 0.7828 test
    step  1200: accuracy 0.8765 training, 0.8795 test
    ...
    step 10000: accuracy 0.9492 training, 0.9461 test
    10000 steps, 11.2 s

Its figure shows both accuracies after each epoch. MNIST is found or downloaded by `fastnn.datasets`;
`--data digits` trains 64-50-10 on the 8x8 digits that ship with fastnn, `--data fashion_mnist` on garments.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from lesson import COLOURS, LINES, counts, figure, load, options

import fastnn

BATCH = 100


def draw(path: Path, course: list[tuple[int, float, float]], title: str) -> None:
    """Accuracy against the step."""
    steps, train, test = zip(*course, strict=True)
    with figure(path, width=7) as (axes,):
        axes.plot(steps, train, color=COLOURS[0], linestyle=LINES[0], label="training images")
        axes.plot(steps, test, color=COLOURS[1], linestyle=LINES[1], label="test images")
        counts(axes, "training step")
        axes.set_ylabel("accuracy")
        axes.set_title(title)
        axes.legend(loc="lower right")


def main(argv: list[str] | None = None) -> None:
    """Train, and take the accuracies after each epoch."""
    parser = options(__doc__)
    parser.add_argument("--data", default="mnist", choices=("mnist", "fashion_mnist", "digits"))
    parser.add_argument("--steps", type=int, default=10_000)
    chosen = parser.parse_args(argv)

    (x, t), (x_test, t_test) = load(chosen.data)
    sizes = (x.shape[1], 50, 10)
    net = fastnn.MLP(sizes, activation="sigmoid", loss="softmax_cross_entropy", init=0.01, seed=0)
    optimizer, rng = fastnn.SGD(lr=0.1), np.random.default_rng(0)
    per_epoch, course = max(1, len(x) // BATCH), []
    start = time.perf_counter()
    for step in range(1, chosen.steps + 1):
        rows = rng.integers(len(x), size=BATCH)
        net.train_step(x[rows], t[rows], optimizer)
        if step % per_epoch == 0 or step == chosen.steps:
            train, test = (float(fastnn.accuracy(net.forward(a), b)) for a, b in ((x, t), (x_test, t_test)))
            course.append((step, train, test))
            print(f"step {step:5}: accuracy {train:.4f} training, {test:.4f} test")
    print(f"{chosen.steps} steps, {time.perf_counter() - start:.1f} s")
    if chosen.out:
        title = f"{chosen.data}, {'-'.join(map(str, sizes))}, SGD with lr 0.1"
        draw(chosen.out / "mnist_784_50_10.png", course, title)


if __name__ == "__main__":
    main()
