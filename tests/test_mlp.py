"""The multi-layer perceptron against its NumPy twin and PyTorch, its contract, and a network that learns digits."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import fastnn
from fastnn.reference.mlp import MLP as Twin
from fastnn.step.plan import BLOCK_ROWS

OPTIMIZERS = [
    ("SGD", {"lr": 0.5}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("Adam", {"lr": 0.01}),
    ("Adam", {"lr": 0.01, "beta1": 0.8, "beta2": 0.99, "eps": 1e-6, "weight_decay": 0.01}),
]
STEPS = 10


def batches(net_sizes, loss, dtype, rng, n=9):
    for _ in range(STEPS):
        x = rng.standard_normal((n, net_sizes[0])).astype(dtype)
        if loss == "softmax_cross_entropy":
            yield x, rng.integers(0, net_sizes[-1], n)
        else:
            yield x, rng.standard_normal((n, net_sizes[-1])).astype(dtype)


def assert_same_trajectory(net, twin, own, theirs, data, dtype: str, lr: float) -> None:
    """Each step adds roundings of a sum over the widest layer; an update multiplies them by lr. Adam divides by the
    root of a small number, which can make a few of them the whole of a step: such weights are bounded by steps."""
    eps = float(np.finfo(dtype).eps)
    for x, t in data:
        expected = twin.train_step(x, t, theirs)
        assert net.train_step(x, t, own) == pytest.approx(expected, rel=100 * eps, abs=100 * eps)
    for w, v in zip(net.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(w, v, rtol=0, atol=STEPS * 100 * eps * max(lr, np.abs(v).max()))


@pytest.mark.parametrize(("name", "numbers"), OPTIMIZERS)
@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "mean_squared_error"])  # the others: tests/losses
@pytest.mark.parametrize("activation", ["sigmoid", "relu", "gelu"])  # the slope of y, y or 0, the slope of x
def test_trajectory_of_the_twin(activation, loss, name, numbers, dtype, rng) -> None:
    sizes = (13, 7, 5, 4)
    net, twin = (kind(sizes, activation, loss, dtype=dtype) for kind in (fastnn.MLP, Twin))
    own, theirs = (getattr(fastnn, name)(**numbers) for _ in range(2))
    assert_same_trajectory(net, twin, own, theirs, batches(sizes, loss, dtype, rng), dtype, numbers["lr"])


# The last has a layer without numbers, layers with numbers of their own, and layers that keep their inputs.
ACTIVATIONS = [
    *fastnn.Activation.by_name,
    *((name, item.example) for name, item in fastnn.Activation.by_name.items() if item.numbers),
    ["tanh", ("leaky_relu", 0.3), "gelu", ("elu", 0.5), "relu", ("leaky_relu", {"negative_slope": 0.1})],
]


@pytest.mark.parametrize("n", [1, 40, 150])  # one row; a row block; several
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
def test_trajectory_with_every_activation(activation, n, dtype, rng) -> None:
    sizes = (13, 21, 16, 4) if not isinstance(activation, list) else (13, 21, 16, 7, 48, 5, 9, 4)
    # The exponential of an exponential makes steps that overflow, unless it begins with small weights.
    made_of = {"init": 0.1 if activation == "exponential" else None, "dtype": dtype}
    net, twin = (kind(sizes, activation, "mean_squared_error", **made_of) for kind in (fastnn.MLP, Twin))
    data = batches(sizes, "mean_squared_error", dtype, rng, n)
    assert_same_trajectory(net, twin, fastnn.SGD(0.05), fastnn.SGD(0.05), data, dtype, 0.05)
    x = rng.standard_normal((n, 13)).astype(dtype)
    np.testing.assert_allclose(net.forward(x), twin.forward(x), rtol=0, atol=1000 * np.finfo(dtype).eps)


@pytest.mark.parametrize("sizes", [(3, 2), (2, 3, 2, 2), (1, 1, 2), (64, 33, 17, 9, 5), (784, 50, 10)])
@pytest.mark.parametrize("n", [1, 2, 33, BLOCK_ROWS, BLOCK_ROWS + 1, 300])
def test_trajectory_at_any_depth_and_batch(sizes, n, dtype, rng) -> None:
    net, twin = fastnn.MLP(sizes, dtype=dtype), Twin(sizes, dtype=dtype)
    data = batches(sizes, "softmax_cross_entropy", dtype, rng, n)
    assert_same_trajectory(net, twin, fastnn.SGD(0.1), fastnn.SGD(0.1), data, dtype, 0.1)


# Columns that fill no vector lie apart: beside panels and alone, an odd number and one, first, in the middle and last.
@pytest.mark.parametrize("sizes", [(64, 48, 35, 5), (32, 16, 10), (16, 17, 32, 1), (48, 50)])
@pytest.mark.parametrize("n", [1, 7, 33, 65, 150])
@pytest.mark.parametrize(
    ("name", "numbers"), [("SGD", {"lr": 0.05}), ("SGD", {"lr": 0.01, "momentum": 0.9}), OPTIMIZERS[4]]
)
def test_trajectory_with_tail_columns(name, numbers, n, sizes, dtype, rng) -> None:
    loss = "softmax_cross_entropy" if sizes[-1] > 1 else "mean_squared_error"
    net, twin = fastnn.MLP(sizes, "tanh", loss, dtype=dtype), Twin(sizes, "tanh", loss, dtype=dtype)
    own, theirs = (getattr(fastnn, name)(**numbers) for _ in range(2))
    assert_same_trajectory(net, twin, own, theirs, batches(sizes, loss, dtype, rng, n), dtype, numbers["lr"])


@pytest.mark.parametrize("n", [1, 7])
def test_long_tail_columns_are_updated_in_blocks(n, dtype, rng) -> None:
    """Ten rows of more than a block together."""
    net, twin = fastnn.MLP((2000, 10), dtype=dtype), Twin((2000, 10), dtype=dtype)
    own, theirs = fastnn.Adam(0.01), fastnn.Adam(0.01)
    data = batches((2000, 10), "softmax_cross_entropy", dtype, rng, n)
    assert_same_trajectory(net, twin, own, theirs, data, dtype, 0.01)


@pytest.mark.parametrize(("name", "numbers"), [OPTIMIZERS[0], OPTIMIZERS[3], OPTIMIZERS[4]])
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu", "elu", "gelu", "mish"])
def test_trajectory_of_torch(activation, name, numbers, rng) -> None:
    torch = pytest.importorskip("torch")
    numbers = {k: v for k, v in numbers.items() if k not in ("beta1", "beta2")}
    sizes = (13, 7, 4)
    net = fastnn.MLP(sizes, activation, dtype="float64")
    weights = [torch.tensor(w, requires_grad=True) for w in net.get_weights()]
    theirs, own = getattr(torch.optim, name)(weights, **numbers), getattr(fastnn, name)(**numbers)
    for x, t in batches(sizes, "softmax_cross_entropy", "float64", rng):
        w1, b1, w2, b2 = weights
        z = getattr(torch.nn.functional, activation)(torch.tensor(x) @ w1 + b1) @ w2 + b2
        loss = torch.nn.functional.cross_entropy(z, torch.tensor(t))
        theirs.zero_grad()
        loss.backward()
        theirs.step()
        assert net.train_step(x, t, own) == pytest.approx(loss.item(), rel=1e-12)
    for w, v in zip(net.get_weights(), weights, strict=True):
        np.testing.assert_allclose(w, v.detach().numpy(), rtol=1e-9, atol=1e-11)


def test_gradient_by_finite_differences(rng) -> None:
    """One step of SGD is the gradient: the kernel's against central differences of its own loss."""
    x, t = rng.standard_normal((5, 2)), rng.integers(0, 2, 5)
    net = fastnn.MLP((2, 3, 2, 2), "tanh", dtype="float64")
    start = net.get_weights()

    def loss_at(weights):
        net.set_weights(weights)
        return float(fastnn.softmax_cross_entropy(net.forward(x), t)[0])

    net.train_step(x, t, fastnn.SGD(lr=1.0))
    moved = [before - after for before, after in zip(start, net.get_weights(), strict=True)]
    for k, gradient in enumerate(moved):
        for at in np.ndindex(gradient.shape):
            above, below = ([w.copy() for w in start] for _ in range(2))
            above[k][at] += 1e-5
            below[k][at] -= 1e-5
            assert gradient[at] == pytest.approx((loss_at(above) - loss_at(below)) / 2e-5, rel=1e-6, abs=1e-9)


