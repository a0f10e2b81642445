"""Who will develop diabetes? 8-128-128-1 on the Pima table, with early stopping and the table of its training.

Eight measurements of 768 women, 614 to learn from and 154 to test on, with as many diabetics in each part as belong
there (a stratified split). Each column is standardized, to mean 0 and standard deviation 1 in the training rows: as
they come, insulin is counted in hundreds and the pedigree in tenths, and the net would look at insulin alone. Two
hidden layers of 128 units of ReLU, whose initial weights are drawn as Keras draws them; one output z, of which
1 / (1 + exp(-z)) is the probability of diabetes, by sigmoid cross-entropy.

The net is far too large for so few rows. A fifth of them is held out, stratified too, and its loss tells when to stop:
as soon as it has not fallen for ten epochs. Then the weights of the best epoch are put back.

Run it with `python examples/pima_8_128_128_1.py`. It prints:

            loss  val_loss  val_accuracy
    epoch
    1     0.6313    0.5552        0.7886
    2     0.5239    0.4778        0.7967
    3     0.4892    0.4504        0.8130
    4     0.4700    0.4521        0.7967
    5     0.4644    0.4469        0.8130
    6     0.4510    0.4498        0.7886
    7     0.4428    0.4496        0.7967
    8     0.4410    0.4567        0.7886
    9     0.4403    0.4623        0.7724
    10    0.4274    0.4579        0.7724
    11    0.4241    0.4581        0.7642
    12    0.4199    0.4576        0.7724
    13    0.4116    0.4597        0.7805
    14    0.4085    0.4611        0.7642
    15    0.4050    0.4707        0.7561
    best epoch: 5; always saying no: 0.649 right
    test accuracy: 0.818

The loss on the training rows falls on and on; that on the held-out rows soon turns round, where the net begins to
learn its rows by heart. Its figure shows both.
"""

from __future__ import annotations

from pathlib import Path

from lesson import MUTED, load, options, save

import fastnn


def draw(path: Path, history: fastnn.History, best: int) -> None:
    """The curves of the history, and a line at the best epoch."""
    figure = history.plot()
    for axes in figure.axes:
        axes.axvline(best, color=MUTED, linestyle=":", label=f"best epoch, {best}")
        axes.legend(frameon=False)
    save(figure, path)


def main(argv: list[str] | None = None) -> None:
    """Train, show the table, and test."""
    parser = options(__doc__)
    parser.add_argument("--epochs", type=int, default=200, help="at most")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(argv)

    (x, t), (x_test, t_test) = load("pima")
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    net = fastnn.MLP(
        (8, 128, 128, 1), activation="relu", loss="sigmoid_cross_entropy", init="xavier_uniform", seed=chosen.seed
    )
    history = net.fit(
        (x - mean) / deviation,
        t,
        optimizer=fastnn.Adam(lr=1e-3),
        epochs=chosen.epochs,
        batch_size=32,
        validation_split=0.2,
        stratify=True,
        metrics=["accuracy"],
        callbacks=[fastnn.callbacks.EarlyStopping(patience=10)],
        progress=False,
    )
    print(history.frame[["loss", "val_loss", "val_accuracy"]].to_string(float_format="%.4f"))
    best = 1 + min(range(len(history["val_loss"])), key=history["val_loss"].__getitem__)
    print(f"best epoch: {best}; always saying no: {(t_test == 0).mean():.3f} right")
    print(f"test accuracy: {net.evaluate((x_test - mean) / deviation, t_test)['accuracy']:.3f}")
    if chosen.out:
        draw(chosen.out / "pima_8_128_128_1.png", history, best)


if __name__ == "__main__":
    main()
