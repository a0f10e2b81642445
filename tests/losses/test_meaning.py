"""What losses mean: PyTorch's formula, or where it has none Keras', of value and gradient, with every option."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import fastnn
from fastnn.ops.declaration import SUM_DEVIATIONS

torch = pytest.importorskip("torch")
F = torch.nn.functional


def _softmax_cross_entropy(z, t, label_smoothing=0.0, class_weight=None, ignore_label=None):
    ignored = -100 if ignore_label is None else ignore_label
    return F.cross_entropy(
        z, t, class_weight, label_smoothing=label_smoothing, ignore_index=ignored, reduction="none"
    )  # fmt: skip


def _sigmoid_cross_entropy(y, t, label_smoothing=0.0, class_weight=None):
    smooth = t * (1 - label_smoothing) + label_smoothing / 2  # as keras.losses.BinaryCrossentropy
    return F.binary_cross_entropy_with_logits(y, smooth, pos_weight=class_weight, reduction="none")


def _log_cosh(y, t):
    return (y - t) + F.softplus(-2 * (y - t), threshold=50) - np.log(2)  # as keras.losses.LogCosh


# The losses of rows, or of elements, without a reduction.
LOSSES = {
    "softmax_cross_entropy": _softmax_cross_entropy,
    "sigmoid_cross_entropy": _sigmoid_cross_entropy,
    "kl_divergence": lambda z, t: F.kl_div(F.log_softmax(z, 1), t, reduction="none").sum(dim=1),
    "hinge": lambda y, t: (1 - t * y).clamp(min=0),
    "squared_hinge": lambda y, t: (1 - t * y).clamp(min=0) ** 2,
    "poisson": lambda y, t: F.poisson_nll_loss(y, t, log_input=True, reduction="none"),
    "mean_squared_error": lambda y, t: F.mse_loss(y, t, reduction="none"),
    "half_squared_error": lambda y, t: F.mse_loss(y, t, reduction="none") / 2,
    "sum_squared_error": lambda y, t: F.mse_loss(y, t, reduction="none").sum(dim=1) / 2,
    "root_mean_squared_error": lambda y, t: F.mse_loss(y, t, reduction="none"),
    "mean_absolute_error": lambda y, t: F.l1_loss(y, t, reduction="none"),
    "huber": lambda y, t, delta=1.0: F.huber_loss(y, t, delta=delta, reduction="none"),
    "log_cosh": _log_cosh,
}
NUMBERS: dict[str, dict[str, float]] = {"huber": {"delta": 0.3}, "sigmoid_cross_entropy": {"label_smoothing": 0.2}}
N, OUTPUTS = 9, 4


def drawn(name: str, dtype: str, seed: int = 0) -> list[np.ndarray]:
    """Logits or values (9, 4), and rows of targets."""
    declaration = getattr(fastnn, name).declaration
    index = 1 if name == "softmax_cross_entropy" else 0
    return declaration.draw({"n": N, "o": OUTPUTS, "c": OUTPUTS}, dtype, seed=seed, signature_index=index)


def bounds(name: str, y: np.ndarray, t: np.ndarray, options: dict[str, Any]) -> list[np.ndarray]:
    """How far the loss and its gradient may be off: the roundings that the declaration counts, two for weights, and
    those of PyTorch, whose formulas cancel."""
    declaration, eps = getattr(fastnn, name).declaration, float(np.finfo(y.dtype).eps)
    wide = t if t.dtype.kind == "i" else t.astype(float)
    scales = fastnn.Loss.by_name[name].magnitude(y.astype(float), wide, **options)
    theirs = 4 * np.finfo(float).eps * (1 + np.abs(y).max())
    units = declaration.ulps + 2 + SUM_DEVIATIONS / 2 * np.sqrt(y.size)
    return [eps * units * np.abs(scale) + theirs for scale in scales]


def by_torch(name: str, y: np.ndarray, t: np.ndarray, options: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """The loss and its gradient in float64: the weighted mean, with each row's weight divided by their sum."""
    options = {**options}
    weights, reduction = options.pop("sample_weight", None), options.pop("reduction", "mean")
    if options.get("class_weight") is not None:
        options["class_weight"] = torch.tensor(options["class_weight"], dtype=torch.float64)
    z = torch.tensor(y.astype(float), requires_grad=True)
    targets = torch.tensor(t if t.dtype.kind == "i" else t.astype(float))
    losses = LOSSES[name](z, targets, **options)
    row = torch.ones(len(y), dtype=torch.float64) if weights is None else torch.tensor(np.asarray(weights, float))
    weighted = losses * (row if losses.ndim == 1 else row[:, None])
    if reduction == "mean":
        counted = row.clone()
        if name == "softmax_cross_entropy" and t.ndim == 1:
            kept = targets != options.get("ignore_label", -100)
            by_class = options.get("class_weight")
            own = torch.ones(OUTPUTS, dtype=torch.float64) if by_class is None else by_class
            counted = torch.where(kept, row * own[torch.where(kept, targets, 0)], 0.0)
        weighted = weighted.sum() / (counted.sum() * (losses.shape[1] if losses.ndim == 2 else 1))
    loss = weighted.sum() if reduction == "sum" else weighted
    if name.startswith("root"):
        loss = loss.sqrt()
    loss.sum().backward()
    return loss.detach().numpy(), z.grad.numpy()


