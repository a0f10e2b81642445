"""The first network of Keras' tutorials, 784-128-10 with dropout, on MNIST's digits and on Fashion-MNIST's garments.

784 pixels, 128 units of ReLU, of whose outputs each training step drops a fifth, and 10 classes by softmax
cross-entropy; initial weights are drawn as Keras draws them, uniform after Glorot; Adam, batches of 32. A net with
this many weights begins to learn its training images by heart: after some epochs it gets better on them alone. Dropout
puts that off. In Keras it is

    model = keras.Sequential([keras.Input((784,)), Dense(128, "relu"), Dropout(0.2), Dense(10, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", ["accuracy"])
    model.fit(x, t, epochs=10, batch_size=32, validation_data=(x_test, t_test))

Run it with `python examples/keras_784_128_10.py`, or `--data fashion_mnist`. On MNIST it prints:

            loss  accuracy  val_loss  val_accuracy
    epoch
    1     0.3036    0.9623    0.1345        0.9600
    2     0.1434    0.9731    0.1052        0.9679
    ...
    10    0.0434    0.9943    0.0671        0.9804
    test accuracy: 0.9804

"loss" is the mean over an epoch's steps, with dropout and while the net still learns; the others are taken after the
epoch. Its figure shows all four. The data is found or downloaded by `fastnn.datasets`; `--data digits` trains 64-128-10
on the 8x8 digits that ship with fastnn.
"""

from __future__ import annotations

from lesson import load, options, save

import fastnn


def main(argv: list[str] | None = None) -> None:
    """Train, and test."""
    parser = options(__doc__)
    parser.add_argument("--data", default="mnist", choices=("mnist", "fashion_mnist", "digits"))
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(argv)

    (x, t), (x_test, t_test) = load(chosen.data)
    net = fastnn.MLP((x.shape[1], 128, 10), activation="relu", dropout=0.2, init="xavier_uniform", seed=chosen.seed)
    history = net.fit(
        x,
        t,
        optimizer=fastnn.Adam(lr=1e-3),
        epochs=chosen.epochs,
        batch_size=32,
        validation_data=(x_test, t_test),
        metrics=["accuracy"],
        train_metrics=True,
        progress=False,
    )
    print(history.frame[["loss", "accuracy", "val_loss", "val_accuracy"]].to_string(float_format="%.4f"))
    print(f"test accuracy: {net.evaluate(x_test, t_test)['accuracy']:.4f}")
    if chosen.out:
        save(history.plot(), chosen.out / f"keras_784_128_10_{chosen.data}.png")


if __name__ == "__main__":
    main()
