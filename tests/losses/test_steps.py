"""Losses in nets: trajectories of the twin and of PyTorch with every option, predictions, and what is refused."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import fastnn
from fastnn.reference.mlp import MLP as Twin

STEPS, INPUTS, OUTPUTS = 4, 5, 3
NAMES = list(fastnn.Loss.by_name)
CHOICES: list[Any] = [
    *NAMES,
    ("huber", {"delta": 0.3}),
    ("huber", 0.3),
    ("huber", {"reduction": "sum"}),
    ("sum_squared_error", {"reduction": "sum"}),
    ("kl_divergence", {"reduction": "sum"}),
    ("softmax_cross_entropy", {"label_smoothing": 0.1}),
    ("softmax_cross_entropy", {"class_weight": [1, 0, 2.5]}),
    ("softmax_cross_entropy", {"ignore_label": -100}),
    ("softmax_cross_entropy", {"ignore_label": 1, "reduction": "sum"}),
    ("softmax_cross_entropy", {"ignore_label": -1, "class_weight": (0.5, 1, 2), "label_smoothing": 0.2}),
    ("sigmoid_cross_entropy", {"class_weight": [1, 2, 3], "label_smoothing": 0.2}),
]


def name_of(choice: Any) -> str:
    return choice if isinstance(choice, str) else choice[0]


def targets(choice: Any, n: int, dtype: str, seed: int, labels: bool = False) -> np.ndarray:
    options = choice[1] if isinstance(choice, tuple) and isinstance(choice[1], dict) else {}
    if labels:
        t = np.random.default_rng(seed).integers(0, OUTPUTS, n)
        if "ignore_label" in options:
            t[::3] = options["ignore_label"]
        return t
    declaration = getattr(fastnn, name_of(choice)).declaration
    index = 1 if name_of(choice) == "softmax_cross_entropy" else 0
    return declaration.draw({"n": n, "o": OUTPUTS, "c": OUTPUTS}, dtype, seed=seed, signature_index=index)[1]


def assert_same_steps(choice: Any, n: int, dtype: str, weighted: bool, labels: bool, rng: np.random.Generator) -> None:
    net, twin = (kind((INPUTS, 6, OUTPUTS), "tanh", choice, dtype=dtype) for kind in (fastnn.MLP, Twin))
    scale = n if isinstance(choice, tuple) and isinstance(choice[1], dict) and "reduction" in choice[1] else 1
    own, theirs = (fastnn.SGD(0.1 / scale) for _ in range(2))
    eps = float(np.finfo(dtype).eps)
    for step in range(STEPS):
        x, t = rng.standard_normal((n, INPUTS)).astype(dtype), targets(choice, n, dtype, step, labels)
        weights = rng.random(n) * (rng.random(n) < 0.8) + 0.01 if weighted else None
        expected = twin.train_step(x, t, theirs, weights)
        found = net.train_step(x, t, own, weights)
        assert found == pytest.approx(expected, rel=100 * eps, abs=100 * eps, nan_ok=True)
    for w, v in zip(net.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(w, v, rtol=0, atol=STEPS * 100 * eps * max(1, np.abs(v).max()))


# Beyond one row block, which is at most 128 rows, gradients are stored.
@pytest.mark.parametrize("n", [1, 64, 200])
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_trajectory_of_the_twin(choice, weighted, n, dtype, rng) -> None:
    takes = fastnn.Loss.by_name[name_of(choice)]
    for labels in (False, True):
        if not labels or takes.takes_labels(OUTPUTS):
            assert_same_steps(choice, n, dtype, weighted, labels, rng)


@pytest.mark.parametrize("weighted", [False, True])
def test_labels_of_one_answer(weighted, dtype, rng) -> None:
    """Integers (n,), numbers (n,) and rows (n, 1) are the same targets."""
    x, t = rng.standard_normal((9, INPUTS)).astype(dtype), rng.integers(0, 2, 9)
    weights = rng.random(9) if weighted else None
    found = []
    for given in (t, t.astype(dtype), t.astype(dtype)[:, None]):
        net, twin = (kind((INPUTS, 1), loss="sigmoid_cross_entropy", dtype=dtype) for kind in (fastnn.MLP, Twin))
        optimizers = fastnn.SGD(0.5), fastnn.SGD(0.5)
        for _ in range(3):  # the kernel looks at the later ones by itself
            loss = net.train_step(x, given, optimizers[0], weights)
            assert loss == pytest.approx(
                twin.train_step(x, given, optimizers[1], weights), rel=100 * float(np.finfo(dtype).eps)
            )
        found.append((loss, net.get_weights()[0]))
    for loss, w in found[1:]:
        assert loss == found[0][0]
        np.testing.assert_array_equal(w, found[0][1])


@pytest.mark.parametrize(
    ("choice", "weighted"),
    [
        (("softmax_cross_entropy", {"label_smoothing": 0.1, "class_weight": [1, 2, 0.5], "ignore_label": -1}), False),
        (("softmax_cross_entropy", {"class_weight": [1, 2, 0.5]}), True),
        (("sigmoid_cross_entropy", {"class_weight": [1, 2, 0.5]}), False),
        ("mean_squared_error", True),
        (("huber", {"delta": 0.5}), True),
    ],
)
@pytest.mark.parametrize("n", [1, 64, 200])
def test_trajectory_of_torch(choice, weighted, n, rng) -> None:
    torch = pytest.importorskip("torch")
    F = torch.nn.functional
    net = fastnn.MLP((INPUTS, 6, OUTPUTS), "tanh", choice, dtype="float64")
    weights = [torch.tensor(w, requires_grad=True) for w in net.get_weights()]
    theirs, own = torch.optim.Adam(weights, lr=0.01), fastnn.Adam(lr=0.01)
    name, options = choice if isinstance(choice, tuple) else (choice, {})
    by_class = torch.tensor(options["class_weight"], dtype=torch.float64) if "class_weight" in options else None
    for step in range(STEPS):
        x, t = rng.standard_normal((n, INPUTS)), targets(choice, n, "float64", step, name.startswith("softmax"))
        if name.startswith("softmax"):
            t[0] = 0  # not all are ignored
        w1, b1, w2, b2 = weights
        z = torch.tanh(torch.tensor(x) @ w1 + b1) @ w2 + b2
        row = torch.tensor(rng.random(n)) if weighted else torch.ones(n, dtype=torch.float64)
        target = torch.tensor(t)
        if name == "softmax_cross_entropy":
            losses = F.cross_entropy(
                z, target, by_class, ignore_index=-1, reduction="none",
                label_smoothing=options.get("label_smoothing", 0.0),
            )  # fmt: skip
            counted = torch.where(target < 0, 0.0, by_class[target.clamp(min=0)] * row)
            loss = (losses * row).sum() / counted.sum()
        else:
            if name == "sigmoid_cross_entropy":
                losses = F.binary_cross_entropy_with_logits(z, target, pos_weight=by_class, reduction="none")
            elif name == "huber":
                losses = F.huber_loss(z, target, delta=options["delta"], reduction="none")
            else:
                losses = F.mse_loss(z, target, reduction="none")
            loss = (losses * row[:, None]).sum() / (row.sum() * OUTPUTS)
        theirs.zero_grad()
        loss.backward()
        theirs.step()
        given = row.numpy() if weighted else None
        assert net.train_step(x, t, own, sample_weight=given) == pytest.approx(loss.item(), rel=1e-12)
    for w, v in zip(net.get_weights(), weights, strict=True):
        np.testing.assert_allclose(w, v.detach().numpy(), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", NAMES)
def test_where_nothing_weighs_anything_no_weight_moves(name, dtype, rng) -> None:
    net = fastnn.MLP((INPUTS, 4, OUTPUTS), "tanh", name, dtype=dtype)
    before, x = net.get_weights(), rng.standard_normal((70, INPUTS)).astype(dtype)
    assert np.isnan(net.train_step(x, targets(name, 70, dtype, 0), fastnn.SGD(0.1), np.zeros(70)))
    for w, v in zip(net.get_weights(), before, strict=True):
        np.testing.assert_array_equal(w, v)


def test_all_labels_are_ignored(dtype, rng) -> None:
    net = fastnn.MLP((INPUTS, OUTPUTS), loss=("softmax_cross_entropy", {"ignore_label": -1}), dtype=dtype)
    before = net.get_weights()[0]
    x = rng.standard_normal((9, INPUTS)).astype(dtype)
    assert np.isnan(net.train_step(x, np.full(9, -1), fastnn.SGD(0.1)))
    np.testing.assert_array_equal(net.get_weights()[0], before)


def test_all_classes_of_a_batch_weigh_nothing(dtype, rng) -> None:
    choice = ("softmax_cross_entropy", {"class_weight": [0, 1, 1]})
    net, x, t = (
        fastnn.MLP((INPUTS, OUTPUTS), loss=choice, dtype=dtype),
        rng.standard_normal((9, INPUTS)),
        np.zeros(9, int),
    )
    before = net.get_weights()[0]
    assert np.isnan(net.train_step(x.astype(dtype), t, fastnn.SGD(0.1)))
    np.testing.assert_array_equal(net.get_weights()[0], before)
    loss, dz = fastnn.softmax_cross_entropy(np.ones((9, OUTPUTS), dtype), t, class_weight=[0, 1, 1])
    assert np.isnan(loss)
    np.testing.assert_array_equal(dz, 0)


@pytest.mark.parametrize("steps_before", [0, 2])  # after the first the kernel looks at the arrays by itself
def test_labels_are_checked_beside_the_ignored(steps_before, rng) -> None:
    choice = ("softmax_cross_entropy", {"ignore_label": -100})
    net, optimizer = fastnn.MLP((INPUTS, OUTPUTS), loss=choice), fastnn.SGD(0.1)
    x = rng.standard_normal((6, INPUTS)).astype(np.float32)
    for _ in range(steps_before):
        net.train_step(x, np.array([-100, 0, -100, 1, 2, -100]), optimizer)
    before = net.get_weights()[0]
    with pytest.raises(ValueError, match="^t: got label 3 at position 3, expected labels from 0 to 2"):
        net.train_step(x, np.array([-100, 0, -100, 3, -100, -1]), optimizer)
    with pytest.raises(ValueError, match="^t: got label -1 at position 5"):
        net.train_step(x, np.array([-100, 0, -100, 2, -100, -1]), optimizer)
    np.testing.assert_array_equal(net.get_weights()[0], before)
    plain = fastnn.MLP((INPUTS, OUTPUTS))
    for _ in range(2):
        with pytest.raises(ValueError, match="^t: got label -100 at position 0"):
            plain.train_step(x, np.array([-100, 0, 0, 1, 2, 0]), optimizer)
        plain.train_step(x, np.zeros(6, int), optimizer)


def test_steps_with_and_without_weights_by_turns(dtype, rng) -> None:
    net, twin = (kind((INPUTS, 6, OUTPUTS), dtype=dtype) for kind in (fastnn.MLP, Twin))
    own, theirs = fastnn.Adam(0.01), fastnn.Adam(0.01)
    eps = float(np.finfo(dtype).eps)
    for k, n in enumerate((9, 9, 9, 200, 9, 200, 1)):
        x, t = rng.standard_normal((n, INPUTS)).astype(dtype), rng.integers(0, OUTPUTS, n)
        weights = [None, rng.random(n), rng.integers(1, 4, n), rng.random(n).astype("float32").tolist()][k % 4]
        expected = twin.train_step(x, t, theirs, weights)
        assert net.train_step(x, t, own, weights) == pytest.approx(expected, rel=100 * eps)


@pytest.mark.parametrize("threads", [1, 2])
def test_many_workers_share_a_weighted_step(threads, dtype, rng) -> None:
    before = fastnn.get_num_threads()
    if threads > before:
        pytest.skip("has one thread")
    sizes, eps = (64, 200, OUTPUTS), float(np.finfo(dtype).eps)
    choice = ("softmax_cross_entropy", {"ignore_label": -1, "class_weight": [1, 2, 3]})
    net, twin = (kind(sizes, "relu", choice, dtype=dtype) for kind in (fastnn.MLP, Twin))
    n = net.rows_for_threads(2) + 1
    x, t = rng.standard_normal((n, 64)).astype(dtype), rng.integers(-1, OUTPUTS, n)
    weights = rng.random(n)
    try:
        fastnn.set_num_threads(threads)
        own, theirs = fastnn.SGD(0.1), fastnn.SGD(0.1)
        for _ in range(2):
            expected = twin.train_step(x, t, theirs, weights)
            assert net.train_step(x, t, own, weights) == pytest.approx(expected, rel=100 * eps)
    finally:
        fastnn.set_num_threads(before)


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_the_loss_builds_the_same_net_again(choice) -> None:
    net = fastnn.MLP((INPUTS, OUTPUTS), loss=choice)
    again = fastnn.MLP((INPUTS, OUTPUTS), loss=net.loss)
    assert again.loss == net.loss == pickle.loads(pickle.dumps(net)).loss
    if isinstance(choice, str):
        assert net.loss == choice
    elif isinstance(choice[1], dict):
        assert net.loss == (choice[0], {k: list(v) if isinstance(v, tuple) else v for k, v in choice[1].items()})
    assert repr(net.loss) in repr(net)


def test_defaults_are_left_out() -> None:
    choice = ("softmax_cross_entropy", {"label_smoothing": 0, "class_weight": None, "reduction": "mean"})
    assert fastnn.MLP((INPUTS, OUTPUTS), loss=choice).loss == "softmax_cross_entropy"
    assert fastnn.MLP((INPUTS, OUTPUTS), loss=fastnn.Loss.by_name["huber"]).loss == "huber"
    assert fastnn.MLP((INPUTS, OUTPUTS), loss=("huber", 1.0)).loss == "huber"


def test_a_copy_trains_as_its_original(rng) -> None:
    choice = ("softmax_cross_entropy", {"ignore_label": -1, "class_weight": [1, 2, 3], "label_smoothing": 0.1})
    net = fastnn.MLP((INPUTS, OUTPUTS), loss=choice)
    other = pickle.loads(pickle.dumps(net))
    x, t = rng.standard_normal((9, INPUTS)).astype(np.float32), rng.integers(-1, OUTPUTS, 9)
    assert other.train_step(x, t, fastnn.SGD(0.1)) == net.train_step(x, t, fastnn.SGD(0.1))
    np.testing.assert_array_equal(net.get_weights()[0], other.get_weights()[0])


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("name", fastnn.Loss.by_name)
def test_predictions_are_the_twins(name, outputs, dtype, rng) -> None:
    output = fastnn.Loss.by_name[name].output
    if output == "softmax" and outputs == 1:
        pytest.skip("needs two classes")
    net, twin = (kind((INPUTS, 4, outputs), "tanh", name, dtype=dtype) for kind in (fastnn.MLP, Twin))
    for n in (0, 1, 9):
        x = rng.standard_normal((n, INPUTS)).astype(dtype)
        z, found, expected = net.forward(x), net.predict(x), twin.predict(x)
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
        np.testing.assert_allclose(found, expected, rtol=0, atol=50 * np.finfo(dtype).eps)
        if output in ("softmax", "sigmoid"):
            p = net.predict_proba(x)
            assert (p.shape, p.dtype) == (z.shape, z.dtype)
            np.testing.assert_allclose(p, twin.predict_proba(x), rtol=0, atol=50 * np.finfo(dtype).eps)
            np.testing.assert_array_equal(p.argmax(axis=1) if output == "softmax" else np.squeeze(p > 0.5, axis=1)
                                          if outputs == 1 else p > 0.5, found)  # fmt: skip
        else:
            with pytest.raises(ValueError, match=f"^predict_proba: a net with the loss {name} predicts .*use predict"):
                net.predict_proba(x)
    known = {"sigmoid": {0, 1}, "sign": {-1, 1}}
    if output in known:
        assert set(found.flat) <= known[output]
        assert found.dtype == np.int64


@pytest.mark.parametrize(
    ("choice", "error", "message"),
    [
        (("huber", {"delta": 0}), ValueError, r"^delta: got 0, expected a number in \(0, inf\)"),
        (("huber", -1), ValueError, "^delta: got -1"),
        (("huber", "a"), TypeError, "^delta: got 'a'"),
        (("huber", {"gamma": 1}), ValueError, "^loss: got the option 'gamma' of huber, expected one of 'delta', 'red"),
        (("huber",), ValueError, r"^loss: got \('huber',\), expected a loss and its options"),
        (("absolute", {}), ValueError, r"^loss\[0\]: got 'absolute', expected one of"),
        (("mean_squared_error", 2), TypeError, r"^loss\[1\]: got 2, expected a dictionary"),
        (("mean_squared_error", {"sample_weight": [1]}), ValueError, "^loss: got the option 'sample_weight'"),
        (("huber", {"reduction": "none"}), ValueError, "^reduction: got 'none', expected one of 'mean', 'sum'"),
        (("softmax_cross_entropy", {"class_weight": [1, 2]}), ValueError, r"^class_weight: got shape \(2,\), .*\(3,\)"),
        (("softmax_cross_entropy", {"class_weight": [1, 2, -1]}), ValueError, "^class_weight: got -1.0 at position 2"),
        (("softmax_cross_entropy", {"ignore_label": 1.5}), TypeError, "^ignore_label: got 1.5"),
        (("softmax_cross_entropy", {"label_smoothing": 2}), ValueError, "^label_smoothing: got 2"),
        (("kl_divergence", {"class_weight": [1, 2, 3]}), ValueError, "^loss: got the option 'class_weight'"),
        (3, ValueError, "^loss: got 3"),
    ],
)
def test_losses_that_are_refused(choice, error, message) -> None:
    with pytest.raises(error, match=message):
        fastnn.MLP((INPUTS, OUTPUTS), loss=choice)


@pytest.mark.parametrize(
    ("weights", "error", "message"),
    [
        ([1, 2], ValueError, r"^sample_weight: got shape \(2,\), expected \(3,\), a weight for each row of x"),
        ([[1], [2], [3]], ValueError, r"^sample_weight: got shape \(3, 1\)"),
        (2.0, ValueError, r"^sample_weight: got shape \(\)"),
        ([1, 2, -3], ValueError, "^sample_weight: got -3.0 at position 2, expected finite weights of at least 0"),
        ([1, np.nan, 3], ValueError, "^sample_weight: got nan at position 1"),
        ([1, 2, np.inf], ValueError, "^sample_weight: got inf at position 2"),
        ("abc", TypeError, "^sample_weight: got dtype <U3, expected real numbers"),
    ],
)
@pytest.mark.parametrize("steps_before", [0, 1])
def test_weights_that_are_refused_change_nothing(weights, error, message, steps_before, rng) -> None:
    net, optimizer = fastnn.MLP((INPUTS, OUTPUTS)), fastnn.SGD(0.1)
    x, t = np.ones((3, INPUTS), np.float32), np.array([0, 1, 2])
    for _ in range(steps_before):
        net.train_step(x, t, optimizer)
    before = net.get_weights()[0]
    with pytest.raises(error, match=message):
        net.train_step(x, t, optimizer, weights)
    np.testing.assert_array_equal(net.get_weights()[0], before)
