"""Nets whose inputs are mostly zero, as images are: what is left out changes nothing, not even where NaN comes from."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

import fastnn
from fastnn.linalg.sparse_inputs import ALWAYS
from fastnn.reference.mlp import MLP as Twin

# More than the rows of a block of weights that is updated at once.
INPUTS = 401
# With an eps of Adam that keeps a gradient next to zero from becoming a whole step.
OPTIMIZERS = [("SGD", {"lr": 0.1}), ("SGD", {"lr": 0.1, "momentum": 0.9}), ("Adam", {"lr": 0.01, "eps": 1e-3})]


def images(n: int, dtype: str, rng: np.random.Generator) -> np.ndarray:
    """Columns that are zero in all rows, and others with some zeros of either sign."""
    x = rng.standard_normal((n, INPUTS)).astype(dtype)
    x[rng.random(x.shape) < 0.3] = -0.0
    x[:, 7 : INPUTS - 150] *= 0
    return x


@pytest.mark.parametrize(("name", "numbers"), OPTIMIZERS)
@pytest.mark.parametrize("hidden", [10, 37, 150])
@pytest.mark.parametrize("n", [1, 7, 8, 13, 64, 65, 200])
def test_trajectory_of_the_twin(n, hidden, name, numbers, dtype, rng) -> None:
    sizes, eps = (INPUTS, hidden, 5), float(np.finfo(dtype).eps)
    net, twin = (kind(sizes, "tanh", dtype=dtype) for kind in (fastnn.MLP, Twin))
    own, theirs = (getattr(fastnn, name)(**numbers) for _ in range(2))
    for _ in range(5):
        x, t = images(n, dtype, rng), rng.integers(0, 5, n)
        expected = twin.train_step(x, t, theirs)
        assert net.train_step(x, t, own) == pytest.approx(expected, rel=100 * eps, abs=100 * eps)
    for w, v in zip(net.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(w, v, rtol=0, atol=500 * eps * max(numbers["lr"], np.abs(v).max()))
    x = images(n, dtype, rng)
    np.testing.assert_allclose(net.forward(x), twin.forward(x), rtol=0, atol=1000 * eps)


@pytest.mark.parametrize("number", [np.nan, np.inf])
@pytest.mark.parametrize("n", [1, 7, 8, 64, 200])
def test_zero_times_a_weight_that_is_not_finite(n, number, dtype, rng) -> None:
    net, twin = (kind((INPUTS, 40, 5), dtype=dtype) for kind in (fastnn.MLP, Twin))
    weights = net.get_weights()
    weights[0][20, 3] = number  # of an input that is zero in all rows
    x, t = images(n, dtype, rng), rng.integers(0, 5, n)
    for each, optimizer in ((net, fastnn.SGD(0.1)), (twin, fastnn.SGD(0.1))):
        each.set_weights(weights)
        with np.errstate(invalid="ignore"):
            assert np.isnan(each.forward(x)).all()
            assert np.isnan(each.train_step(x, t, optimizer))


@pytest.mark.parametrize(("name", "numbers"), OPTIMIZERS)
@pytest.mark.parametrize("n", [1, 7, 8, 64, 200])
def test_zero_times_a_delta_that_is_not_finite(n, name, numbers, dtype, rng) -> None:
    """An infinite target makes NaN of the gradients of all inputs, of those that are zero too."""
    net, twin = (kind((INPUTS, 40, 5), "relu", "mean_squared_error", dtype=dtype) for kind in (fastnn.MLP, Twin))
    twin.set_weights(net.get_weights())
    own, theirs = (getattr(fastnn, name)(**numbers) for _ in range(2))
    x, t = images(n, dtype, rng), rng.standard_normal((n, 5)).astype(dtype)
    t[-1, 2] = np.inf
    with np.errstate(all="ignore"):
        net.train_step(x, t, own)
        twin.train_step(x, t, theirs)
    for w, v in zip(net.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_array_equal(np.isfinite(w), np.isfinite(v))
    assert np.isnan(net.get_weights()[0][20]).any()


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
@pytest.mark.parametrize("hot", [1.0, np.nan])
def test_one_row(hot, optimizer, dtype, rng) -> None:
    """Plain descent leaves rows of weights alone whose gradient is zero; but NaN times zero is not."""
    sizes, eps = (40, 64, 3), float(np.finfo(dtype).eps)
    net, twin = (kind(sizes, "relu", dtype=dtype) for kind in (fastnn.MLP, Twin))
    own, theirs = (getattr(fastnn, optimizer)(0.1) for _ in range(2))
    for _ in range(3):
        x = np.zeros((1, 40), dtype)
        x[0, rng.permutation(40)[:9]] = hot
        t = rng.integers(0, 3, 1)
        expected = twin.train_step(x, t, theirs)
        assert net.train_step(x, t, own) == pytest.approx(expected, rel=100 * eps, abs=100 * eps, nan_ok=True)
    for w, v in zip(net.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(w, v, rtol=0, atol=300 * eps * max(0.1, np.abs(np.nan_to_num(v)).max()))


@pytest.mark.parametrize(("name", "numbers"), OPTIMIZERS)
@pytest.mark.parametrize("n", [120, 200])  # a tile for each of two workers, the last not full; or more
@pytest.mark.parametrize("dense", [0, 1])
def test_one_tile_of_a_batch_is_dense(dense, n, name, numbers, dtype, rng) -> None:
    sizes, eps = (INPUTS, 300, 5), float(np.finfo(dtype).eps)
    net, twin = (kind(sizes, "tanh", dtype=dtype) for kind in (fastnn.MLP, Twin))
    own, theirs = (getattr(fastnn, name)(**numbers) for _ in range(2))
    fastnn.set_thread_invariant(True)
    try:
        assert net._preparation.sharing.workers(n) > 1
        for _ in range(3):
            x, t = images(n, dtype, rng), rng.integers(0, 5, n)
            # But for the first row, which is to tell.
            own_tile = slice(1 + 64 * dense, 64 + 64 * dense)
            x[own_tile] = 0.1 + 0.1 * rng.random(x[own_tile].shape)
            expected = twin.train_step(x, t, theirs)
            assert net.train_step(x, t, own) == pytest.approx(expected, rel=100 * eps, abs=100 * eps)
    finally:
        fastnn.set_thread_invariant(False)
    for w, v in zip(net.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(w, v, rtol=0, atol=500 * eps * max(numbers["lr"], np.abs(v).max()))


def test_a_layer_of_tail_columns_alone_skips_nothing(dtype, rng) -> None:
    """It has no panels, whose products alone skip columns."""
    net, twin = (kind((160, 1), loss="mean_squared_error", dtype=dtype) for kind in (fastnn.MLP, Twin))
    for _ in range(3):
        x, t = rng.standard_normal((70, 160)).astype(dtype), rng.standard_normal((70, 1)).astype(dtype)
        x[:, 10:] = 0
        expected = twin.train_step(x, t, fastnn.SGD(0.01))
        assert net.train_step(x, t, fastnn.SGD(0.01)) == pytest.approx(expected, rel=float(100 * np.finfo(dtype).eps))
    assert not net._prepared.memory.active[:, 1:].any()


def leaves_out(net: fastnn.MLP) -> tuple[bool, bool]:
    """Whether the net's last step left zeros out: forward, and in the gradient of its first row block."""
    prepared = net._prepared
    flag = ctypes.c_int32.from_address(int(prepared.memory.blocks["active"][0]))
    return int(prepared.plan["sparsity"][0]) == ALWAYS, flag.value != 0


