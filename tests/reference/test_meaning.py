"""The references against numbers worked out by hand, and against PyTorch where it is installed."""

from __future__ import annotations

import numpy as np
import pytest

import fastnn
from fastnn.reference import affine, encoding, metrics, softmax
from tests.optimizers.forms import FORMS, make, numbers_of_torch

cross_entropy, softmax_cross_entropy = (
    getattr(fastnn, name).reference for name in ("cross_entropy", "softmax_cross_entropy")
)


def test_affine_by_hand() -> None:
    x, w, b = np.array([[1.0, 2.0]]), np.array([[1.0, 3.0, 5.0], [2.0, 4.0, 6.0]]), np.array([0.1, 0.2, 0.3])
    np.testing.assert_allclose(affine.affine_forward(x, w, b), [[5.1, 11.2, 17.3]])


def test_softmax_by_hand() -> None:
    np.testing.assert_allclose(softmax.softmax(np.log([1.0, 2.0, 5.0])), [0.125, 0.25, 0.625])
    e = np.exp([0.0, -10.0, -20.0])
    np.testing.assert_allclose(softmax.softmax(np.array([1010.0, 1000.0, 990.0])), e / e.sum())


def test_cross_entropy_by_hand() -> None:
    p, t = np.array([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]), np.array([0, 2])
    expected = -(np.log(0.5) + np.log(0.8)) / 2
    assert cross_entropy(p, t) == pytest.approx(expected)
    assert cross_entropy(p, np.eye(3)[t]) == pytest.approx(expected)
    assert cross_entropy(p, t, eps=1e-7) == pytest.approx(-(np.log(0.5 + 1e-7) + np.log(0.8 + 1e-7)) / 2)


def test_cross_entropy_of_a_sure_answer() -> None:
    p = np.array([[1.0, 0.0]])
    assert cross_entropy(p, np.array([0])) == 0
    assert cross_entropy(p, np.array([[1.0, 0.0]])) == 0
    assert cross_entropy(p, np.array([1])) == np.inf


def test_one_hot_and_accuracy_by_hand() -> None:
    np.testing.assert_array_equal(encoding.one_hot(np.array([2, 0]), classes=3), [[0, 0, 1], [1, 0, 0]])
    assert metrics.accuracy(np.array([[1.0, 1.0], [0.0, 2.0], [3.0, 0.0]]), np.array([0, 1, 1])) == pytest.approx(2 / 3)


def test_results_keep_the_precision_of_the_arguments(dtype: str) -> None:
    x = np.ones((2, 3), dtype)
    assert fastnn.sigmoid.reference(x).dtype == dtype
    loss, dz = softmax_cross_entropy(x, np.array([0, 1]))
    assert loss.dtype == dz.dtype == dtype


class TestAgainstTorch:
    """In float64 PyTorch and the references differ by roundings alone."""

    torch = staticmethod(lambda: pytest.importorskip("torch"))
    tolerance = {"rtol": 1e-12, "atol": 1e-13}  # noqa: RUF012

    @pytest.mark.parametrize("name", fastnn.Activation.by_name)
    def test_activation(self, name: str, rng: np.random.Generator) -> None:
        torch = self.torch()
        item = fastnn.Activation.by_name[name]
        theirs = {
            "identity": torch.nn.Identity(),
            "hard_sigmoid": torch.nn.functional.hardsigmoid,
            "hard_swish": torch.nn.functional.hardswish,
            "gelu_tanh": torch.nn.GELU("tanh"),
            "exponential": torch.exp,  # Keras'
        }.get(name) or getattr(torch.nn.functional, name)
        x, dy = rng.standard_normal((6, 4)) * 3, rng.standard_normal((6, 4))
        for numbers in (item.defaults, item.example):
            tensor = torch.tensor(x, requires_grad=True)
            y = theirs(tensor, **numbers)
            y.backward(torch.tensor(dy))
            found = item.reference(x, **numbers)
            np.testing.assert_allclose(found, y.detach().numpy(), **self.tolerance)
            arguments = {"input": (x,), "output": (found,), "both": (x, found)}[item.slope_of]
            backward = item.reference_backward(dy, *arguments, **numbers)
            # PyTorch's 1/6 is a float32 in its gradient of hardsigmoid.
            close = {"rtol": 1e-7} if name == "hard_sigmoid" else self.tolerance
            np.testing.assert_allclose(backward, tensor.grad.numpy(), **close)

    @pytest.mark.parametrize("rows", [False, True])
    def test_softmax_cross_entropy(self, rows: bool, rng: np.random.Generator) -> None:
        torch = self.torch()
        z, t = rng.standard_normal((6, 4)) * 3, rng.integers(0, 4, 6)
        if rows:
            t = rng.random((6, 4))
        tensor = torch.tensor(z, requires_grad=True)
        loss = torch.nn.functional.cross_entropy(tensor, torch.tensor(t))
        loss.backward()
        found, dz = softmax_cross_entropy(z, t)
        np.testing.assert_allclose(found, loss.item(), **self.tolerance)
        np.testing.assert_allclose(dz, tensor.grad.numpy(), **self.tolerance)

    @pytest.fixture
    def doubles(self):
        """PyTorch with float64 as its default: NAdam keeps its product in it."""
        torch = self.torch()
        before = torch.get_default_dtype()
        torch.set_default_dtype(torch.float64)
        yield torch
        torch.set_default_dtype(before)

    @pytest.mark.parametrize("form", [form for form in FORMS if form != "Lion"])  # which PyTorch has not
    def test_optimizer(self, form: str, doubles, rng: np.random.Generator) -> None:
        torch = doubles
        w = rng.standard_normal(10)
        tensor = torch.tensor(w.copy(), requires_grad=True)
        theirs = getattr(torch.optim, form.split(",")[0])([tensor], **numbers_of_torch(FORMS[form]))
        own = make(form)
        rule, moments = own.rule, [np.zeros(10) for _ in own.rule.moments]
        for step in range(1, 11):
            g = rng.standard_normal(10)
            tensor.grad = torch.tensor(g)
            theirs.step()
            values = {**own.values, "step": step}
            rule.reference(w, g, *moments, **{number: values[number] for number in rule.numbers})
        np.testing.assert_allclose(w, tensor.detach().numpy(), **self.tolerance)

    @pytest.mark.parametrize("name", sorted({form.split(",")[0] for form in FORMS} - {"Lion"}))
    def test_defaults_of_optimizers(self, name: str) -> None:
        torch = self.torch()
        theirs = getattr(torch.optim, name)([torch.zeros(1)]).defaults
        theirs |= dict(zip(("beta1", "beta2"), theirs.get("betas", ()), strict=False))
        own = {n: value for n, value in getattr(fastnn, name)().values.items() if n not in fastnn.Optimizer.hyper}
        assert {n: theirs[n] for n in own} == own


def test_lion_by_hand() -> None:
    w, m = np.array([1.0, 1.0, 1.0]), np.array([1.0, -1.0, 0.0])
    fastnn.lion_update.reference(w, np.array([-8.0, 0.0, 0.0]), m, lr=0.1, beta1=0.9, beta2=0.5, weight_decay=0.5)
    np.testing.assert_allclose(w, [0.95 - 0.1, 0.95 + 0.1, 0.95])  # the first: 0.9 - 0.1 * 8 is above 0
    np.testing.assert_allclose(m, [-3.5, -0.5, 0])
