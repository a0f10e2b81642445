"""Penalties of the weights, bounds of the gradient, and losses that are a square root: against the twin and PyTorch."""

from __future__ import annotations

from itertools import pairwise

import numba
import numpy as np
import pytest

import fastnn
from fastnn.reference.mlp import MLP as Twin

SIZES = (37, 70, 21, 3)
STEPS = 4

PENALTIES = {"none": {}, "l1": {"l1": 1e-3}, "l2": {"l2": 1e-2}, "both": {"l1": 1e-3, "l2": 1e-2}}
OPTIMIZERS = {
    "sgd": lambda: fastnn.SGD(0.1),
    "sgd by value": lambda: fastnn.SGD(0.1, clip_value=1e-3),
    "sgd by norm": lambda: fastnn.SGD(0.1, weight_decay=0.01, clip_norm=0.1),
    "momentum by value": lambda: fastnn.SGD(0.1, momentum=0.9, clip_value=1e-3),
    "adam by norm": lambda: fastnn.Adam(0.01, clip_norm=0.05),
    "a norm that is never reached": lambda: fastnn.Adam(0.01, clip_norm=1e6),
}


def _both(made_of: dict, optimizer, n: int, dtype: str, rng):
    """A net and its twin after some steps, whose losses are compared."""
    net, twin = fastnn.MLP(SIZES, "tanh", dtype=dtype, **made_of), Twin(SIZES, "tanh", dtype=dtype, **made_of)
    eps = float(np.finfo(dtype).eps)
    for _ in range(STEPS):
        x, t = rng.standard_normal((n, SIZES[0])).astype(dtype), rng.integers(0, SIZES[-1], n)
        expected = twin.train_step(x, t, optimizer)
        assert net.train_step(x, t, optimizer) == pytest.approx(expected, rel=100 * eps)
    return net, twin


def _assert_same(found: list[np.ndarray], expected: list[np.ndarray], dtype: str) -> None:
    for w, v in zip(found, expected, strict=True):
        np.testing.assert_allclose(w, v, rtol=0, atol=STEPS * 100 * np.finfo(dtype).eps * max(1, np.abs(v).max()))


# One row, whose gradient is no more than an outer product; one row block; several, whose gradients are stored.
@pytest.mark.parametrize("n", [1, 9, 200])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("penalty", ["none", "both"])
def test_steps_equal_the_twin(penalty: str, optimizer: str, n: int, dtype: str, rng: np.random.Generator) -> None:
    net, twin = _both(PENALTIES[penalty], OPTIMIZERS[optimizer](), n, dtype, rng)
    _assert_same(net.get_weights(), twin.get_weights(), dtype)


@pytest.mark.parametrize("invariant", [False, True])
def test_steps_of_several_workers_equal_the_twin(invariant: bool, restore_threads, rng: np.random.Generator) -> None:
    fastnn.set_num_threads(min(2, numba.config.NUMBA_NUM_THREADS))
    fastnn.set_thread_invariant(invariant)  # shares a step between more workers than there are threads
    sizes = (200, 150, 60, 4)
    for n in (100, 900):
        net, twin = (kind(sizes, "tanh", dtype="float64", l1=1e-3, l2=1e-2) for kind in (fastnn.MLP, Twin))
        # Linear in the gradient: Adam would multiply the rounding of a gradient next to zero.
        optimizer = fastnn.SGD(0.1, momentum=0.9, clip_norm=0.1)
        for _ in range(2):
            x, t = rng.standard_normal((n, 200)), rng.integers(0, 4, n)
            assert net.train_step(x, t, optimizer) == pytest.approx(twin.train_step(x, t, optimizer), rel=1e-13)
        _assert_same(net.get_weights(), twin.get_weights(), "float64")


def test_bounds_may_change_between_steps(rng: np.random.Generator) -> None:
    """Also where small batches pass Python by."""
    net, twin, optimizer = fastnn.MLP(SIZES, dtype="float64"), Twin(SIZES, dtype="float64"), fastnn.SGD(0.5)
    x, t = rng.standard_normal((9, SIZES[0])), rng.integers(0, 3, 9)
    for name, value in (("clip_norm", 0.1), ("clip_norm", None), ("clip_value", 1e-3), ("clip_value", None)):
        setattr(optimizer, name, value)
        for _ in range(2):
            assert net.train_step(x, t, optimizer) == pytest.approx(twin.train_step(x, t, optimizer), rel=1e-13)
        _assert_same(net.get_weights(), twin.get_weights(), "float64")


def test_an_infinite_gradient_spoils_the_weights_as_in_pytorch() -> None:
    """Its norm is infinite, and infinity times the factor 0 NaN; by value it becomes the bound."""
    x, t = np.full((2, 4), 1e200), np.full((2, 1), -1e200)
    for bound, finite in (({"clip_norm": 1.0}, False), ({"clip_value": 1.0}, True)):
        net = fastnn.MLP((4, 1), loss="mean_squared_error", dtype="float64")
        net.train_step(x * 1e10, t, fastnn.SGD(0.1, **bound))
        assert np.isfinite(net.get_weights()[0]).all() == finite


@pytest.mark.parametrize("made_of", [{"l1": 1e-2}, {"l2": 1e-2}, {}])
@pytest.mark.parametrize("n", [9, 100])
def test_padding_counts_nothing(made_of: dict, n: int, dtype: str, rng: np.random.Generator) -> None:
    """Without eps an update makes 0 / 0 of it. With AVX-512 the layers have padding in panels, in the bias, in both."""
    sizes = (21, 70, 64, 3)
    net, twin = (kind(sizes, "tanh", dtype=dtype, **made_of) for kind in (fastnn.MLP, Twin))
    optimizer = fastnn.Adagrad(0.01, eps=0.0, clip_norm=0.5)
    for _ in range(3):
        x, t = rng.standard_normal((n, sizes[0])).astype(dtype), rng.integers(0, 3, n)
        twin.set_weights(net.get_weights())
        assert net.train_step(x, t, optimizer) == pytest.approx(twin.train_step(x, t, optimizer), rel=1e-5)
    assert all(np.isfinite(w).all() for w in net.get_weights())


