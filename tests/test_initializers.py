"""Initial weights: what each initializer draws, against its formula and PyTorch, and what a user's own may return."""

from __future__ import annotations

import copy
import pickle
import re

import numpy as np
import pytest

import fastnn
from fastnn.initializers import INITIALIZERS, initial_weights
from fastnn.reference.mlp import MLP as Twin

INPUTS, OUTPUTS = 400, 300

# The standard deviation of each, and the bound of those that are uniform.
DEVIATIONS = {
    "normal": 0.05,
    "xavier_normal": np.sqrt(2 / (INPUTS + OUTPUTS)),
    "he_normal": np.sqrt(2 / INPUTS),
    "lecun_normal": np.sqrt(1 / INPUTS),
    0.01: 0.01,
}
BOUNDS = {
    "uniform": 0.05,
    "xavier_uniform": np.sqrt(6 / (INPUTS + OUTPUTS)),
    "he_uniform": np.sqrt(6 / INPUTS),
    "lecun_uniform": np.sqrt(3 / INPUTS),
}


def drawn(init, shape=(INPUTS, OUTPUTS), dtype="float64"):
    return initial_weights(shape, init, 0, dtype)[0]


def test_every_name_is_tested_here() -> None:
    assert {*DEVIATIONS, *BOUNDS} - {0.01} == set(INITIALIZERS) - {"orthogonal", "zeros"}
    # As the docstring of MLP tells.
    assert all(f'"{name}"' in fastnn.MLP.__doc__ for name in INITIALIZERS)


@pytest.mark.parametrize("init", DEVIATIONS)
def test_normal(init) -> None:
    w, scale = drawn(init), DEVIATIONS[init]
    np.testing.assert_array_equal(w, np.random.default_rng(0).standard_normal((INPUTS, OUTPUTS)) * scale)
    # The mean of n draws is off by scale / sqrt(n), the deviation by scale / sqrt(2 n): six of those.
    assert abs(w.mean()) < 6 * scale / np.sqrt(w.size)
    assert w.std() == pytest.approx(scale, rel=6 / np.sqrt(2 * w.size))
    # A normal distribution that is cut off at two deviations would have none of the 4.6 % beyond them.
    assert 0.03 < (np.abs(w) > 2 * scale).mean() < 0.06


@pytest.mark.parametrize("init", BOUNDS)
def test_uniform(init) -> None:
    w, bound = drawn(init), BOUNDS[init]
    deviation = bound / np.sqrt(3)
    assert np.abs(w).max() <= bound
    # Both ends are reached: of n draws one is within bound / 1000 of either, but for (1 - 1 / 2000)^n.
    assert min(w.max(), -w.min()) > 0.999 * bound
    assert abs(w.mean()) < 6 * deviation / np.sqrt(w.size)
    # The fourth moment of a uniform distribution is 9/5 σ⁴: its variance is off by σ² sqrt(0.8 / n).
    assert w.var() == pytest.approx(deviation**2, rel=6 * np.sqrt(0.8 / w.size))


@pytest.mark.parametrize("shape", [(7, 40), (40, 7), (16, 16), (1, 5), (5, 1), (1, 1)])
def test_orthogonal(shape) -> None:
    w = drawn("orthogonal", shape)
    product = w.T @ w if shape[0] >= shape[1] else w @ w.T
    # Products of `max(shape)` terms, of a Q that Householder reflections leave orthogonal but for a few roundings each.
    np.testing.assert_allclose(product, np.eye(min(shape)), rtol=0, atol=10 * max(shape) * np.finfo("float64").eps)


def test_orthogonal_has_the_signs_that_make_it_unique() -> None:
    """R, which is Qᵀ times the normal matrix, has a positive diagonal."""
    for shape in ((5, 5), (9, 4), (4, 9)):
        normal = np.random.default_rng(0).standard_normal((max(shape), min(shape)))
        w = drawn("orthogonal", shape)
        q = w if shape[0] >= shape[1] else w.T
        assert (np.diagonal(q.T @ normal) > 0).all()


def test_zeros() -> None:
    np.testing.assert_array_equal(drawn("zeros"), 0)


@pytest.mark.parametrize(
    ("init", "name", "options"),
    [
        ("xavier_normal", "xavier_normal_", {}),
        ("xavier_uniform", "xavier_uniform_", {}),
        ("he_normal", "kaiming_normal_", {"nonlinearity": "relu"}),
        ("he_uniform", "kaiming_uniform_", {"nonlinearity": "relu"}),
        ("lecun_normal", "kaiming_normal_", {"nonlinearity": "linear"}),
        ("lecun_uniform", "kaiming_uniform_", {"nonlinearity": "linear"}),
    ],
)
def test_like_torch(init, name, options) -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    theirs = torch.empty(OUTPUTS, INPUTS, dtype=torch.float64)
    getattr(torch.nn.init, name)(theirs, **options)
    own = drawn(init)
    # Both deviations are off by 1 / sqrt(2 n) of themselves, and so is their ratio by 1 / sqrt(n): six of those.
    assert own.std() == pytest.approx(theirs.std().item(), rel=6 / np.sqrt(own.size))
    if "uniform" in init:
        assert np.abs(own).max() == pytest.approx(theirs.abs().max().item(), rel=1e-3)