def test_forward_and_predictions_are_the_twins(dtype, rng) -> None:
    net, twin = fastnn.MLP((13, 7, 4), dtype=dtype), Twin((13, 7, 4), dtype=dtype)
    for n in (0, 1, 9):
        x = rng.standard_normal((n, 13)).astype(dtype)
        for name in ("forward", "predict_proba", "predict"):
            found, expected = getattr(net, name)(x), getattr(twin, name)(x)
            assert found.shape == expected.shape
            assert found.dtype == expected.dtype
            np.testing.assert_allclose(found, expected, rtol=0, atol=20 * np.finfo(dtype).eps)


def test_regression_predicts_its_output(rng) -> None:
    """The notes' one-unit regression, y = 2 x + 1, from targets (n,)."""
    x = rng.standard_normal((64, 1))
    t = 2 * x[:, 0] + 1
    net = fastnn.MLP((1, 1), loss="mean_squared_error", dtype="float64")
    optimizer = fastnn.SGD(lr=0.1)
    losses = [net.train_step(x, t, optimizer) for _ in range(300)]
    assert losses[-1] < 1e-12
    np.testing.assert_allclose(net.predict(np.array([[3.0]])), [[7.0]], rtol=1e-5)


def test_rows_of_probabilities_are_targets_too(rng) -> None:
    x, t = rng.standard_normal((9, 13)).astype(np.float32), rng.integers(0, 4, 9)
    one, two = fastnn.MLP((13, 7, 4)), fastnn.MLP((13, 7, 4))
    assert one.train_step(x, t, fastnn.SGD(0.1)) == pytest.approx(
        two.train_step(x, fastnn.one_hot(t, classes=4), fastnn.SGD(0.1)), rel=1e-6
    )
    for w, v in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_allclose(w, v, atol=1e-7)


