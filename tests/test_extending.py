"""One activation, loss and optimizer added in one place each, in a scratch module: the code of `docs/extending.md`."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import fastnn
from fastnn.activations import Activation
from fastnn.losses import Loss
from fastnn.ops import DECLARED
from fastnn.ops.verify import comparisons
from fastnn.optimizers import RULES
from fastnn.reference.mlp import MLP as Twin

PAGE = Path(__file__).parents[1] / "docs" / "extending.md"
STEPS = 5
ACTIVATIONS = ("hardtanh", "tanhshrink", "thresholded_relu")
NEW = (
    *(f"{name}{part}" for name in ACTIVATIONS for part in ("", "_backward")),
    "pinball",
    "yogi_update",
    "clamp",
)


def load(source: str, path: Path) -> ModuleType:
    path.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def _catalogues() -> Iterator[None]:
    """The catalogues as they were, for the tests after these."""
    before = [(registry, dict(registry)) for registry in (Activation.by_name, Loss.by_name, RULES, DECLARED)]
    yield
    for registry, items in before:
        registry.clear()
        registry.update(items)


@pytest.fixture(scope="module")
def scratch(_catalogues: None, tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """All code of the page, run in a file of its own, with the checks that it makes itself."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return load("\n\n".join(blocks), tmp_path_factory.mktemp("scratch") / "scratch_items.py")


@pytest.mark.parametrize("name", NEW)
def test_public_function_exists_and_equals_its_reference(name: str, dtype: str, scratch: ModuleType) -> None:
    function = getattr(fastnn, name)
    assert function.__doc__
    for found in comparisons(function, dtype):
        assert found.error_ratio <= 1, found


def test_a_wrong_slope_is_seen(dtype: str, scratch: ModuleType, tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    block = "import numpy as np, fastnn\n" + next(block for block in blocks if '"hardtanh"' in block)
    load(block.replace("else dy", "else -dy").replace('"hardtanh"', '"wrong_hardtanh"'), tmp_path / "wrong_items.py")
    assert max(found.error_ratio for found in comparisons(fastnn.wrong_hardtanh, dtype)) <= 1
    assert max(found.error_ratio for found in comparisons(fastnn.wrong_hardtanh_backward, dtype)) > 1


def test_kinks(dtype: str, scratch: ModuleType) -> None:
    """As PyTorch has them: no slope at either bound, and NaN stays NaN."""
    x = np.array([-2, -1, 0.5, 1, 2, np.nan], dtype)
    np.testing.assert_array_equal(fastnn.hardtanh(x), np.array([-1, -1, 0.5, 1, 1, np.nan], dtype))
    np.testing.assert_array_equal(fastnn.hardtanh_backward(np.ones_like(x), x), np.array([0, 0, 1, 0, 0, 1], dtype))


@pytest.mark.parametrize("n", [1, 100])
@pytest.mark.parametrize(
    ("activation", "loss", "optimizer"),
    [
        ("hardtanh", "softmax_cross_entropy", fastnn.SGD(0.1)),
        ("tanhshrink", "mean_squared_error", fastnn.Adam(0.01)),
        (["hardtanh", ("thresholded_relu", 0.1)], "softmax_cross_entropy", fastnn.SGD(0.1)),
        ("relu", ("pinball", {"quantile": 0.9}), fastnn.SGD(0.1, momentum=0.9)),
        ("sigmoid", "softmax_cross_entropy", "Yogi"),
        ("tanhshrink", "pinball", "Yogi"),
        ("bent", ("welsch", 2.0), "Signum"),
        ("bent", "softmax_cross_entropy", "OwnAdam"),
    ],
)
def test_training_equals_the_twin(activation, loss, optimizer, n, dtype, rng, scratch: ModuleType) -> None:
    """100 rows are two row blocks: their gradients are stored; a single row has an update of its own."""
    sizes = (17, 21, 16, 4)
    net, twin = (kind(sizes, activation, loss, dtype=dtype) for kind in (fastnn.MLP, Twin))
    optimizer = getattr(scratch, optimizer)(0.05) if isinstance(optimizer, str) else optimizer
    eps = float(np.finfo(dtype).eps)
    for _ in range(STEPS):
        x = rng.standard_normal((n, 17)).astype(dtype)
        t = rng.integers(0, 4, n) if loss == "softmax_cross_entropy" else rng.standard_normal((n, 4)).astype(dtype)
        expected = twin.train_step(x, t, optimizer)
        assert net.train_step(x, t, optimizer) == pytest.approx(expected, rel=100 * eps, abs=100 * eps)
    for w, v in zip(net.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(w, v, rtol=0, atol=STEPS * 100 * eps * max(1, np.abs(v).max()))


def test_items_are_taken_as_objects_too(scratch: ModuleType) -> None:
    net = fastnn.MLP((3, 4, 2), activation=scratch.hardtanh, loss=scratch.pinball)
    assert (net.activation, net.loss) == ("hardtanh", "pinball")
    assert net.predict(np.ones((5, 3), np.float32)).shape == (5, 2)


def test_hyper_parameters_are_checked(scratch: ModuleType) -> None:
    assert repr(scratch.Yogi(lr=0.5)) == "Yogi(lr=0.5, beta1=0.9, beta2=0.999, eps=0.001, weight_decay=0.0)"
    with pytest.raises(ValueError, match=r"lr: got -1"):
        scratch.Yogi(lr=-1)
    with pytest.raises(ValueError, match=r"activation: got 'softmax', expected one of .*'hardtanh'"):
        fastnn.MLP((3, 4, 2), activation="softmax")
