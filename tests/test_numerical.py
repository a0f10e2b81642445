"""The numerical tools of the teaching notes, against derivatives known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import fastnn

EPS = float(np.finfo("float64").eps)


def squares(x):
    return (x**2).sum()


def test_the_notes_derivatives() -> None:
    """0.01 x² + 0.1 x at 5 and 10, whose truncation is zero."""
    for x, slope in ((5, 0.2), (10.0, 0.3), (np.float32(5), 0.2)):
        found = fastnn.numerical_diff(lambda x: 0.01 * x**2 + 0.1 * x, x)
        assert type(found) is float
        assert found == pytest.approx(slope, abs=10 * EPS * 2 / 1e-4)


def test_error_of_a_central_difference() -> None:
    """h² f'''/6: a hundredth with a tenth of h."""
    errors = [np.cos(1) - fastnn.numerical_diff(np.sin, 1, h) for h in (1e-2, 1e-3)]
    assert errors[0] == pytest.approx(1e-4 * np.cos(1) / 6, rel=1e-3)
    assert errors[1] == pytest.approx(errors[0] / 100, rel=1e-3)


@pytest.mark.parametrize("x", [[3, 4], [3.0, 4.0], [[0.0, -2.0], [1e3, 5e-324]], 3.0, [], [[]]])
@pytest.mark.parametrize("dtype", ["int64", "float32", "float64", None])
def test_gradient_of_squares(x, dtype) -> None:
    given = x if dtype is None else np.array(x).astype(dtype)
    before = np.array(given)
    found = fastnn.numerical_gradient(squares, given)
    assert found.shape == before.shape
    assert found.dtype == (before.dtype if before.dtype.kind == "f" else np.float64)
    largest = np.abs(before).max(initial=0)
    # f is rounded once a term, and the float32 result once.
    atol = 8 * EPS * largest**2 / 1e-4
    np.testing.assert_allclose(found, 2 * before, rtol=np.finfo(found.dtype).eps, atol=atol)
    np.testing.assert_array_equal(given, before)


@given(st.data())
@settings(deadline=None)
def test_quadratic_forms(data) -> None:
    """xᵀ A x / 2 + bᵀ x has the gradient (A + Aᵀ) x / 2 + b, and its central differences no truncation."""
    n = data.draw(st.integers(1, 4))
    numbers = st.floats(-100, 100, allow_subnormal=False)
    a, b, x = (data.draw(arrays(np.float64, shape, elements=numbers)) for shape in ((n, n), n, n))
    h = data.draw(st.sampled_from([1e-4, 1e-2, 1.0]))
    found = fastnn.numerical_gradient(lambda x: x @ a @ x / 2 + b @ x, x, h)
    # Each value is rounded some 2 n + 3 times, by half an eps of its terms, or half the smallest number where these are
    # smaller still, and two of them are divided by 2 h.
    reached = np.abs(x) + h
    terms = reached @ np.abs(a) @ reached / 2 + np.abs(b) @ reached
    expected = (a + a.T) @ x / 2 + b
    least = np.finfo(np.float64).smallest_subnormal
    bound = (2 * n + 5) * (EPS * (terms / h + np.abs(a).sum() * reached.max() + np.abs(b).max()) + least / h)
    np.testing.assert_allclose(found, expected, rtol=0, atol=bound)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_f_may_read_x_or_its_argument(dtype) -> None:
    """Both hold the same numbers, of which a float32 x has room."""
    x = np.array([[0.1, -2.5], [7.3, 0.0]], dtype)
    seen = []

    def f(argument):
        seen.append(argument.dtype)
        np.testing.assert_array_equal(argument, x)
        return squares(x.astype(np.float64))

    np.testing.assert_allclose(fastnn.numerical_gradient(f, x), 2 * x, rtol=1e-7, atol=1e-9)
    assert set(seen) == {np.dtype("float64")}
    np.testing.assert_array_equal(x, np.array([[0.1, -2.5], [7.3, 0.0]], dtype))


def test_only_the_argument_moves_where_x_cannot() -> None:
    fixed = np.array([3.0, 4.0])
    fixed.flags.writeable = False
    np.testing.assert_allclose(fastnn.numerical_gradient(squares, fixed), [6, 8], atol=1e-9)
    strided = np.zeros((4, 6))[::2, ::3]
    strided[...] = [[1, 2], [3, 4]]
    np.testing.assert_allclose(fastnn.numerical_gradient(lambda _: squares(strided), strided), 2 * strided, atol=1e-9)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("fails_at", [0, 1, 2, 5])
def test_x_is_as_it_was_where_f_raises(dtype, fails_at) -> None:
    x = np.array([0.1, 0.2, 0.3], dtype)
    before, calls = x.copy(), iter(range(10))

    def f(argument):
        if next(calls) == fails_at:
            raise KeyError("mine")
        return squares(argument)

    with pytest.raises(KeyError, match="mine"):
        fastnn.numerical_gradient(f, x)
    np.testing.assert_array_equal(x, before)


def test_x_is_as_it_was_where_f_spoils_it() -> None:
    x = np.array([1.0, 2.0])

    def f(argument):
        argument[...] = 7
        return 0.0

    np.testing.assert_array_equal(fastnn.numerical_gradient(f, x), [0, 0])
    np.testing.assert_array_equal(x, [1, 2])


def test_the_notes_network(dtype, rng) -> None:
    """The loss of a 2-3-2-2 net by each of its 23 parameters, which f reads in place, against one step of training."""
    net = fastnn.MLP((2, 3, 2, 2), dtype=dtype)
    x, t = rng.standard_normal((4, 2)).astype(dtype), rng.integers(0, 2, 4)
    weights = net.get_weights()

    def loss(_):
        net.set_weights(weights)
        return fastnn.softmax_cross_entropy(net.forward(x), t)[0]

    # A float32 loss, below 1, has some ten roundings of 6e-8, to be divided by h; the truncation is below h²/6.
    h, atol = (1e-2, 1e-4) if dtype == "float32" else (1e-4, 1e-8)
    found = [fastnn.numerical_gradient(loss, w, h) for w in weights]
    net.set_weights(weights)
    net.train_step(x, t, fastnn.SGD(lr=1.0))
    for w, after, gradient in zip(weights, net.get_weights(), found, strict=True):
        assert (gradient.shape, gradient.dtype) == (w.shape, w.dtype)
        np.testing.assert_allclose(gradient, w - after, rtol=0, atol=atol)
    assert sum(g.size for g in found) == 23


def test_descent_of_the_notes() -> None:
    """x0² + x1² from (-3, 4) with lr = 0.1: each step leaves 0.8 of x."""
    start = np.array([-3, 4])
    x, path = fastnn.gradient_descent(squares, start, lr=0.1, steps=100)
    assert path.shape == (101, 2)
    assert path.dtype == np.float64
    np.testing.assert_allclose(path, start * 0.8 ** np.arange(101)[:, None], rtol=0, atol=1e-9)
    np.testing.assert_array_equal(x, path[-1])
    np.testing.assert_array_equal(start, [-3, 4])
    x[0] = 9
    assert path[-1, 0] != 9, "the end is an array of its own"


def test_descent_with_the_notes_bad_rates() -> None:
    """lr = 10 multiplies x by -19, to where 1e-4 is lost beside it; lr = 1e-10 leaves it where it was."""
    path = fastnn.gradient_descent(squares, [-3.0, 4.0], lr=10.0, steps=20).path
    # Near the best h a difference of squares is off by eps^(2/3) of them, and each step by twenty of that at most.
    np.testing.assert_allclose(path, [-3, 4] * (-19.0) ** np.arange(21)[:, None], rtol=20 * 20 * EPS ** (2 / 3))
    x, _ = fastnn.gradient_descent(squares, [-3.0, 4.0], lr=1e-10)
    np.testing.assert_allclose(x, [-3, 4], rtol=1e-7)


def test_descent_along_a_given_gradient() -> None:
    kept = []

    def gradient(x):
        kept.append(x)
        return 2 * x

    x, path = fastnn.gradient_descent(squares, np.array([[1.0], [2.0]], np.float32), 0.25, 3, gradient=gradient)
    np.testing.assert_array_equal(x, [[1 / 8], [1 / 4]])
    np.testing.assert_array_equal(path[:-1], kept)
    still, path = fastnn.gradient_descent(squares, 3.0, steps=0)
    assert (still.shape, path.shape, still) == ((), (1,), 3)


def number(x):
    return 1.0


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: fastnn.numerical_diff(np.sin, 1.0, 0), ValueError, "^h: got 0, expected a number above 0"),
        (lambda: fastnn.numerical_diff(np.sin, 1.0, -1e-4), ValueError, "^h: got -0.0001, expected a number"),
        (lambda: fastnn.numerical_diff(np.sin, 1.0, np.nan), ValueError, "^h: got nan"),
        (lambda: fastnn.numerical_diff(np.sin, 1.0, "1"), TypeError, "^h: got '1', expected a number"),
        (lambda: fastnn.numerical_diff(np.sin, 1e15), ValueError, r"^h: got 0.0001, which is lost beside 1e\+15"),
        (lambda: fastnn.numerical_diff(np.sin, np.ones(2)), TypeError, "^x: got an array .*; use numerical_gradient"),
        (lambda: fastnn.numerical_diff(np.sin, np.nan), ValueError, "^x: got nan, expected a number"),
        (lambda: fastnn.numerical_diff(np.sin, -np.inf), ValueError, "^x: got -inf, expected a number"),
        (lambda: fastnn.numerical_diff(3, 1.0), TypeError, "^f: got 3, expected a function"),
        (lambda: fastnn.numerical_diff(lambda x: None, 1.0), TypeError, "^f: returned None, expected a number"),
        (lambda: fastnn.numerical_diff(lambda x: x > 0, 1.0), TypeError, "^f: returned True, expected a number"),
        (lambda: fastnn.numerical_diff(lambda x: 1j, 1.0), TypeError, "^f: returned 1j, expected a number"),
        (lambda: fastnn.numerical_gradient(lambda x: x**2, np.ones(3)), ValueError, r"^f: returned .* shape \(3,\)"),
        (lambda: fastnn.numerical_gradient(lambda x: (x, 1), np.ones(3)), TypeError, r"^f: returned \(array"),
        (lambda: fastnn.numerical_gradient(number, np.ones(3), h=-1), ValueError, "^h: got -1"),
        (lambda: fastnn.numerical_gradient(number, ["a"]), TypeError, "^x: got dtype <U1, expected real numbers"),
        (lambda: fastnn.numerical_gradient(number, [1j]), TypeError, "^x: got dtype complex128"),
        (lambda: fastnn.numerical_gradient(number, [1, np.nan]), ValueError, "^x: got nan, expected finite numbers"),
        (lambda: fastnn.numerical_gradient(number, [1e15]), ValueError, "^h: got 0.0001, which is lost beside"),
        (
            lambda: fastnn.numerical_gradient(number, np.array([1e4], "f4")),
            ValueError,
            r"^h: got 0.0001, which is lost beside 10000 in float32, expected a larger one",
        ),
        (lambda: fastnn.numerical_gradient(number, np.ma.array([1.0])), TypeError, "^x: got a masked array"),
        (lambda: fastnn.gradient_descent(None, [1.0]), TypeError, "^f: got None, expected a function"),
        (lambda: fastnn.gradient_descent(number, [1.0], lr=-1), ValueError, "^lr: got -1"),
        (lambda: fastnn.gradient_descent(number, [1.0], steps=2.5), TypeError, "^steps: got 2.5"),
        (lambda: fastnn.gradient_descent(number, ["a"]), TypeError, "^x0: got dtype <U1"),
        (
            lambda: fastnn.gradient_descent(number, [1.0], gradient=2),
            TypeError,
            "^gradient: got 2, expected a function",
        ),
        (
            lambda: fastnn.gradient_descent(number, [1.0], gradient=lambda x: np.ones(2)),
            ValueError,
            r"^gradient: returned an array of shape \(2,\), expected \(1,\)",
        ),
        (
            lambda: fastnn.gradient_descent(squares, [1.0], 1e200, gradient=lambda x: 2 * x),
            ValueError,
            r"^lr: got 1e\+200, with which x is not finite after 2 steps, expected a smaller one",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow")
def test_refused(call, error, message) -> None:
    with pytest.raises(error, match=message):
        call()