def test_the_notes_network_learns_digits() -> None:
    """64-50-10, sigmoid, softmax cross-entropy and SGD, as the notes train it on the full-size digits."""
    (x, t), (x_test, t_test) = fastnn.datasets.load("digits")
    net = fastnn.MLP((64, 50, 10), activation="sigmoid", seed=0)
    optimizer, order = fastnn.SGD(lr=1.0), np.random.default_rng(0)
    for _ in range(60):
        rows = order.permutation(len(x))
        for start in range(0, len(x), 50):
            batch = rows[start : start + 50]
            net.train_step(x[batch], t[batch], optimizer)
    assert fastnn.accuracy(net.forward(x_test), t_test) >= 0.95
    np.testing.assert_array_equal(net.predict(x_test), net.predict_proba(x_test).argmax(axis=1))


def test_weights_go_in_and_come_out(dtype) -> None:
    net = fastnn.MLP((3, 4, 2), dtype=dtype)
    weights = [np.arange(w.size, dtype=dtype).reshape(w.shape) for w in net.get_weights()]
    net.set_weights(weights)
    for w, v in zip(net.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(w, v)
        assert w.dtype == dtype
    net.get_weights()[0][...] = -1
    np.testing.assert_array_equal(net.get_weights()[0], weights[0])


def test_each_layer_is_drawn_for_its_activation() -> None:
    """Before its activation; and the last as the layer before."""
    mixed = fastnn.MLP((400, 300, 300, 200), activation=["tanh", "relu"]).get_weights()
    alike = {name: fastnn.MLP((400, 300, 300, 200), activation=name).get_weights() for name in ("tanh", "relu")}
    for k, name in enumerate(("tanh", "relu", "relu")):
        np.testing.assert_array_equal(mixed[2 * k], alike[name][2 * k])
        assert not np.array_equal(alike["tanh"][2 * k], alike["relu"][2 * k])


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("relu", "relu"),
        ("swish", "silu"),
        (("leaky_relu", 0.01), "leaky_relu"),
        (("leaky_relu", {"negative_slope": 0.2}), ("leaky_relu", 0.2)),
        (["tanh", "tanh"], "tanh"),
        (["tanh", ("elu", 0.5)], ("tanh", ("elu", 0.5))),
        ([["elu", 0.5], fastnn.Activation.by_name["elu"]], (("elu", 0.5), "elu")),
    ],
)
def test_activation_tells_how_to_build_the_same_net(given, found) -> None:
    net = fastnn.MLP((3, 4, 4, 2), activation=given)
    assert net.activation == found
    assert f"activation={found!r}" in repr(net)
    copies = [fastnn.MLP(net.sizes, activation=net.activation), *(copied(net) for copied in COPIES.values())]
    x = np.linspace(-1, 1, 9, dtype=np.float32).reshape(3, 3)
    for other in copies:
        assert other.activation == found
        np.testing.assert_array_equal(other.forward(x), net.forward(x))


