"""Options of the functions: what weights are worth, what counts nothing, extreme inputs, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fastnn

N, OUTPUTS = 7, 5


def drawn(name: str, dtype: str, style: str = "ordinary", n: int = N, outputs: int = OUTPUTS) -> list[np.ndarray]:
    return getattr(fastnn, name).declaration.draw({"n": n, "o": outputs, "c": outputs}, dtype, style)


@pytest.mark.parametrize("name", fastnn.Loss.by_name)
def test_a_row_of_weight_two_counts_as_two(name: str, dtype: str) -> None:
    function, (y, t) = getattr(fastnn, name), drawn(name, dtype)
    counts = np.array([1, 2, 0, 1, 3, 1, 1])
    rows = np.repeat(np.arange(N), counts)
    loss, dy = function(y, t, sample_weight=counts)
    expected, gradient = function(y[rows], t[rows])
    eps = float(np.finfo(dtype).eps)
    assert loss == pytest.approx(float(expected), rel=30 * eps)
    summed = np.zeros_like(y)
    np.add.at(summed, rows, gradient)
    np.testing.assert_allclose(dy, summed, rtol=0, atol=20 * eps * np.abs(summed).max())


@pytest.mark.parametrize("name", fastnn.Loss.by_name)
def test_weights_of_one_change_nothing(name: str, dtype: str) -> None:
    function, (y, t) = getattr(fastnn, name), drawn(name, dtype)
    eps = float(np.finfo(dtype).eps)
    for found, expected in zip(function(y, t, sample_weight=np.ones(N)), function(y, t), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=20 * eps * np.abs(expected).max())


@pytest.mark.parametrize("name", fastnn.Loss.by_name)
def test_a_row_of_weight_zero_counts_nothing_whatever_it_holds(name: str, dtype: str) -> None:
    function, (y, t) = getattr(fastnn, name), drawn(name, dtype)
    weights = np.ones(N)
    weights[2] = 0
    expected = function(np.delete(y, 2, 0), np.delete(t, 2, 0))
    for bad in (np.nan, np.inf, -np.inf):
        y[2] = bad
        for computed in (function, function.reference):
            loss, dy = computed(y, t, sample_weight=weights)
            assert loss == pytest.approx(float(expected[0]), rel=30 * float(np.finfo(dtype).eps))
            np.testing.assert_array_equal(dy[2], 0)
            assert np.isfinite(dy).all()


@pytest.mark.parametrize("name", fastnn.Loss.by_name)
def test_nothing_weighs_anything(name: str, dtype: str) -> None:
    function, (y, t) = getattr(fastnn, name), drawn(name, dtype)
    for computed in (function, function.reference):
        loss, dy = computed(y, t, sample_weight=np.zeros(N))
        assert np.isnan(loss)
        np.testing.assert_array_equal(dy, 0)
        if "reduction" in fastnn.Loss.by_name[name].options:
            assert computed(y, t, sample_weight=np.zeros(N), reduction="sum")[0] == 0


def test_all_labels_are_ignored(dtype: str) -> None:
    loss, dz = fastnn.softmax_cross_entropy(np.ones((2, 3), dtype), [-1, -1], ignore_label=-1)
    assert np.isnan(loss)
    np.testing.assert_array_equal(dz, 0)


def _all_options(name: str) -> list[dict[str, Any]]:
    has, weights = fastnn.Loss.by_name[name].options, np.linspace(0, 2, N)
    found: list[dict[str, Any]] = [{"sample_weight": weights}]
    if "reduction" in has:
        found += [{"reduction": "sum"}, {"reduction": "none", "sample_weight": weights}]
    if "class_weight" in has:
        found += [{"class_weight": np.arange(OUTPUTS), "label_smoothing": 0.1}, {"label_smoothing": 0.25}]
    return found


@pytest.mark.parametrize("style", ["ordinary", "large", "tiny", "equal", "special"])
@pytest.mark.parametrize("name", fastnn.Loss.by_name)
def test_equals_the_reference_on_any_inputs(name: str, style: str, dtype: str) -> None:
    """NaN and infinities in the same places, and every other number as close as the declaration says."""
    function, item = getattr(fastnn, name), fastnn.Loss.by_name[name]
    for n, outputs in ((N, OUTPUTS), (1, OUTPUTS), (N, 1)):
        y, t = drawn(name, dtype, style, n, outputs)
        for options in _all_options(name):
            given = dict(options)
            if "sample_weight" in given:
                given["sample_weight"] = given["sample_weight"][:n]
            if "class_weight" in given:
                given["class_weight"] = given["class_weight"][:outputs] + 1
            found, expected = function(y, t, **given), function.reference(y, t, **given)
            with np.errstate(all="ignore"):
                wide = t if t.dtype.kind == "i" else t.astype(float)
                scales = item.magnitude(y.astype(float), wide, **given)
            for own, true, scale in zip(found, expected, scales, strict=True):
                info = np.finfo(dtype)
                with np.errstate(all="ignore"):
                    bound = (function.declaration.ulps + 2 + 2 * np.sqrt(y.size)) * info.eps * np.abs(scale)
                finite = np.isfinite(true)
                np.testing.assert_array_equal(np.asarray(own)[~finite], np.asarray(true)[~finite])
                off = np.abs(np.asarray(own, float)[finite] - np.asarray(true, float)[finite])
                allowed = np.nan_to_num(np.broadcast_to(bound, finite.shape)[finite]) + 2 * info.tiny
                assert (off <= allowed).all(), (options, n, outputs, own, true)


@pytest.mark.parametrize("name", fastnn.Loss.by_name)
def test_huge_logits(name: str, dtype: str) -> None:
    y, t = drawn(name, dtype)
    y[...] = np.where(np.arange(y.size).reshape(y.shape) % 2, 1e4, -1e4)
    function = getattr(fastnn, name)
    for given in ({}, {"sample_weight": np.linspace(0.5, 1, N)}):
        for found, expected in zip(function(y, t, **given), function.reference(y, t, **given), strict=True):
            np.testing.assert_allclose(found, expected, rtol=30 * np.finfo(dtype).eps)


@pytest.mark.parametrize("name", fastnn.Loss.by_name)
def test_none_is_what_the_others_reduce(name: str, dtype: str) -> None:
    item = fastnn.Loss.by_name[name]
    if "reduction" not in item.options:
        pytest.skip("has none")
    function, (y, t) = getattr(fastnn, name), drawn(name, dtype)
    losses, gradient = function(y, t, reduction="none")
    assert losses.shape == (y.shape if item.mean_over == "elements" else (N,))
    assert losses.dtype == dtype
    total, dy = function(y, t, reduction="sum")
    assert total == pytest.approx(float(losses.astype(float).sum()), rel=N * OUTPUTS * float(np.finfo(dtype).eps))
    np.testing.assert_array_equal(gradient, dy)
    mean = function(y, t)[0]
    assert mean == pytest.approx(float(total) / losses.size, rel=20 * float(np.finfo(dtype).eps))


def test_one_dimension_is_one_output(dtype: str, rng: np.random.Generator) -> None:
    y, t, weights = rng.standard_normal(N).astype(dtype), rng.standard_normal(N).astype(dtype), rng.random(N)
    for name in ("huber", "sum_squared_error", "root_mean_squared_error"):
        function = getattr(fastnn, name)
        loss, dy = function(y, t, sample_weight=weights)
        other, gradient = function(y[:, None], t[:, None], sample_weight=weights)
        assert (loss, dy.shape) == (other, (N,))
        np.testing.assert_array_equal(dy, gradient[:, 0])
    assert fastnn.huber(y, t, reduction="none")[0].shape == (N,)


def test_out_is_written_with_options_too(dtype: str, rng: np.random.Generator) -> None:
    y, t = rng.standard_normal((N, 2)).astype(dtype), rng.standard_normal((N, 2)).astype(dtype)
    out = np.empty_like(y)
    assert fastnn.huber(y, t, reduction="sum", out=out)[1] is out
    np.testing.assert_array_equal(out, fastnn.huber(y, t, reduction="sum")[1])
    with pytest.raises(ValueError, match="^out: got an array that shares memory with y"):
        fastnn.huber(y, t, reduction="sum", out=y)


def test_any_layout_and_keywords(dtype: str, rng: np.random.Generator) -> None:
    z, t = rng.standard_normal((N, 4)).astype(dtype), rng.integers(0, 3, N)
    expected = fastnn.softmax_cross_entropy(z, t, label_smoothing=0.1)
    fixed = np.asfortranarray(z)
    fixed.flags.writeable = False
    for found in (
        fastnn.softmax_cross_entropy(fixed, np.repeat(t, 2)[::2], label_smoothing=0.1),
        fastnn.softmax_cross_entropy(t=t.tolist(), z=z, label_smoothing=0.1, class_weight=[1, 1, 1, 1]),
    ):
        assert found[0] == expected[0]
        np.testing.assert_array_equal(found[1], expected[1])
    plain = fastnn.softmax_cross_entropy(z, t)
    default = fastnn.softmax_cross_entropy(t=t, z=z, label_smoothing=0.0, ignore_label=None, reduction="mean")
    assert plain[0] == default[0]


Y, T = np.ones((4, 2), np.float32), np.zeros((4, 2), np.float32)


@pytest.mark.parametrize(
    ("name", "t", "options", "error", "message"),
    [
        ("huber", T, {"sample_weight": [1, 2, 3]}, ValueError, r"^sample_weight: got shape \(3,\), expected \(4,\)"),
        ("huber", T, {"sample_weight": [1, -2, 3, 4]}, ValueError, "^sample_weight: got -2.0 at position 1"),
        ("huber", T, {"sample_weight": [1, 2, np.nan, 4]}, ValueError, "^sample_weight: got nan at position 2"),
        ("huber", T, {"sample_weight": [1, 2, 3, np.inf]}, ValueError, "^sample_weight: got inf at position 3"),
        ("huber", T, {"sample_weight": ["a"] * 4}, TypeError, "^sample_weight: got dtype <U1, expected real"),
        ("huber", T, {"reduction": "batchmean"}, ValueError, "^reduction: got 'batchmean', expected one of 'mean', 's"),
        ("huber", T, {"delta": 0, "reduction": "sum"}, ValueError, r"^delta: got 0, expected a number in \(0, inf\)"),
        ("huber", T, {"delta": "a"}, TypeError, "^delta: got 'a', expected a number"),
        ("huber", T[:3], {"reduction": "sum"}, ValueError, r"^t: got shape \(3, 2\), expected \(n, o\) with n = 4"),
        ("huber", T.astype(float), {"reduction": "sum"}, TypeError, "^t: got dtype float64, expected float32 as in y"),
        ("huber", T, {"class_weight": [1, 2]}, TypeError, "^huber: got an unexpected keyword argument 'class_weight'"),
        ("root_mean_squared_error", T, {"reduction": "sum"}, TypeError, "unexpected keyword argument 'reduction'"),
        ("sigmoid_cross_entropy", T, {"label_smoothing": 1.5}, ValueError, r"^label_smoothing: got 1.5, .*in \[0, 1\]"),
        ("softmax_cross_entropy", [0, 1, 2, 0], {"reduction": "sum"}, ValueError, "^t: got label 2 at position 2"),
        (
            "softmax_cross_entropy",
            [0, -1, 2, 0],
            {"ignore_label": -1},
            ValueError,
            "^t: got label 2 at position 2, expected labels from 0 to 1",
        ),
        ("softmax_cross_entropy", [0, 1, 1, 0], {"ignore_label": 0.5}, TypeError, "^ignore_label: got 0.5"),
        ("softmax_cross_entropy", [0, 1, 1, 0], {"class_weight": [1, 2, 3]}, ValueError, "^class_weight: got shape"),
        ("softmax_cross_entropy", [0, 1, 1, 0], {"label_smoothing": -0.1}, ValueError, "^label_smoothing: got -0.1"),
        ("kl_divergence", T, {"label_smoothing": 0.1}, TypeError, "unexpected keyword argument 'label_smoothing'"),
    ],
)
def test_what_is_refused(name: str, t: Any, options: dict[str, Any], error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        getattr(fastnn, name)(Y, t, **options)