@pytest.mark.parametrize("n", [1, 8, 200])
@pytest.mark.parametrize("bound", ["clip_norm", "clip_value"])
def test_against_pytorch(n: int, bound: str, rng: np.random.Generator) -> None:
    torch = pytest.importorskip("torch")
    net = fastnn.MLP(SIZES, "tanh", dtype="float64", l1=1e-3, l2=1e-2)
    layers = [torch.nn.Linear(i, o, dtype=torch.float64) for i, o in pairwise(SIZES)]
    weights = net.get_weights()
    with torch.no_grad():
        for k, layer in enumerate(layers):
            layer.weight.copy_(torch.tensor(weights[2 * k].T))
            layer.bias.copy_(torch.tensor(weights[2 * k + 1]))
    parameters = [p for layer in layers for p in layer.parameters()]
    theirs, optimizer = torch.optim.SGD(parameters, 0.1), fastnn.SGD(0.1, **{bound: 0.01})
    clip = torch.nn.utils.clip_grad_norm_ if bound == "clip_norm" else torch.nn.utils.clip_grad_value_
    for _ in range(STEPS):
        x, t = rng.standard_normal((n, SIZES[0])), rng.integers(0, 3, n)
        a = torch.tensor(x)
        for layer in layers[:-1]:
            a = torch.tanh(layer(a))
        loss = torch.nn.functional.cross_entropy(layers[-1](a), torch.tensor(t))
        loss = loss + sum(1e-3 * layer.weight.abs().sum() + 1e-2 * layer.weight.square().sum() for layer in layers)
        theirs.zero_grad()
        loss.backward()
        clip(parameters, 0.01)
        theirs.step()
        assert net.train_step(x, t, optimizer) == pytest.approx(loss.item(), rel=1e-13)
    expected = [a for layer in layers for a in (layer.weight.detach().numpy().T, layer.bias.detach().numpy())]
    _assert_same(net.get_weights(), expected, "float64")


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"clip_value": 0}, r"^clip_value: got 0, expected a number in \(0, inf\)"),
        ({"clip_norm": -1}, "^clip_norm: got -1"),
        ({"clip_norm": 1.0, "clip_value": 1.0}, "^clip_norm: got 1.0 beside a clip_value of 1.0, expected None"),
    ],
)
def test_bounds_out_of_range(numbers: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fastnn.Adam(**numbers)


@pytest.mark.parametrize("n", [1, 9, 200])
@pytest.mark.parametrize("weighted", [False, True])
def test_penalty_per_row(n: int, weighted: bool, dtype: str, rng: np.random.Generator) -> None:
    """Divided by the rows of the batch, or by the sum of their weights."""
    made_of = {"l1": 0.1, "l2": 1.0, "penalty_per_row": True}
    net, twin = fastnn.MLP(SIZES, "tanh", dtype=dtype, **made_of), Twin(SIZES, "tanh", dtype=dtype, **made_of)
    x, t = rng.standard_normal((n, SIZES[0])).astype(dtype), rng.integers(0, SIZES[-1], n)
    weights = rng.uniform(0.5, 3, n) if weighted else None
    eps, optimizer = float(np.finfo(dtype).eps), fastnn.SGD(0.1)
    # What the first loss is without the twin.
    penalty = sum(0.1 * np.abs(w).sum() + np.square(w).sum() for w in net.get_weights()[::2])
    plain = fastnn.MLP(SIZES, "tanh", dtype=dtype).train_step(x, t, optimizer, weights)
    expected = plain + float(penalty) / (weights.sum() if weighted else n)
    for k in range(STEPS):
        found = net.train_step(x, t, optimizer, weights)
        assert k > 0 or found == pytest.approx(expected, rel=100 * eps)
        assert found == pytest.approx(twin.train_step(x, t, optimizer, weights), rel=100 * eps)
    _assert_same(net.get_weights(), twin.get_weights(), dtype)
    assert repr(net).endswith("l1=0.1, l2=1.0, penalty_per_row=True)")


@pytest.mark.parametrize("kind", [fastnn.MLP, Twin])
def test_there_is_no_penalty_per_row_of_rows_that_weigh_nothing(kind: type, rng: np.random.Generator) -> None:
    net = kind(SIZES, "tanh", dtype="float64", l1=0.1, l2=1.0, penalty_per_row=True)
    before = net.get_weights()
    x, t = rng.standard_normal((9, SIZES[0])), rng.integers(0, SIZES[-1], 9)
    assert np.isnan(net.train_step(x, t, fastnn.SGD(0.1), np.zeros(9)))
    for w, v in zip(net.get_weights(), before, strict=True):
        np.testing.assert_array_equal(w, v)


def test_penalty_per_row_of_a_sum_is_whole(rng: np.random.Generator) -> None:
    x, t = rng.standard_normal((9, SIZES[0])), rng.integers(0, SIZES[-1], 9)
    loss = ("softmax_cross_entropy", {"reduction": "sum"})
    whole, per_row = (fastnn.MLP(SIZES, loss=loss, dtype="float64", l2=1.0, penalty_per_row=p) for p in (False, True))
    assert whole.train_step(x, t, fastnn.SGD(0.1)) == per_row.train_step(x, t, fastnn.SGD(0.1))
    with pytest.raises(TypeError, match="^penalty_per_row: got 1"):
        fastnn.MLP(SIZES, penalty_per_row=1)
