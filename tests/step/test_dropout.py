"""Dropout in the training step: the same elements as in the reference, at any number of threads, in the right share."""

from __future__ import annotations

import pickle
from itertools import product

import numba
import numpy as np
import pytest

import fastnn
from fastnn.reference.dropout import dropout_factors
from fastnn.reference.mlp import MLP as Twin

SIZES = (37, 70, 130, 21, 3)  # of several registers and blocks of factors, with and without tail columns


def _batch(n: int, dtype: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return rng.standard_normal((n, SIZES[0])).astype(dtype), rng.integers(0, SIZES[-1], n)


# A slope of the output alone, which dropout would hide, and one of the input.
@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("n", [1, 9, 200])
def test_steps_equal_the_twin(activation: str, n: int, dtype: str, rng: np.random.Generator) -> None:
    made_of = {"activation": activation, "dtype": dtype, "dropout": [0.5, 0.0, 0.25], "input_dropout": 0.1}
    net, twin, optimizer = fastnn.MLP(SIZES, **made_of), Twin(SIZES, **made_of), fastnn.SGD(0.1, momentum=0.5)
    eps = float(np.finfo(dtype).eps)
    for _ in range(4):
        x, t = _batch(n, dtype, rng)
        assert net.train_step(x, t, optimizer) == pytest.approx(twin.train_step(x, t, optimizer), rel=100 * eps)
    for w, v in zip(net.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(w, v, rtol=0, atol=400 * eps * max(1, np.abs(v).max()))


def test_predictions_drop_nothing(rng: np.random.Generator) -> None:
    x, t = _batch(20, "float32", rng)
    plain, dropping = fastnn.MLP(SIZES), fastnn.MLP(SIZES, dropout=0.5, input_dropout=0.5)
    np.testing.assert_array_equal(dropping.forward(x), plain.forward(x))
    dropping.train_step(x, t, fastnn.SGD(0.0))
    np.testing.assert_array_equal(dropping.forward(x), plain.forward(x))


def test_steps_draw_anew_and_the_seed_decides(rng: np.random.Generator) -> None:
    x, t = _batch(20, "float32", rng)

    def losses(seed: int) -> list[float]:
        net, optimizer = fastnn.MLP(SIZES, dropout=0.5, seed=seed, init=0.1), fastnn.SGD(0.0)
        return [net.train_step(x, t, optimizer) for _ in range(3)]

    assert len({*losses(0), *losses(1)}) == 6
    assert losses(0) == losses(0)


def test_the_same_elements_at_any_number_of_threads(restore_threads, rng: np.random.Generator) -> None:
    """Sums may be added in another order, but which elements are dropped must not change."""
    x, t = rng.standard_normal((900, 100)), rng.integers(0, 3, 900)
    found = []
    for threads in range(1, min(4, numba.config.NUMBA_NUM_THREADS) + 1):
        fastnn.set_num_threads(threads)
        net = fastnn.MLP((100, 90, 80, 3), "tanh", dropout=0.4, input_dropout=0.2, dtype="float64")
        loss = net.train_step(x, t, fastnn.SGD(0.1))
        found.append([np.array(loss), *net.get_weights()])
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-13)


def test_a_copy_goes_on_as_the_net_would(rng: np.random.Generator) -> None:
    x, t = _batch(20, "float32", rng)
    net, optimizer = fastnn.MLP(SIZES, dropout=0.5), fastnn.Adam()
    net.train_step(x, t, optimizer)
    copied, its_optimizer = pickle.loads(pickle.dumps((net, optimizer)))
    for _ in range(2):
        assert net.train_step(x, t, optimizer) == copied.train_step(x, t, its_optimizer)
    for a, b in zip(net.get_weights(), copied.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


RATE, SHAPE = 0.2, (512, 256)


def _kept(step: int = 0, stream: int = 1, key: int = 12345) -> np.ndarray:
    return dropout_factors(key, step, stream, SHAPE, RATE) > 0


def test_the_share_of_dropped_elements() -> None:
    """Within five standard deviations, over all elements and in each row and column."""
    kept = _kept()
    spread = np.sqrt(RATE * (1 - RATE))
    for part, count in ((kept.mean(), kept.size), (kept.mean(axis=0), SHAPE[0]), (kept.mean(axis=1), SHAPE[1])):
        assert np.abs(part - (1 - RATE)).max() < 5 * spread / np.sqrt(count)
    assert set(np.unique(dropout_factors(1, 0, 0, SHAPE, RATE))) == {0, 1 / (1 - RATE)}


def test_masks_are_not_correlated() -> None:
    """Between steps, layers, keys, neighbouring rows and columns."""
    kept = _kept() - (1 - RATE)
    others = [_kept(step=1), _kept(stream=2), _kept(key=12346), _kept(key=12345 + 2**32)]
    others += [np.roll(_kept(), shift, axis) for shift, axis in product((1, 16, 64), (0, 1))]
    for other in others:
        correlation = (kept * (other - (1 - RATE))).mean() / (RATE * (1 - RATE))
        assert abs(correlation) < 5 / np.sqrt(kept.size)


def test_the_mean_of_a_factor_over_many_steps_is_one() -> None:
    """Within five standard deviations; that of a factor is 1 at a rate of one half."""
    factors = np.mean([dropout_factors(3, step, 0, (4, 300), 0.5) for step in range(400)], axis=0)
    np.testing.assert_allclose(factors, 1, atol=5 / np.sqrt(400))


@pytest.mark.parametrize(
    ("made_of", "message"),
    [
        ({"dropout": 1.0}, r"^dropout: got 1.0, expected a number in \[0, 1\)"),
        ({"dropout": [0.1]}, "^dropout: got 1 fractions, expected 3, one per hidden layer"),
        ({"dropout": [0.1, -0.2, 0]}, r"^dropout\[1\]: got -0.2"),
        ({"input_dropout": -0.1}, "^input_dropout: got -0.1"),
        ({"l1": -1}, "^l1: got -1"),
        ({"l2": float("nan")}, "^l2: got nan"),
    ],
)
def test_out_of_range(made_of: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fastnn.MLP(SIZES, **made_of)


def test_dropout_needs_a_hidden_layer() -> None:
    with pytest.raises(ValueError, match="^dropout: got 0.5 for a net without hidden layers"):
        fastnn.MLP((4, 2), dropout=0.5)


def test_wrong_type() -> None:
    with pytest.raises(TypeError, match="^dropout: got '0.5', expected a number"):
        fastnn.MLP(SIZES, dropout="0.5")
    with pytest.raises(TypeError, match=r"^dropout: got array\(0.5\), expected a number"):
        fastnn.MLP(SIZES, dropout=np.array(0.5))


def test_what_a_net_is_made_of_is_shown() -> None:
    net = fastnn.MLP((4, 5, 6, 2), dropout=0.5, input_dropout=0.1, l2=0.01)
    assert (net.dropout, net.input_dropout, net.l1, net.l2) == ((0.5, 0.5), 0.1, 0.0, 0.01)
    assert repr(net).endswith("dtype='float32', dropout=(0.5, 0.5), input_dropout=0.1, l2=0.01)")