def assert_means_the_same(name: str, y: np.ndarray, t: np.ndarray, options: dict[str, Any]) -> None:
    expected = by_torch(name, y, t, options)
    function = getattr(fastnn, name)
    for found in (function(y, t, **options), function.reference(y, t, **options)):
        for own, theirs, bound in zip(found, expected, bounds(name, y, t, options), strict=True):
            assert own.dtype == y.dtype
            assert own.shape == theirs.shape
            assert (np.abs(own - theirs) <= bound).all(), (name, options, own, theirs, bound)


def test_no_loss_is_left_out() -> None:
    assert set(LOSSES) == set(fastnn.Loss.by_name)


@pytest.mark.parametrize("name", LOSSES)
def test_weights_and_reductions(name: str, dtype: str, rng: np.random.Generator) -> None:
    y, t = drawn(name, dtype)
    weights = rng.random(N)
    weights[3] = 0
    has = fastnn.Loss.by_name[name].options
    for numbers in ({}, NUMBERS.get(name, {})):
        for reduction in ("mean", "sum", "none") if "reduction" in has else (None,):
            options = {**numbers, **({"reduction": reduction} if reduction else {})}
            for given in (None, weights, weights.astype("float32"), (weights * 5).astype("int32").tolist()):
                assert_means_the_same(name, y, t, options if given is None else {**options, "sample_weight": given})


@pytest.mark.parametrize("kind", ["labels", "rows"])
def test_every_option_of_the_softmax_cross_entropy(kind: str, dtype: str, rng: np.random.Generator) -> None:
    """`torch.nn.functional.cross_entropy` itself, with its own reductions."""
    z, t = (rng.standard_normal((N, OUTPUTS)) * 3).astype(dtype), rng.integers(0, OUTPUTS, N)
    rows, by_class = rng.random((N, OUTPUTS)).astype(dtype), rng.random(OUTPUTS) + 0.5
    by_class[1] = 0
    for smoothing, weights, ignored, reduction in itertools.product(
        (0.0, 0.1, 1.0), (None, by_class), (None, 2, -100), ("mean", "sum", "none")
    ):
        labels = t.copy()
        if ignored is not None:
            labels[[1, 4]] = ignored
        targets = labels if kind == "labels" else rows
        options = {"label_smoothing": smoothing, "reduction": reduction}
        options |= {} if weights is None else {"class_weight": weights}
        options |= {} if ignored is None or kind == "rows" else {"ignore_label": ignored}
        assert_means_the_same("softmax_cross_entropy", z, targets, options)
        assert_means_the_same("softmax_cross_entropy", z, targets, {**options, "sample_weight": rng.random(N)})
        theirs = F.cross_entropy(
            torch.tensor(z.astype(float)),
            torch.tensor(targets if kind == "labels" else targets.astype(float)),
            None if weights is None else torch.tensor(weights),
            ignore_index=-100 if ignored is None or kind == "rows" else ignored,
            label_smoothing=smoothing,
            reduction=reduction,
        ).numpy()
        found = fastnn.softmax_cross_entropy(z, targets, **options)[0]
        bound = bounds("softmax_cross_entropy", z, targets, options)[0]
        assert (np.abs(found - theirs) <= bound).all(), options


def test_every_option_of_the_sigmoid_cross_entropy(dtype: str, rng: np.random.Generator) -> None:
    y, t = (rng.standard_normal((N, OUTPUTS)) * 3).astype(dtype), rng.random((N, OUTPUTS)).astype(dtype)
    for smoothing, weights, reduction in itertools.product((0.0, 0.3), (None, [0.5, 1, 2, 3]), ("mean", "sum", "none")):
        options = {"label_smoothing": smoothing, "reduction": reduction}
        options |= {} if weights is None else {"class_weight": weights}
        assert_means_the_same("sigmoid_cross_entropy", y, t, options)
        assert_means_the_same("sigmoid_cross_entropy", y, t, {**options, "sample_weight": rng.random(N)})