def test_padding_that_is_not_finite_does_not_count(dtype, rng) -> None:
    """An update without eps makes it 0 / 0. Every weight has a gradient: that of its decay."""
    net, optimizer = fastnn.MLP((INPUTS, 37, 5), "tanh", dtype=dtype), fastnn.Adam(1e-3, eps=0, weight_decay=1e-3)
    x, t = images(64, dtype, rng), rng.integers(0, 5, 64)
    for _ in range(3):
        net.train_step(x, t, optimizer)
    assert np.isnan(net._parameters).any()
    assert all(np.isfinite(w).all() for w in net.get_weights())
    assert leaves_out(net) == (True, True)


def test_new_weights_leave_nothing_of_those_that_were_not_finite(dtype, rng) -> None:
    net, optimizer = fastnn.MLP((INPUTS, 37, 5), "tanh", dtype=dtype), fastnn.SGD(0.1)
    weights, x, t = net.get_weights(), images(64, dtype, rng), rng.integers(0, 5, 64)
    spoiled = x.copy()
    spoiled[3, 5] = np.nan
    net.train_step(spoiled, t, optimizer)
    net.set_weights(weights)
    assert np.isfinite(net._parameters).all()
    net.train_step(x, t, optimizer)
    assert leaves_out(net) == (True, True)
