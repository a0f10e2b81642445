"""Nets with an activation, a loss and an optimizer of a user's own: found by name, once they are declared."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import fastnn

OWN = """
from fastnn.extend import Hyper, Optimizer, activation, elementwise_loss, finite, fraction, learning_rate, like

activation("own_bent", value=lambda x, a: x * a, backward=lambda dy, x, y, a: dy * a, defaults={"a": 0.5})
elementwise_loss("own_apart", value=lambda z, t: (z - t) * (z - t), slope=lambda z, t: like(z, 2) * (z - t))


class OwnSignum(Optimizer):
    lr, beta, extra = Hyper(1e-3, learning_rate), Hyper(0.9, fraction), Hyper(0.0, lambda name, value: float(value))
    moments = ("m",)

    def __init__(self, rate):
        super().__init__(lr=rate, extra=float("nan"))

    @staticmethod
    def update(g, m, lr, beta, extra):
        m = beta * m + (1 - beta) * g
        return m, lr * m
"""

SAVE = """
import sys
import fastnn, own
from tests.saving.test_resume import X, train

net = fastnn.MLP((5, 17, 3), ("own_bent", 1 / 3), "own_apart")
x, t, optimizer = X.astype("float32"), X[:, :3].astype("float32"), own.OwnSignum(0.01)
net.train_step(x, t, optimizer)
net.save(sys.argv[1])
print([net.train_step(x, t, optimizer).hex() for _ in range(3)])
"""

LOAD = """
import sys
import fastnn
from tests.saving.test_resume import X, train

for needed in ("activation 'own_bent'", "loss 'own_apart'", "optimizer 'OwnSignum'"):
    try:
        fastnn.load(sys.argv[1])
    except fastnn.FileError as error:
        found = str(error)
        assert f"needs the {needed}, which is not declared here; declare it, as the module 'own' did" in found, found
    else:
        raise AssertionError(needed)
    if "activation" in needed:
        from fastnn.extend import activation
        activation("own_bent", value=lambda x, a: x * a, backward=lambda dy, x, y, a: dy * a, defaults={"a": 0.5})
    elif "loss" in needed:
        from fastnn.extend import elementwise_loss, like
        elementwise_loss(
            "own_apart", value=lambda z, t: (z - t) * (z - t), slope=lambda z, t: like(z, 2) * (z - t)
        )
"""

RESUME = """
import sys
import fastnn, own
from tests.saving.test_resume import X, train

net = fastnn.load(sys.argv[1])
assert net.activation == ("own_bent", 1 / 3) and net.loss == "own_apart" and type(net.optimizer) is own.OwnSignum
assert net.optimizer.extra != net.optimizer.extra
x, t = X.astype("float32"), X[:, :3].astype("float32")
print([net.train_step(x, t, net.optimizer).hex() for _ in range(3)])
"""


def run(program: str, folder: Path) -> str:
    paths = f"import sys; sys.path[:0] = [{str(folder)!r}, {str(Path(__file__).parents[2])!r}]\n"
    done = subprocess.run(
        [sys.executable, "-c", paths + program, str(folder / "net")], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_own_items_are_found_by_name(tmp_path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    expected = run(SAVE, tmp_path)
    run(LOAD, tmp_path)
    assert run(RESUME, tmp_path) == expected


@pytest.mark.parametrize("name", ["relu", "not_declared"])
def test_what_is_not_declared_cannot_be_saved(name, tmp_path) -> None:
    """It would not be found, or another would."""
    net = fastnn.MLP((3, 4, 2), fastnn.Activation(name, value=lambda x: x, backward=lambda dy, x, y: dy))
    with pytest.raises(
        TypeError, match=f"^activation: got one named '{name}' that is not declared, .* fastnn.activation"
    ):
        net.save(tmp_path / "net")
    assert not (tmp_path / "net").exists()


def test_of_classes_of_one_name_the_last_is_taken(tmp_path) -> None:
    """As after a cell of a notebook ran again; and none is taken for fastnn's own of that name."""

    def declare() -> type[fastnn.Optimizer]:
        class Adam(fastnn.SGD):
            pass

        return Adam

    kinds = [declare() for _ in range(3)]
    for optimizer in (kinds[0](0.1, momentum=0.5), fastnn.Adam(0.1)):
        net = fastnn.MLP((5, 17, 3))
        net._optimizer = optimizer
        net.save(tmp_path / "net")
        assert type(fastnn.load(tmp_path / "net").optimizer) is (
            kinds[-1] if isinstance(optimizer, fastnn.SGD) else fastnn.Adam
        )
