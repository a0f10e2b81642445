"""What a user's typed code looks like: `mypy` must accept it, and refuse each line that is marked as an error.

Not run by pytest. `warn_unused_ignores` makes a marked line that is no error an error.
"""

from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

import fastnn


def train(x: NDArray[np.float32], t: NDArray[np.int64]) -> float:
    """A net from its making to its weights."""
    net = fastnn.MLP((784, 50, 10), activation="relu", loss="softmax_cross_entropy", init=0.01, seed=None)
    optimizer = fastnn.Adam(lr=1e-3)
    loss = net.train_step(x, t, optimizer)
    assert_type(loss, float)
    assert_type(net.sizes, tuple[int, ...])
    assert net.activation == "relu"
    fastnn.MLP((784, 50, 20, 10), ("relu", ("leaky_relu", 0.2)))
    assert net.predict(x).shape == net.predict_proba(x)[:, 0].shape
    weights = net.get_weights()
    net.set_weights([w.tolist() for w in weights])
    optimizer.lr = 0.0
    optimizer.lr = fastnn.schedules.WarmUp(100, fastnn.schedules.Cosine(1e-3, total_steps=10_000))
    plateau = fastnn.schedules.ReduceOnPlateau(0.1)
    plateau.step(net.train_step(x, t, fastnn.AdamW(plateau, weight_decay=0.1)))
    assert_type(plateau(0), float)
    fastnn.set_num_threads(fastnn.get_num_threads())
    net.save("net.npz", optimizer=False)
    assert_type(fastnn.load("net.npz"), fastnn.MLP)
    assert_type(fastnn.interop.from_keras(net.get_weights(), activation="relu", loss="huber", l2=0.1), fastnn.MLP)
    return loss


class Patience(fastnn.callbacks.Callback):
    """A callback of the user's own."""

    def on_epoch_end(self, training: fastnn.callbacks.Training) -> bool:
        """Stop at a loss that is small enough."""
        return training.logs["loss"] < 0.01 or training.net.epochs > 100


def fit(x: NDArray[np.float32], t: NDArray[np.int64]) -> float:
    """A net trained for epochs, its history and what it is worth."""
    net = fastnn.MLP((784, 50, 10))
    best = fastnn.callbacks.EarlyStopping("val_accuracy", patience=5)
    history = net.fit(
        x,
        t,
        optimizer=fastnn.SGD(lr=0.1),
        validation_split=0.1,
        stratify=True,
        metrics=[
            "accuracy",
            ("top_k_accuracy", 3),
            "sklearn:f1_macro",
            lambda t, prediction: float((t == prediction).sum()),
        ],
        callbacks=[
            Patience(),
            best,
            fastnn.callbacks.Checkpoint("net-{epoch}.npz"),
            fastnn.callbacks.LearningRate(lambda epochs: 0.1 / (1 + epochs)),
            fastnn.callbacks.Lambda(lambda training: training.epoch == 3),
        ],
        on_nan="stop",
    )
    assert_type(history, fastnn.History)
    assert_type(history["loss"], list[float])
    assert_type(best.best, float | None)
    history.plot("curves.png")
    assert len(history.frame) == len(history.epochs)
    try:
        net.fit(lambda: ((x, t) for _ in range(3)), steps_per_epoch=2, progress=False)
    except fastnn.NonFiniteLossError as error:
        assert_type(error.step, int)
    return net.evaluate(x, t)["accuracy"]


def tools(x: NDArray[np.float32], t: NDArray[np.int64]) -> float:
    """A net with initial weights of the user's own, its gradients, and the numerical tools."""
    net = fastnn.MLP((784, 50, 10), init=lambda rng, shape: rng.laplace(size=shape))
    assert_type(fastnn.check_gradient(net, x, t, samples=None).index, tuple[int, ...])
    point, path = fastnn.gradient_descent(lambda x: (x**2).sum(), [3, 4], gradient=lambda x: 2 * x)
    assert point.shape == path[0].shape == fastnn.numerical_gradient(np.sum, point).shape
    return fastnn.numerical_diff(np.sin, 1)


def mistakes(net: fastnn.MLP, x: NDArray[np.float32], t: NDArray[np.int64]) -> None:
    """Each is found without running it."""
    net.train_step(x, t)  # type: ignore[call-arg]
    net.train_step(x, t, "adam")  # type: ignore[arg-type]
    net.fit(x, t, callbacks=[lambda training: True])  # type: ignore[list-item]
    net.fit(x, t, on_nan="warn")  # type: ignore[arg-type]
    net.loss = "mean_squared_error"  # type: ignore[misc]
    fastnn.MLP(784, 10)  # type: ignore[arg-type]
    fastnn.set_num_threads("2")  # type: ignore[arg-type]
    fastnn.set_thread_invariant()  # type: ignore[call-arg]


def kernels(z: NDArray[np.float32]) -> str:
    """Public functions carry their kernel, reference and signature."""
    p: NDArray[np.float32] = fastnn.softmax(z)
    fastnn.softmax(z, out=p)
    bare: Any = fastnn.softmax.kernel
    bare(z, p)
    assert np.allclose(fastnn.softmax.reference(z), p)
    (x, t), _ = fastnn.datasets.load("digits")
    assert len(x) == len(t)
    return fastnn.softmax.signature


class Schedule:
    """Items of the catalogue, and optimizers of any kind, as parameters."""

    def __init__(self, optimizer: fastnn.Optimizer, activation: fastnn.Activation, loss: fastnn.Loss) -> None:
        self.optimizer = optimizer
        self.net = fastnn.MLP((2, 3, 2), activation, loss)

    def numbers(self) -> dict[str, Any]:
        """The hyper-parameters."""
        return self.optimizer.values
