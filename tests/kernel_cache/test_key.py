"""A user's kernels: whatever their code refers to is in the key, so that a change anywhere is seen."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from .conftest import hits_and_misses

Load = Callable[[], ModuleType]

USES_OTHER = """
import other
from other import OFFSET, helper
from fastnn.jit import kernel

@kernel
def f(x):
    return helper(x) + OFFSET + other.CONSTANTS[0]
"""

OTHER = """
import numba
import numpy as np

OFFSET = 10
CONSTANTS = np.array([100, 200])

def inner(x):
    return x + 1

inner = numba.njit(inner)

@numba.njit
def helper(x):
    return inner(x)
"""


@pytest.fixture
def other(scratch: Path, load: Load, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Import the kernel, and a module that it uses with the text as given, anew."""
    scratch.write_text(USES_OTHER)

    def import_anew(text: str) -> ModuleType:
        used = ModuleType("other")
        exec(text, vars(used))
        monkeypatch.setitem(sys.modules, "other", used)
        return load()

    return import_anew


@pytest.mark.parametrize(
    ("old", "new", "result"),
    [
        ("OFFSET = 10", "OFFSET = 20", 124),
        ("[100, 200]", "[300, 200]", 314),
        ("return x + 1", "return x + 2", 115),
        ("return inner(x)", "return inner(x) - x", 111),
    ],
    ids=["number", "array", "helper's helper", "helper"],
)
def test_changes_in_another_module_are_seen(other: Callable, old: str, new: str, result: int) -> None:
    assert other(OTHER).f(3) == 114
    same = other(OTHER)
    assert same.f(3) == 114
    assert hits_and_misses(same.f) == (1, 0)
    changed = other(OTHER.replace(old, new))
    assert changed.f(3) == result
    assert hits_and_misses(changed.f) == (0, 1)


def test_changed_file_is_seen(load: Load, scratch: Path) -> None:
    assert load().twice(3) == 6
    scratch.write_text(scratch.read_text().replace("x + x", "x * 5"))
    assert load().twice(3) == 15


def test_file_that_changes_while_a_process_runs_gets_none_of_its_code(load: Load, scratch: Path) -> None:
    running = load()
    scratch.write_text(scratch.read_text().replace("x + x", "x * 5"))
    assert running.twice(3) == 6
    assert load().twice(3) == 15


def test_overload_in_the_same_file_is_seen(load: Load, scratch: Path) -> None:
    text = (
        "from numba.extending import overload\nfrom fastnn.jit import kernel\n"
        "def stub(x): pass\n@overload(stub)\ndef _(x): return lambda x: x + 1\n"
        "@kernel\ndef f(x): return stub(x)\n"
    )
    scratch.write_text(text)
    assert load().f(3) == 4
    scratch.write_text(text.replace("x + 1", "x + 2"))
    assert load().f(3) == 5


def test_kernels_that_close_over_different_values_are_apart(load: Load, scratch: Path) -> None:
    scratch.write_text(
        "from fastnn.jit import kernel\n"
        "def adds(n):\n    @kernel\n    def f(x): return x + n\n    return f\n"
        "def applies(g):\n    @kernel\n    def f(x): return g(x)\n    return f\n"
        "one, ten = adds(1), adds(10)\nvia_one, via_ten = applies(one), applies(ten)\n"
    )
    for _ in range(2):
        module = load()
        assert (module.one(3), module.ten(3), module.via_one(3), module.via_ten(3)) == (4, 13, 4, 13)
    assert hits_and_misses(module.via_ten) == (1, 0)


def test_same_function_with_other_options_is_apart(load: Load, scratch: Path) -> None:
    scratch.write_text(
        "from fastnn.jit import kernel, parallel_kernel\ndef f(x): return x\na, b = kernel(f), parallel_kernel(f)\n"
    )
    module = load()
    module.a(3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nothing is parallel in it
        module.b(3)
    assert hits_and_misses(module.b) == (0, 1)


def test_what_cannot_be_told_in_another_process_is_not_kept(load: Load, scratch: Path) -> None:
    scratch.write_text(
        "import ctypes\nfrom fastnn.jit import kernel\n"
        "address = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(abs)\n"
        "@kernel\ndef f(x): return address(x)\n"
    )
    with pytest.warns(RuntimeWarning, match="not kept on disk") as warned:
        results = [load().f(-3), load().f(-3)]
    assert results == [3, 3]
    assert len(warned) == 1