def test_one_optimizer_trains_two_nets_apart(rng) -> None:
    x, t = rng.standard_normal((9, 13)).astype(np.float32), rng.integers(0, 4, 9)
    shared, one, two = fastnn.Adam(0.01), fastnn.MLP((13, 4)), fastnn.MLP((13, 7, 4))
    alone = fastnn.MLP((13, 4))
    own = fastnn.Adam(0.01)
    for _ in range(3):
        one.train_step(x, t, shared)
        two.train_step(x, t, shared)
        alone.train_step(x, t, own)
    np.testing.assert_array_equal(one.get_weights()[0], alone.get_weights()[0])


COPIES = {"copy": copy.copy, "deepcopy": copy.deepcopy, "pickle": lambda value: pickle.loads(pickle.dumps(value))}


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_copies_train_on_their_own(copied, rng) -> None:
    x, t = rng.standard_normal((80, 7)).astype(np.float32), rng.integers(0, 3, 80)
    net, optimizer = fastnn.MLP((7, 6, 3)), fastnn.SGD(lr=0.1)
    net.train_step(x, t, optimizer)
    before = net.get_weights()
    other, expected = copied(copied(net)), copy.deepcopy(net)
    assert other.dtype is net.dtype, "by which arrays are told"
    assert other.train_step(x, t, optimizer) == expected.train_step(x, t, fastnn.SGD(lr=0.1))
    for mine, its, one, was in zip(net.get_weights(), other.get_weights(), expected.get_weights(), before, strict=True):
        np.testing.assert_array_equal(its, one)
        np.testing.assert_array_equal(mine, was)


def test_a_pickle_holds_weights_without_padding() -> None:
    """And so is of the same size, and can be read, on any CPU."""
    net = fastnn.MLP((784, 50, 10))
    weights = sum(w.nbytes for w in net.get_weights())
    assert weights < len(pickle.dumps(net)) < 1.01 * weights


@pytest.mark.parametrize("name", ["sizes", "activation", "loss", "dtype", "layout", "learning_rate"])
def test_attributes_cannot_be_set(name) -> None:
    """A net whose loss changed would keep the kernel of the other."""
    net = fastnn.MLP((7, 6, 3))
    with pytest.raises(AttributeError, match=f"^{name}: .*cannot be set"):
        setattr(net, name, "tanh")


def test_no_probabilities_after_a_squared_error() -> None:
    net = fastnn.MLP((3, 4, 2), loss="mean_squared_error")
    with pytest.raises(ValueError, match="^predict_proba: .*mean_squared_error.*use predict"):
        net.predict_proba(GOOD_X)


def test_learning_rate_can_change_between_steps(rng) -> None:
    x, t = rng.standard_normal((9, 13)).astype(np.float32), rng.integers(0, 4, 9)
    net, optimizer = fastnn.MLP((13, 4)), fastnn.SGD(lr=0.1)
    w = net.get_weights()[0]
    net.train_step(x, t, optimizer)
    first = np.abs(net.get_weights()[0] - w).max()
    net.set_weights([w, np.zeros(4)])
    optimizer.lr = 0.2
    net.train_step(x, t, optimizer)
    assert np.abs(net.get_weights()[0] - w).max() == pytest.approx(2 * first, rel=1e-4)


def test_optimizers_by_turns(rng) -> None:
    sizes = (13, 7, 4)
    net, twin = fastnn.MLP(sizes), Twin(sizes)
    own = fastnn.SGD(0.1), fastnn.Adam(0.01)
    theirs = fastnn.SGD(0.1), fastnn.Adam(0.01)
    for k, batch in enumerate(batches(sizes, "softmax_cross_entropy", "float32", rng)):
        # The second time the kernel looks at the arrays by itself.
        assert_same_trajectory(net, twin, own[k % 2], theirs[k % 2], [batch] * 2, "float32", 0.1)