def test_labels_of_one_answer(dtype: str, rng: np.random.Generator) -> None:
    y, t = rng.standard_normal(N).astype(dtype), rng.integers(0, 2, N)
    for given in ({}, {"sample_weight": rng.random(N)}):
        loss, dy = fastnn.sigmoid_cross_entropy(y, t, **given)
        other, gradient = fastnn.sigmoid_cross_entropy(y[:, None], t[:, None].astype(dtype), **given)
        assert loss == other
        np.testing.assert_array_equal(dy, gradient[:, 0])
    with pytest.raises(ValueError, match=r"^t: got label 2 at position \[3\], expected labels 0 or 1"):
        fastnn.sigmoid_cross_entropy(y, [0, 1, 0, 2, 0, 0, 0, 0, 0])


@pytest.mark.parametrize("eps", [0.0, 1e-7])
def test_of_probabilities(eps: float, dtype: str, rng: np.random.Generator) -> None:
    p, t = rng.random((N, OUTPUTS)).astype(dtype) * 0.9 + dtype_of(dtype)(0.05), rng.integers(0, 2, (N, OUTPUTS))
    rows = t.astype(dtype)
    z = torch.tensor(p.astype(float), requires_grad=True)
    loss = F.binary_cross_entropy(z, torch.tensor(rows.astype(float)))
    loss.backward()
    near = {"rtol": 20 * np.finfo(dtype).eps + 100 * eps}
    np.testing.assert_allclose(fastnn.binary_cross_entropy(p, rows, eps=eps), loss.item(), **near)
    np.testing.assert_allclose(fastnn.binary_cross_entropy(p, t, eps=eps), loss.item(), **near)
    np.testing.assert_allclose(fastnn.binary_cross_entropy_backward(p, rows, eps=eps), z.grad.numpy(), **near)
    z.grad = None
    labels = rng.integers(0, OUTPUTS, N)
    F.nll_loss(z.log(), torch.tensor(labels)).backward()
    one_hot = np.eye(OUTPUTS, dtype=dtype)[labels]
    np.testing.assert_allclose(fastnn.cross_entropy_backward(p, labels, eps=eps), z.grad.numpy(), **near)
    np.testing.assert_allclose(fastnn.cross_entropy_backward(p, one_hot, eps=eps), z.grad.numpy(), **near)


def dtype_of(name: str) -> type:
    return np.dtype(name).type


def test_a_factor_of_zero_counts_nothing(dtype: str) -> None:
    sure = np.array([[1, 0]], dtype)
    assert fastnn.binary_cross_entropy(sure, sure) == 0
    np.testing.assert_array_equal(fastnn.binary_cross_entropy_backward(sure, sure), [[-0.5, 0.5]])
    assert fastnn.binary_cross_entropy(sure, 1 - sure) == np.inf
    np.testing.assert_array_equal(fastnn.cross_entropy_backward(sure, [0]), [[-1, 0]])
    assert fastnn.cross_entropy_backward(sure, sure)[0, 1] == 0
    infinite = np.array([[np.inf, -np.inf]], dtype)
    loss, dy = fastnn.sigmoid_cross_entropy(infinite, sure)
    assert loss == 0
    np.testing.assert_array_equal(dy, 0)
    assert fastnn.kl_divergence(np.array([[0, -np.inf]], dtype), sure)[0] == 0


def test_formulas_by_hand(dtype: str) -> None:
    y, t = np.array([[1, 2], [4, -1]], dtype), np.array([[1, 0], [1, 1]], dtype)
    known = {
        "mean_squared_error": (4 + 9 + 4) / 4,
        "half_squared_error": (4 + 9 + 4) / 8,
        "sum_squared_error": (4 / 2 + (9 + 4) / 2) / 2,
        "root_mean_squared_error": np.sqrt((4 + 9 + 4) / 4),
        "mean_absolute_error": (2 + 3 + 2) / 4,
        "huber": (1.5 + 2.5 + 1.5) / 4,
    }
    for name, expected in known.items():
        assert getattr(fastnn, name)(y, t)[0] == pytest.approx(expected, rel=4 * float(np.finfo(dtype).eps)), name
    assert fastnn.sum_squared_error(y, t, reduction="sum")[0] == 17 / 2, "as the notes have it for any rows"
    signs = np.array([[1, -1], [1, 1]], dtype)
    assert fastnn.hinge(y, signs)[0] == (0 + 3 + 0 + 2) / 4
    assert fastnn.squared_hinge(y, signs)[0] == (9 + 4) / 4
