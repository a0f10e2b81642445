"""`check_gradient` finds what is wrong, names it, and passes all that is right."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator

import numpy as np
import pytest

import fastnn
from fastnn.gradient_check import _chosen
from fastnn.intrinsics import like
from fastnn.jit import scalar
from fastnn.kernels import vecmath
from fastnn.losses.elementwise import elementwise_loss
from fastnn.ops import DECLARED
from fastnn.step.plan import BLOCK_ROWS


@scalar
def _tanh(x):
    return vecmath.tanh(x)


@scalar
def _wrong_sign(dy, x, y):
    return -dy * ((like(y, 1) - y) * (like(y, 1) + y))


@scalar
def _one_percent_off(dy, x, y):
    return dy * (like(y, 1) - like(y, 0.99) * y * y)


@scalar
def _no_slope(dy, x, y):
    return dy * like(y, 0)


@scalar
def _nan_slope(dy, x, y):
    return dy * like(y, np.nan)


@scalar
def _nan_below_zero(dy, x, y):
    return dy * (like(y, np.nan) if y < like(y, 0) else (like(y, 1) - y) * (like(y, 1) + y))


@scalar
def _relu(x):
    return like(x, 0) if x <= like(x, 0) else x


@scalar
def _slope_of_three_at_zero(dy, x, y):
    return dy if y > like(y, 0) else like(y, 3) * dy


@scalar
def _half_beside_zero(dy, x, y):
    return like(y, 0) if y <= like(y, 0) else dy * like(y, 0.5) if y < like(y, 1e-5) else dy


WRONG_ACTIVATIONS = {
    "wrong_sign": (_tanh, _wrong_sign),
    "one_percent_off": (_tanh, _one_percent_off),
    "no_slope": (_tanh, _no_slope),
    "nan_slope": (_tanh, _nan_slope),
    "nan_below_zero": (_tanh, _nan_below_zero),
    "three_at_zero": (_relu, _slope_of_three_at_zero),
    "half_beside_zero": (_relu, _half_beside_zero),
}


@scalar
def _square(y, t):
    d = np.float64(y - t)
    return d * d


@scalar
def _half_its_slope(y, t):
    return y - t


@scalar
def _absolute(y, t):
    return abs(np.float64(y - t))


@scalar
def _sign(y, t):
    return like(y, 1) if y > t else like(y, -1) if y < t else y - t


LOSSES = {"half_its_slope": (_square, _half_its_slope), "absolute": (_absolute, _sign)}


@pytest.fixture(scope="module", autouse=True)
def _catalogues() -> Iterator[None]:
    """Activations and losses of this file alone. Their references are not used here."""
    registries = fastnn.Activation.by_name, fastnn.Loss.by_name, DECLARED
    before = [dict(registry) for registry in registries]
    parts = {"formula": "", "slope": "", "slope_of": "output", "init": "he_normal", "flops": (1, 1), "ulps": (1, 1)}
    for name, (value, backward) in WRONG_ACTIVATIONS.items():
        unused = {"reference": np.tanh, "reference_backward": np.multiply}
        fastnn.activation(name, value=value, backward=backward, **parts, **unused)
    texts = {"formula": "", "gradient": "", "reference": np.subtract, "magnitude": None, "flops": 1, "ulps": 1}
    for name, (value, slope) in LOSSES.items():
        elementwise_loss(name, value=value, slope=slope, **texts)
    yield
    for registry, items in zip(registries, before, strict=True):
        registry.clear()
        registry.update(items)


def batch(net: fastnn.MLP, rng, n=12):
    """Labels where the loss takes them, else targets between 0 and 1, which any loss takes."""
    x, t = rng.standard_normal((n, net.sizes[0])), rng.uniform(0, 1, (n, net.sizes[-1]))
    labels = fastnn.Loss.by_name[net.loss].takes_labels(net.sizes[-1])
    return x.astype(net.dtype), t.argmax(axis=1) if labels else t.astype(net.dtype)


BUILT_IN = [(activation, "mean_squared_error") for activation in fastnn.Activation.by_name]
BUILT_IN += [("tanh", loss) for loss in fastnn.Loss.by_name if loss != "mean_squared_error"]


@pytest.mark.parametrize(("activation", "loss"), BUILT_IN)
@pytest.mark.parametrize("sizes", [(2, 3, 2, 2), (20, 30, 17, 5)])
def test_all_in_the_catalogue_are_right(activation, loss, sizes, dtype, rng) -> None:
    net = fastnn.MLP(sizes, activation, loss, init="orthogonal", dtype=dtype)
    found = fastnn.check_gradient(net, *batch(net, rng))
    assert 0 <= found.error_ratio <= 1
    assert found.checked == (23 if sizes[0] == 2 else 20 * 4 + 17 + 5)
    assert found.analytic == pytest.approx(found.numerical, rel=1e-3, abs=1e-6)
    w = net.get_weights()[2 * (found.layer - 1) + "wb".index(found.array)]
    assert w[found.index].shape == ()


@pytest.mark.parametrize("n", [1, BLOCK_ROWS, BLOCK_ROWS + 1, 300])
def test_batches_that_the_step_shares_out(n, rng) -> None:
    net = fastnn.MLP((30, 20, 4), "tanh")
    x, t = batch(net, rng, n)
    fastnn.check_gradient(net, x, t, samples=3)
    fastnn.check_gradient(net, x.astype("float64"), np.eye(4, dtype="float32")[t], samples=3)


@pytest.mark.parametrize("loss", fastnn.Loss.by_name)
@pytest.mark.parametrize("name", [name for name, (value, _) in WRONG_ACTIVATIONS.items() if value is _tanh])
def test_a_wrong_slope_is_found_and_named(name, loss, rng) -> None:
    net = fastnn.MLP((5, 4, 6, 3), name, loss)
    message = (
        rf"^the slope of the activation '{name}' after layer 2 seems wrong: for [wb]\[\d+(, \d+)?\] of layer 2 the "
        r"step has the gradient .*, and central differences of the loss give .* \(\d+ of the \d+ parameters compared "
        r"in this layer differ\); compare its `backward` with its `value`"
    )
    with pytest.raises(fastnn.GradientError, match=message) as raised:
        fastnn.check_gradient(net, *batch(net, rng))
    found = raised.value.result
    assert found.error_ratio > 100
    assert (found.layer, found.checked) == (2, 20 + 4 + 20 + 6 + 18 + 3)
    assert np.isnan(found.analytic) == name.startswith("nan")
    if name == "wrong_sign":
        assert found.analytic == pytest.approx(-found.numerical, rel=1e-4)
    assert str(pickle.loads(pickle.dumps(raised.value))) == str(raised.value)


@pytest.mark.parametrize("activation", ["tanh", "wrong_sign"])
@pytest.mark.parametrize("sizes", [(5, 3), (5, 4, 3)])
def test_a_wrong_loss_is_found_and_named(activation, sizes, rng) -> None:
    """Also where the activation is wrong as well: the loss is to be put right first."""
    net = fastnn.MLP(sizes, activation, "half_its_slope")
    message = rf"^the gradient of the loss 'half_its_slope' seems wrong: for .* of layer {len(sizes) - 1} the step has"
    with pytest.raises(fastnn.GradientError, match=message) as raised:
        fastnn.check_gradient(net, *batch(net, rng))
    assert raised.value.result.analytic == pytest.approx(raised.value.result.numerical / 2, rel=1e-4)
    assert isinstance(raised.value, AssertionError)


def one_unit(activation, loss, w, b) -> fastnn.MLP:
    """y = f(w x + b)."""
    net = fastnn.MLP((1, 1, 1), activation, loss, dtype="float64")
    net.set_weights([[[w]], [b], [[1.0]], [0.0]])
    return net


@pytest.mark.parametrize("beside", [1e-4, 3e-6, 3e-7, -3e-7, -3e-6])
def test_beside_a_kink_h_is_made_smaller(beside) -> None:
    """The first h, 1e-5, reaches over the kink of ReLU, and the last, 1e-7, does not. A second row has a gradient."""
    net = one_unit("relu", "mean_squared_error", 1.0, -1.0 + beside)
    x, t = np.array([[1.0], [3.0]]), np.array([[-1.0], [0.0]])
    found = fastnn.check_gradient(net, x, t)
    assert found.error_ratio <= 1
    assert found.analytic == pytest.approx(found.numerical, rel=1e-5)
    if 0 < beside < 1e-5:
        with pytest.raises(fastnn.GradientError, match="'half_beside_zero' after layer 1"):
            fastnn.check_gradient(one_unit("half_beside_zero", "mean_squared_error", 1.0, -1.0 + beside), x, t)


def test_on_a_kink_a_slope_between_both_sides_is_right() -> None:
    x, t = np.array([[1.0], [3.0]]), np.array([[-1.0], [0.0]])
    assert fastnn.check_gradient(one_unit("relu", "mean_squared_error", 1.0, -1.0), x, t).error_ratio <= 1
    wrong = one_unit("three_at_zero", "mean_squared_error", 1.0, -1.0)
    with pytest.raises(fastnn.GradientError, match="'three_at_zero' after layer 1"):
        fastnn.check_gradient(wrong, x, t)
    # |y - t| where both are equal, whose slope is 0, between -1 and 1.
    linear = fastnn.MLP((1, 1), loss="absolute", dtype="float64")
    linear.set_weights([[[2.0]], [0.0]])
    assert fastnn.check_gradient(linear, np.array([[1.0], [1.0]]), np.array([[2.0], [0.0]])).error_ratio <= 1


def test_large_inputs_and_weights(rng) -> None:
    """Pixels to 255, whose third derivatives are large, and weights beside which 1e-5 is lost."""
    net = fastnn.MLP((20, 8, 3), "tanh", init=0.01)
    x, t = rng.uniform(0, 255, (30, 20)).astype("float32"), rng.integers(0, 3, 30)
    assert fastnn.check_gradient(net, x, t).error_ratio <= 1
    net = fastnn.MLP((20, 8, 3), "relu", "mean_squared_error", init=1e12)
    assert fastnn.check_gradient(net, *batch(net, rng)).error_ratio <= 1


def test_the_net_and_its_optimizer_stay_as_they_are(dtype, rng) -> None:
    net, optimizer = fastnn.MLP((5, 4, 3), dtype=dtype), fastnn.Adam()
    x, t = batch(net, rng)
    net.train_step(x, t, optimizer)
    before, kept = net.get_weights(), x.copy()
    other, others = copy.deepcopy((net, optimizer))
    fastnn.check_gradient(net, x, t)
    for w, v in zip(net.get_weights(), before, strict=True):
        np.testing.assert_array_equal(w, v)
    np.testing.assert_array_equal(x, kept)
    assert net.train_step(x, t, optimizer) == other.train_step(x, t, others)
    np.testing.assert_array_equal(net.get_weights()[0], other.get_weights()[0])


def test_samples(rng) -> None:
    net = fastnn.MLP((5, 4, 3))
    x, t = batch(net, rng)
    for samples, checked in ((1, 4), (4, 4 + 4 + 4 + 3), (None, 20 + 4 + 12 + 3)):
        assert fastnn.check_gradient(net, x, t, samples=samples).checked == checked
    same = [fastnn.check_gradient(net, x, t, samples=2, seed=1) for _ in range(2)]
    assert same[0] == same[1]


def test_the_largest_gradient_is_always_compared_and_none_twice() -> None:
    gradient = np.zeros((3, 4))
    gradient[1, 2] = -1.0
    for seed in range(20):
        for most in (1, 5, 11, 12, 13, None):
            chosen = _chosen(gradient, most, np.random.default_rng(seed))
            assert len(set(chosen)) == len(chosen) == min(most or 12, 12)
            assert (1, 2) in chosen


def test_what_cannot_be_compared_is_said(rng) -> None:
    """A wrong slope is not seen behind weights of zero."""
    net = fastnn.MLP((5, 4, 3), "wrong_sign", init=lambda rng, shape: np.eye(*shape) * (shape[0] == 5))
    x, t = batch(net, rng)
    with pytest.raises(ValueError, match="^x, t: got gradients of zero in all of layer 1, .*give other rows"):
        fastnn.check_gradient(net, x, t)
    for wrong in (np.nan, np.inf):
        with pytest.raises(ValueError, match="^x, t: got a loss of nan, expected a finite one"):
            fastnn.check_gradient(net, np.full_like(x, wrong), t)


X, T = np.ones((4, 5)), np.array([0, 1, 2, 0])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"net": "mlp"}, TypeError, "^net: got 'mlp', expected a fastnn.MLP"),
        ({"x": X[:, :4]}, ValueError, r"^x: got shape \(4, 4\), expected \(n, 5\)"),
        ({"x": X[:0]}, ValueError, "^x: got 0 rows"),
        ({"x": X.astype(int)}, TypeError, "^x: got dtype int64, expected float64"),
        ({"t": T[:3]}, ValueError, "^t: got 3 labels, expected 4"),
        ({"t": T + 1}, ValueError, "^t: got label 3 at position 2"),
        ({"samples": 0}, ValueError, "^samples: got 0, expected at least 1"),
        ({"seed": -1}, ValueError, "^seed: got -1, expected at least 0"),
    ],
)
def test_refused(arguments, error, message) -> None:
    with pytest.raises(error, match=message):
        fastnn.check_gradient(**{"net": fastnn.MLP((5, 4, 3)), "x": X, "t": T} | arguments)