def test_batches_of_every_size_by_turns(dtype, rng) -> None:
    """A larger one makes the net reserve more room, and the kernel no longer looks at it by itself."""
    sizes = (5, 300, 3)  # fewer inputs than a tile of the micro-kernel has rows
    net, twin = (kind(sizes, dtype=dtype) for kind in (fastnn.MLP, Twin))
    data = [
        (rng.standard_normal((n, 5)).astype(dtype), rng.integers(0, 3, n))
        for n in (1, 64, 65, 64, 1, 700, 9, 3000, 64, 2)
    ]
    assert_same_trajectory(net, twin, fastnn.SGD(0.1), fastnn.SGD(0.1), data, dtype, 0.1)


def test_momentum_can_begin_between_steps(rng) -> None:
    """Its velocity is then zero, as that of a new optimizer."""
    sizes = (13, 7, 4)
    net, twin, own = fastnn.MLP(sizes), Twin(sizes), fastnn.SGD(0.1)
    data = list(batches(sizes, "softmax_cross_entropy", "float32", rng))
    assert_same_trajectory(net, twin, own, fastnn.SGD(0.1), data[:3], "float32", 0.1)
    own.momentum = 0.9
    theirs = fastnn.SGD(0.1, momentum=0.9)
    assert_same_trajectory(net, twin, own, theirs, data[3:], "float32", 0.1)


def test_a_layer_wider_than_a_block(rng) -> None:
    """More outputs than the scratch of a worker has elements."""
    sizes = (3, 20_000, 2)
    net, twin = fastnn.MLP(sizes), Twin(sizes)
    own, theirs = fastnn.Adam(0.01), fastnn.Adam(0.01)
    batch = rng.standard_normal((9, 3)).astype("float32"), rng.integers(0, 2, 9)
    assert_same_trajectory(net, twin, own, theirs, [batch] * 2, "float32", 0.01)


@pytest.mark.parametrize("sizes", [(5, 6, 7, 3), (33, 17, 20, 3), (20, 70, 59, 4)])
@pytest.mark.parametrize("n", [1, 3, 65])  # a row block of one row; of a few; both kinds
def test_padding_takes_no_part(sizes, n, dtype, rng) -> None:
    """Without eps, Adam divides 0 by 0 where weights are padded, and nowhere else."""
    nets = [kind(sizes, "tanh", "mean_squared_error", dtype=dtype) for kind in (fastnn.MLP, Twin)]
    adams = [fastnn.Adam(1e-3, eps=0.0) for _ in nets]
    for _ in range(3):
        nets[1].set_weights(nets[0].get_weights())
        x, t = (rng.standard_normal((n, width)).astype(dtype) for width in (sizes[0], sizes[-1]))
        mine, expected = (net.train_step(x, t, adam) for net, adam in zip(nets, adams, strict=True))
        assert mine == pytest.approx(expected, rel=1e-4)
        assert all(np.isfinite(w).all() for w in nets[0].get_weights())


def test_nan_in_comes_out() -> None:
    net = fastnn.MLP((3, 4, 2))
    x = np.array([[1, np.nan, 2], [1, 1, 2]], np.float32)
    z = net.forward(x)
    assert np.isnan(z[0]).all()
    assert np.isfinite(z[1]).all()
    assert np.isnan(net.train_step(x, np.array([0, 1]), fastnn.SGD(0.1)))


@pytest.mark.parametrize("layout", ["strided", "fortran", "read-only"])
def test_layout_makes_no_difference(layout, rng) -> None:
    x, t = rng.standard_normal((8, 6)).astype(np.float32), rng.integers(0, 4, 8)
    if layout == "strided":
        other = np.repeat(x, 2, axis=1)[:, ::2]
        labels = np.repeat(t, 2)[::2]
    else:
        other, labels = np.asfortranarray(x), t.copy()
        other.flags.writeable = labels.flags.writeable = layout != "read-only"
    one, two = fastnn.MLP((6, 5, 4)), fastnn.MLP((6, 5, 4))
    own, theirs = fastnn.SGD(0.1), fastnn.SGD(0.1)
    for _ in range(2):  # the second time the kernel looks at the arrays by itself
        assert one.train_step(x, t, own) == two.train_step(other, labels, theirs)
    np.testing.assert_array_equal(one.get_weights()[0], two.get_weights()[0])


GOOD_X, GOOD_T = np.ones((4, 3), np.float32), np.array([0, 1, 1, 0])


