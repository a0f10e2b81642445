"""Items of a user's own file in other processes: kept on disk, pickled, and without compiling."""

from __future__ import annotations

import json
import os
import pickle
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastnn

ITEMS = """
from fastnn.extend import Hyper, Optimizer, activation, elementwise_loss, learning_rate
from my_parts import FACTOR, helped


def bent_value(x):
    return helped(x) if x > 0 else FACTOR * x


def bent_backward(dy, x, y):
    return helped(dy) if x > 0 else FACTOR * dy


def apart(y, t):
    return FACTOR * helped(y - t)


def apart_slope(y, t):
    return FACTOR * helped(1)


my_bent = activation("my_bent", value=bent_value, backward=bent_backward)
my_apart = elementwise_loss("my_apart", value=apart, slope=apart_slope)


class MyDescent(Optimizer):
    lr = Hyper(0.5, learning_rate)

    @staticmethod
    def update(g, lr):
        return lr * (FACTOR * helped(g))
"""

PARTS = """
# {unique}
from fastnn.extend import scalar

FACTOR = {factor}


@scalar
def helped(x):
    return {by} * x
"""

RUN = """
import json, pickle, sys
import numpy as np
import fastnn
import my_items
from fastnn.reference.mlp import MLP as Twin

x, t, optimizer = np.ones((2, 3), np.float32), np.ones((2, 1), np.float32), my_items.MyDescent()
w = np.zeros(1, np.float32)
fastnn.my_descent_update(w, np.ones(1, np.float32))
net, twin = (kind((3, 4, 1), "my_bent", "my_apart", init=0.5) for kind in (fastnn.MLP, Twin))
losses = [each.train_step(x, t, optimizer) for each in (net, twin)]
changed = [np.concatenate([w.ravel() for w in each.get_weights()]).tolist() for each in (net, twin)]
rule = optimizer.rule
dispatchers = [
    fastnn.my_bent.kernel, *my_items.my_bent._step_kernels, fastnn.my_apart.kernel, my_items.my_apart.row_sum,
    rule.array_kernel, *set(rule._step_kernels),
]
if len(sys.argv) > 1:
    with open(sys.argv[1], "wb") as file:
        pickle.dump((net, optimizer), file)
print(json.dumps({
    "values": [*fastnn.my_bent(np.array([2.0, -1.0])).tolist(), float(fastnn.my_apart(3 * t, t)[0]), float(w[0])],
    "losses": losses,
    "changed": changed,
    "misses": sum(sum(d.stats.cache_misses.values()) for d in dispatchers),
    "hits": sum(sum(d.stats.cache_hits.values()) for d in dispatchers),
}))
"""

LOAD = """
import pickle, sys
import numpy as np

with open(sys.argv[1], "rb") as file:
    net, optimizer = pickle.load(file)
net.train_step(np.ones((2, 3), np.float32), np.ones((2, 1), np.float32), optimizer)
print(net, optimizer)
"""


def run(folder: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    root = str(Path(fastnn.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((root, str(folder)))}
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, env=environment, timeout=300
    )


def test_kept_on_disk_and_compiled_anew_when_a_part_changes(tmp_path: Path) -> None:
    """A helper, and a constant, in another file than the items."""
    unique = secrets.token_hex(8)  # no earlier run of this test has compiled it

    def found(**parts: Any) -> dict[str, Any]:
        (tmp_path / "my_parts.py").write_text(PARTS.format(unique=unique, **parts))
        for compiled in tmp_path.rglob("*.pyc"):
            compiled.unlink()
        done = run(tmp_path, RUN)
        assert done.returncode == 0, done.stderr
        assert "not kept" not in done.stderr
        result = json.loads(done.stdout)
        by, factor = parts["by"], parts["factor"]
        expected = [2 * by, -factor, 2 * by * factor, -0.5 * by * factor]
        np.testing.assert_allclose(result["values"], expected, rtol=1e-6, err_msg=str(parts))
        np.testing.assert_allclose(*result["losses"], rtol=1e-5)
        np.testing.assert_allclose(*result["changed"], rtol=1e-5)
        return result

    (tmp_path / "my_items.py").write_text(ITEMS)
    first = found(by=2.0, factor=0.25)
    # An earlier run of this test may have kept the constants of `MyDescent`, which are nothing of these files.
    assert first["hits"] <= 1 < first["misses"]
    again = found(by=2.0, factor=0.25)
    assert (again["hits"], again["misses"]) == (first["hits"] + first["misses"], 0)
    # A constant alone may be one that another function has too: what counts is the numbers, which `found` compares.
    assert found(by=2.0, factor=0.75)["misses"] > 0
    assert found(by=3.0, factor=0.75)["misses"] > 0
    (tmp_path / "my_items.py").write_text(ITEMS.replace("return helped(x) if", "return helped(x) - 0 if"))
    assert found(by=3.0, factor=0.75)["misses"] > 0


def test_pickles_find_their_module_or_say_so(tmp_path: Path) -> None:
    (tmp_path / "my_items.py").write_text(ITEMS)
    (tmp_path / "my_parts.py").write_text(PARTS.format(unique="", by=2.0, factor=0.25))
    kept = tmp_path / "net.pickle"
    assert run(tmp_path, RUN, str(kept)).returncode == 0
    loaded = run(tmp_path, LOAD, str(kept))
    assert loaded.returncode == 0, loaded.stderr
    assert loaded.stdout.startswith("MLP((3, 4, 1), activation='my_bent', loss='my_apart'")
    elsewhere = run(tmp_path / "elsewhere", LOAD, str(kept))
    assert "No module named 'my_items'" in elsewhere.stderr


def test_a_pickle_of_a_notebook(tmp_path: Path) -> None:
    """There `__main__` is another module."""
    program = ITEMS.replace("from my_parts import FACTOR, helped", "FACTOR = 1.0\ndef helped(x): return x")
    program += "import pathlib, pickle, sys\npathlib.Path(sys.argv[1]).write_bytes(pickle.dumps([my_bent, my_apart]))\n"
    done = run(tmp_path, program, str(tmp_path / "items"))
    assert done.returncode == 0, done.stderr
    with pytest.raises(pickle.UnpicklingError, match="the activation 'my_bent' is declared in the module '__main__', "):
        pickle.loads((tmp_path / "items").read_bytes())


def test_without_compiling_there_is_nothing_to_call(tmp_path: Path) -> None:
    (tmp_path / "my_items.py").write_text(ITEMS)
    (tmp_path / "my_parts.py").write_text(PARTS.format(unique="", by=2.0, factor=0.25))
    program = "import os; os.environ['NUMBA_DISABLE_JIT'] = '1'; import fastnn, my_items; fastnn.my_bent([1.0])"
    expected = "RuntimeError: my_bent: with NUMBA_DISABLE_JIT it cannot be computed, for it has no reference in NumPy"
    assert expected in run(tmp_path, program).stderr