@pytest.mark.parametrize("shape", [(9, 4), (4, 9), (5, 5)])
def test_orthogonal_like_torch(shape, monkeypatch) -> None:
    """From the same normal matrix the same weights, transposed as PyTorch keeps them; but for square ones, where both
    are the Q of that matrix."""
    torch = pytest.importorskip("torch")
    flattened = np.random.default_rng(0).standard_normal((max(shape), min(shape)))
    theirs = torch.empty(shape[::-1], dtype=torch.float64)

    def normal_(tensor, *args, **kwargs):
        # PyTorch draws (outputs, inputs) and transposes it where there are more columns than rows.
        wide = tensor.shape[0] < tensor.shape[1]
        return tensor.copy_(torch.tensor(flattened.T if wide else flattened))

    monkeypatch.setattr(torch.Tensor, "normal_", normal_)
    torch.nn.init.orthogonal_(theirs)
    own = drawn("orthogonal", shape)
    expected = theirs.numpy() if shape[0] == shape[1] else theirs.numpy().T
    np.testing.assert_allclose(own, expected, rtol=0, atol=10 * max(shape) * np.finfo("float64").eps)


@pytest.mark.parametrize("init", [*INITIALIZERS, 0.01, lambda rng, shape: rng.exponential(size=shape)])
def test_a_seed_decides_and_both_precisions_start_alike(init) -> None:
    sizes = (30, 20, 10)
    single, double = (
        fastnn.MLP(sizes, init=init, seed=3, dtype=dtype).get_weights() for dtype in ("float32", "float64")
    )
    again, twin = (kind(sizes, init=init, seed=3).get_weights() for kind in (fastnn.MLP, Twin))
    for k, (w, v) in enumerate(zip(single, double, strict=True)):
        np.testing.assert_array_equal(w, v.astype(np.float32))
        np.testing.assert_array_equal(w, again[k])
        np.testing.assert_array_equal(w, twin[k])
        if k % 2:
            np.testing.assert_array_equal(w, 0)
    if init != "zeros":
        assert not np.array_equal(single[0], fastnn.MLP(sizes, init=init, seed=4).get_weights()[0])


def test_without_init_the_activation_decides() -> None:
    for activation in fastnn.Activation.by_name.values():
        one, two = (fastnn.MLP((5, 4, 3), activation, init=init) for init in (None, activation.init))
        np.testing.assert_array_equal(one.get_weights()[0], two.get_weights()[0])
    assert fastnn.Activation.by_name["relu"].init == "he_normal"
    assert fastnn.Activation.by_name["sigmoid"].init == "xavier_normal"


def test_a_function_is_asked_layer_by_layer_with_one_generator() -> None:
    asked = []

    def init(rng, shape):
        asked.append((rng, shape))
        return np.full(shape, len(asked))  # integers are real numbers too

    w1, b1, w2, b2 = fastnn.MLP((4, 3, 2), init=init).get_weights()
    assert [shape for _, shape in asked] == [(4, 3), (3, 2)]
    assert asked[0][0] is asked[1][0]
    assert isinstance(asked[0][0], np.random.Generator)
    assert (w1 == 1).all()
    assert (w2 == 2).all()
    assert not b1.any()
    assert not b2.any()


@pytest.mark.parametrize(
    ("init", "error", "message"),
    [
        ("he", ValueError, r"^init: got 'he', expected one of 'normal', .*; do you mean 'he_normal'\?$"),
        ("xavier", ValueError, r"do you mean 'xavier_normal'\?$"),
        ("orth", ValueError, r"do you mean 'orthogonal'\?$"),
        ("glorot", ValueError, r"^init: got 'glorot', expected one of 'normal', .*, or a function init\(rng, shape\)$"),
        ("", ValueError, r"^init: got '', .*shape\)$"),
        (True, ValueError, "^init: got True, expected one of"),
        (np.nan, ValueError, "^init: got nan, expected one of"),
        (np.inf, ValueError, "^init: got inf, expected one of"),
        (-1, ValueError, "^init: got -1, expected one of .* a standard deviation of at least 0"),
        (["he_normal"], ValueError, r"^init: got \['he_normal'\], expected"),
        (1e300, ValueError, r"^init: got .*e\+\d+ for layer 1, expected finite numbers within the range of float32"),
        (
            lambda rng, shape: np.ones(shape[::-1]),
            ValueError,
            r"^init: got shape \(3, 4\) for layer 1, expected \(4, 3\)",
        ),
        (lambda rng, shape: np.ones((4, 3)), ValueError, r"^init: got shape \(4, 3\) for layer 2, expected \(3, 2\)"),
        (lambda rng, shape: 0.5, TypeError, "^init: got 'float' for layer 1, expected an array of real numbers"),
        (lambda rng, shape: None, TypeError, "^init: got 'NoneType' for layer 1"),
        (lambda rng, shape: np.ones(shape, complex), TypeError, "^init: got dtype complex128 for layer 1"),
        (lambda rng, shape: np.ones(shape, bool), TypeError, "^init: got dtype bool for layer 1"),
        (lambda rng, shape: np.full(shape, np.nan), ValueError, "^init: got nan for layer 1, expected finite"),
        (lambda rng, shape: np.full(shape, 1e39), ValueError, r"^init: got 1e\+39 for layer 1, expected finite"),
    ],
)
def test_refused(init, error, message) -> None:
    with pytest.raises(error, match=re.compile(message, re.DOTALL)):
        fastnn.MLP((4, 3, 2), init=init)


def test_copies_and_pickles_do_not_take_init_along() -> None:
    """A lambda could not be pickled."""
    net = fastnn.MLP((4, 3, 2), init=lambda rng, shape: rng.standard_cauchy(shape))
    for other in (pickle.loads(pickle.dumps(net)), copy.deepcopy(net)):
        for w, v in zip(net.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(w, v)