@pytest.mark.parametrize(
    ("x", "t", "error", "message"),
    [
        (np.ones((4, 5), np.float32), GOOD_T, ValueError, r"^x: got shape \(4, 5\), expected \(n, 3\)"),
        (np.ones(3, np.float32), GOOD_T, ValueError, r"^x: got shape \(3,\), expected \(n, 3\)"),
        (np.ones((0, 3), np.float32), GOOD_T[:0], ValueError, r"^x: got 0 rows"),
        (np.ones((4, 3)), GOOD_T, TypeError, r"^x: got dtype float64, expected float32, the net's dtype; convert"),
        (np.ones((4, 3), int), GOOD_T, TypeError, r"^x: got dtype int64"),
        (GOOD_X, GOOD_T[:3], ValueError, r"^t: got 3 labels, expected 4"),
        (GOOD_X, np.array([0, 1, 2, 0]), ValueError, r"^t: got label 2 at position 2, expected labels from 0 to 1"),
        (GOOD_X, np.array([0, -1, 1, 0]), ValueError, r"^t: got label -1 at position 1"),
        (
            GOOD_X,
            np.array([0, np.nan, 1, 0]),
            TypeError,
            r"^t: got dtype float64 without a label at position 1, expected integer labels",
        ),
        (GOOD_X, np.ones((4, 3), np.float32), ValueError, r"^t: got shape \(4, 3\), expected \(4, 2\)"),
        (GOOD_X, np.ones((4, 2)), TypeError, r"^t: got dtype float64, expected float32"),
        (GOOD_X, GOOD_T[:, None], ValueError, r"^t: got integers of shape \(4, 1\), expected labels of shape \(n,\)"),
        (np.ma.array(GOOD_X, mask=False), GOOD_T, TypeError, "^x: got a masked array"),
        (GOOD_X, np.ma.array(GOOD_T, mask=False), TypeError, "^t: got a masked array"),
    ],
)
@pytest.mark.parametrize("steps_before", [0, 1])  # after the first the kernel looks at the arrays by itself
def test_bad_batches_change_nothing(x, t, error, message, steps_before) -> None:
    net, optimizer = fastnn.MLP((3, 4, 2)), fastnn.Adam()
    fresh, another = fastnn.MLP((3, 4, 2)), fastnn.Adam()
    for _ in range(steps_before):
        net.train_step(GOOD_X, GOOD_T, optimizer)
        fresh.train_step(GOOD_X, GOOD_T, another)
    before = net.get_weights()
    with pytest.raises(error, match=message):
        net.train_step(x, t, optimizer)
    for w, v in zip(net.get_weights(), before, strict=True):
        np.testing.assert_array_equal(w, v)
    assert net.train_step(GOOD_X, GOOD_T, optimizer) == fresh.train_step(GOOD_X, GOOD_T, another)
    np.testing.assert_array_equal(net.get_weights()[0], fresh.get_weights()[0])


