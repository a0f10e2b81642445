"""A net trained by the fused step with each optimizer, against the same net in PyTorch, and against the NumPy twin."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import fastnn
from fastnn.optimizers import RULES
from fastnn.reference.mlp import MLP as Twin
from tests.optimizers.forms import FORMS, make, numbers_of_torch

SIZES, STEPS = (5, 17, 3), 100


def batches(dtype: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """One row has an update of its own; the gradients of 200 rows are stored, those of others are not."""
    rng = np.random.default_rng(1)
    for k in range(STEPS):
        n = (1, 8, 64, 200)[k % 4]
        yield rng.standard_normal((n, SIZES[0])).astype(dtype), rng.integers(0, SIZES[-1], n)


def tolerance(weights: list[np.ndarray], dtype: str) -> float:
    """A unit in the last place of the largest weight for each step: half of one is the rounding of the weight, and less
    than half those of the update, some 20 units of what is multiplied by a rate of 0.1 or less."""
    largest = max(np.abs(w).max() for w in weights)
    return STEPS * float(np.finfo(dtype).eps) * max(1.0, float(largest))


@pytest.fixture
def torch():
    """PyTorch with float64 as its default, in which NAdam keeps its product: a float32 has half of the digits."""
    module = pytest.importorskip("torch")
    before = module.get_default_dtype()
    module.set_default_dtype(module.float64)
    yield module
    module.set_default_dtype(before)


class _Lion:
    """Lion in PyTorch's place, after Chen et al. (2023), Algorithm 2."""

    def __init__(self, weights, lr, betas, weight_decay) -> None:
        self._weights, self._lr, self._betas, self._decay = weights, lr, betas, weight_decay
        self._m = [np.zeros(tuple(w.shape)) for w in weights]

    def step(self) -> None:
        beta1, beta2 = self._betas
        for w, m in zip(self._weights, self._m, strict=True):
            g, values = w.grad.numpy(), w.detach().numpy()
            update = np.sign(beta1 * m + (1 - beta1) * g)
            m[...] = beta2 * m + (1 - beta2) * g
            values -= self._lr * (update + self._decay * values)


def test_every_rule_has_a_form() -> None:
    assert {make(form).rule.name for form in FORMS} == set(RULES)


@pytest.mark.parametrize("form", FORMS)
def test_trajectory_of_torch(form: str, dtype: str, torch) -> None:
    """In float64, from the same weights and batches: what is left are the roundings of fastnn."""
    net, own = fastnn.MLP(SIZES, "tanh", dtype=dtype), make(form)
    weights = [torch.tensor(w.astype(np.float64), requires_grad=True) for w in net.get_weights()]
    kind = _Lion if form == "Lion" else getattr(torch.optim, form.split(",")[0])
    theirs = kind(weights, **numbers_of_torch(FORMS[form]))
    for x, t in batches(dtype):
        w1, b1, w2, b2 = weights
        z = torch.tanh(torch.tensor(x.astype(np.float64)) @ w1 + b1) @ w2 + b2
        loss = torch.nn.functional.cross_entropy(z, torch.tensor(t))
        for w in weights:
            w.grad = None
        loss.backward()
        theirs.step()
        assert net.train_step(x, t, own) == pytest.approx(loss.item(), rel=10 * tolerance(weights_of(weights), dtype))
    expected = weights_of(weights)
    for w, v in zip(net.get_weights(), expected, strict=True):
        np.testing.assert_allclose(w, v, rtol=0, atol=tolerance(expected, dtype))


def weights_of(tensors) -> list[np.ndarray]:
    return [w.detach().numpy() for w in tensors]


@pytest.mark.parametrize("form", FORMS)
def test_trajectory_of_the_twin(form: str, dtype: str) -> None:
    net, twin, own, theirs = (
        *(kind(SIZES, "tanh", dtype=dtype) for kind in (fastnn.MLP, Twin)),
        make(form),
        make(form),
    )
    for x, t in batches(dtype):
        expected = twin.train_step(x, t, theirs)
        assert net.train_step(x, t, own) == pytest.approx(expected, rel=10 * tolerance(twin.get_weights(), dtype))
    for w, v in zip(net.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(w, v, rtol=0, atol=tolerance(twin.get_weights(), dtype))


def test_lion_of_optax(rng: np.random.Generator) -> None:
    optax = pytest.importorskip("optax")
    numbers = FORMS["Lion"]
    lion = optax.lion(numbers["lr"], numbers["beta1"], numbers["beta2"], weight_decay=numbers["weight_decay"])
    w, m = rng.standard_normal(50).astype(np.float32), np.zeros(50, np.float32)
    theirs, state = w.copy(), lion.init(w)
    for _ in range(20):
        g = rng.standard_normal(50).astype(np.float32)
        changes, state = lion.update(g, state, theirs)
        theirs = theirs + np.asarray(changes)
        fastnn.lion_update(w, g, m, **numbers)
    np.testing.assert_allclose(w, theirs, rtol=0, atol=20 * 4 * np.finfo(np.float32).eps)