def test_every_kind_of_targets_after_every_other(dtype, rng) -> None:
    """The kernel takes arrays such as the last ones by itself; these are not."""
    x = rng.standard_normal((6, 5)).astype(dtype)
    labels = rng.integers(0, 3, 6)
    rows = np.eye(3, dtype=dtype)[labels]
    net, twin = (kind((5, 4, 3), dtype=dtype) for kind in (fastnn.MLP, Twin))
    own, theirs = fastnn.SGD(0.1), fastnn.SGD(0.1)
    others = labels.astype("int32"), labels.tolist(), rows[:, ::-1]
    eps = float(np.finfo(dtype).eps)
    for t in (labels, rows, rows[:2], rows, *others, labels[:4], labels):
        expected = twin.train_step(x[: len(t)], np.asarray(t), theirs)
        assert net.train_step(x[: len(t)], t, own) == pytest.approx(expected, rel=100 * eps, abs=100 * eps)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"sizes": (3,)}, ValueError, "^sizes: got"),
        ({"sizes": 4}, TypeError, "^sizes: got 4, expected a sequence"),
        ({"sizes": np.array(4)}, TypeError, r"^sizes: got array\(4\), expected a sequence"),
        ({"sizes": "784"}, TypeError, "^sizes: got '784'"),
        ({"sizes": (3, 1)}, ValueError, "^sizes: got .*at least 2 outputs with softmax_cross_entropy"),
        ({"sizes": (3, 2), "activation": ["relu"]}, ValueError, "^activation: got 1 activations, expected 0"),
        (
            {"sizes": (3, 4, 5, 2), "activation": ("relu", "tanh", "relu")},
            ValueError,
            "^activation: got 3 activations, expected 2, one for each hidden layer, or one for all$",
        ),
        (
            {"sizes": (3, 4, 2), "activation": ("leaky_relu", "x")},
            ValueError,
            r'^activation: got 2 activations, expected 1, .*; numbers .* given as \("leaky_relu", \{"negative_slope"',
        ),
        (
            {"sizes": (3, 4, 5, 2), "activation": ("relu", "hinge")},
            ValueError,
            r"^activation\[1\]: got 'hinge', expected one of",
        ),
        (
            {"sizes": (3, 4, 5, 2), "activation": ["relu", ("elu", -1.0)]},
            ValueError,
            r"^activation\[1\]: alpha: got -1.0, expected",
        ),
        ({"sizes": (3, 2), "seed": "a"}, ValueError, "^seed: got 'a'"),
        ({"sizes": (3, 2), "seed": -1}, ValueError, "^seed: got -1"),
        ({"sizes": (3, 0, 2)}, ValueError, r"^sizes\[1\]: got 0"),
        ({"sizes": (3, 2.5)}, TypeError, r"^sizes\[1\]: got 2.5"),
        ({"sizes": (3, 2), "activation": "hinge"}, ValueError, "^activation: got 'hinge', expected one of 'sigmoid'"),
        ({"sizes": (3, 2), "loss": "absolute"}, ValueError, "^loss: got 'absolute', expected one of 'softmax_cross"),
        ({"sizes": (3, 2), "dtype": "float16"}, TypeError, "^dtype: got 'float16'"),
        ({"sizes": (3, 2), "init": "random"}, ValueError, "^init: got 'random'"),
        ({"sizes": (3, 2), "init": -1.0}, ValueError, "^init: got -1.0"),
    ],
)
def test_bad_nets_are_refused(arguments, error, message) -> None:
    with pytest.raises(error, match=message):
        fastnn.MLP(**arguments)


@pytest.mark.parametrize(
    ("weights", "error", "message"),
    [
        (lambda good: good[:3], ValueError, "^weights: got 3 arrays, expected 4"),
        (lambda good: [good[0].T, *good[1:]], ValueError, r"^weights\[0\]: got shape \(4, 3\), expected \(3, 4\)"),
        (lambda good: [*good[:3], np.array(["a", "b"])], TypeError, r"^weights\[3\]: got dtype <U1"),
        (
            lambda good: [*good[:3], np.array([1e300, 1])],
            ValueError,
            r"^weights\[3\]: got 1e\+300, .* range of float32",
        ),
        (lambda good: None, TypeError, "^weights: got None, expected a sequence"),
    ],
)
def test_bad_weights_change_nothing(weights, error, message) -> None:
    net = fastnn.MLP((3, 4, 2))
    before = net.get_weights()
    with pytest.raises(error, match=message):
        net.set_weights(weights([w + 1 for w in before]))
    for w, v in zip(net.get_weights(), before, strict=True):
        np.testing.assert_array_equal(w, v)


def test_optimizer_must_be_one() -> None:
    net = fastnn.MLP((3, 2))
    for wrong in ("adam", "adam", None, fastnn.Adam):
        with pytest.raises(TypeError, match="^optimizer: got .*, expected one of fastnn's optimizers"):
            net.train_step(GOOD_X, GOOD_T, wrong)


@pytest.mark.parametrize(
    ("loss", "outputs", "answer"),
    [
        ("softmax_cross_entropy", 3, 0),
        ("sigmoid_cross_entropy", 1, 0),
        ("hinge", 1, -1),
        ("poisson", 1, np.nan),
        ("mean_squared_error", 1, np.nan),
    ],
)
def test_what_is_predicted_of_nan(loss, outputs, answer) -> None:
    """Of a row with a NaN, as the docstring says; the other rows do not know of it."""
    net = fastnn.MLP((2, outputs), loss=loss)
    x = np.array([[1, 2], [np.nan, 0], [2, 1]], np.float32)
    found = net.predict(x)
    np.testing.assert_array_equal(found[1], np.full_like(found[1], answer))
    np.testing.assert_array_equal(found[[0, 2]], net.predict(x[[0, 2]]))
    if loss.endswith("cross_entropy"):
        assert np.isnan(net.predict_proba(x)[1]).all()
