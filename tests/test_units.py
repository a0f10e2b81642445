"""Units: compiled when first called, by symbol from units and entry kernels, as copies from any other code."""

from __future__ import annotations

import dis
import os
import signal
import subprocess
import sys
from itertools import count
from pathlib import Path

import numba
import numpy as np
import pytest
from numba import types
from numba.core.compiler_lock import global_compiler_lock
from numba.core.dispatcher import Dispatcher

from fastnn.intrinsics import element
from fastnn.intrinsics.cells import FILL_CELL
from fastnn.jit import address_of, entry_point
from fastnn.step.epoch import parallel_train_steps, train_steps
from fastnn.step.predict import parallel_predict, predict
from fastnn.step.train_step import finish_step, parallel_train_step, start_step, train_step
from fastnn.units import UNITS, Unit, kernel_of_units, unit

# Units are for the package's own kernels: what they are made of cannot be told of other files.
pytestmark = pytest.mark.filterwarnings("ignore:.*is not kept on disk:RuntimeWarning")


@unit("real* int -> none")
def add_one_for_the_test(x, n):
    """x ← x + 1."""
    for k in range(n):
        x[k] += 1


@unit("real* int -> none")
def add_two_for_the_test(x, n):
    """x ← x + 2."""
    add_one_for_the_test(x, n)
    add_one_for_the_test(x, n)


@kernel_of_units
def add_two_kernel(x):
    add_two_for_the_test(element(x, 0), x.size)


def calls(library) -> bool:
    """Whether the code goes through the cell of the unit below."""
    return "fastnn_add_one_for_the_test_" in library.get_llvm_str()


def test_entry_kernels_call_units_and_other_code_has_copies() -> None:
    x, array = np.zeros(5), numba.float64[::1]
    entry_point(add_two_kernel, (array,))(x)
    np.testing.assert_array_equal(x, 2)
    assert "fastnn_add_two_for_the_test_float64" in add_two_kernel.entry.overloads[(array,)].library.get_llvm_str()
    real = numba.from_dtype(x.dtype)
    add_two_for_the_test.unit.link(real)
    assert calls(add_two_for_the_test.unit._apart.overloads[add_two_for_the_test.unit.signature(real)[1]].library)

    @numba.njit
    def users(x):
        add_two_kernel(x)
        add_one_for_the_test(element(x, 0), x.size)

    users(x)
    np.testing.assert_array_equal(x, 5)
    for compiled in (users, add_two_kernel):
        assert not calls(next(iter(compiled.overloads.values())).library)


def test_a_flag_alone_makes_no_entry_kernel(dtype: str) -> None:
    """A user's code may have it too, and be kept on disk when the unit has changed."""

    @numba.njit(no_cfunc_wrapper=True)
    def users(x):
        add_two_for_the_test(element(x, 0), x.size)

    x = np.zeros(3, dtype)
    users(x)
    np.testing.assert_array_equal(x, 2)
    assert not calls(next(iter(users.overloads.values())).library)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (lambda x: (element(x, 0),), "add_one_for_the_test: got 1 arguments, expected 2"),
        (lambda x: (x, 3), r"add_one_for_the_test: got array\(float32.*, expected an address of numbers or a record"),
        (lambda x: (element(x, 0), x), r"add_one_for_the_test: got array\(float32.* as argument 1, expected int64"),
    ],
)
def test_wrong_arguments_are_named(arguments, message) -> None:
    given = numba.njit(arguments)

    @numba.njit
    def wrong(x):
        add_one_for_the_test(*given(x))

    with pytest.raises(numba.TypingError, match=message):
        wrong(np.zeros(3, np.float32))


def test_a_unit_returns_what_it_says() -> None:
    """Else its caller would read bytes that nobody wrote."""

    @unit("real* -> int")
    def is_positive_for_the_test(x):
        return x[0] > 0

    try:
        with pytest.raises(numba.TypingError, match="is_positive_for_the_test: returns bool, expected int64"):
            is_positive_for_the_test.unit.link(numba.float32)
        with pytest.raises(ValueError, match="there is a unit of that name"):
            unit("real* -> int")(is_positive_for_the_test.unit._copied.py_func)
    finally:
        del UNITS["is_positive_for_the_test"]


PROGRAM = """
import sys
import numba, numpy as np
import fastnn
affine = fastnn.affine_forward.kernel

@numba.njit(cache=True)
def users(x, w, b):
    y = np.empty((len(x), len(b)))
    affine(x, w, b, y)
    return y

x, w, b = np.ones((9, 40)), np.ones((40, 7)), np.ones(7)
assert (users(x, w, b) == 41).all()
assert (fastnn.affine_forward(x, w, b) == 41).all()
print(sum(users.stats.cache_hits.values()))
"""


def test_users_code_is_kept_by_numba_and_loaded(tmp_path: Path) -> None:
    """It holds copies: a process that loads it needs nothing of ours."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "numba")}
    for hits in ("0", "1"):
        done = subprocess.run([sys.executable, program], env=environment, capture_output=True, text=True, timeout=300)
        assert done.stdout.split() == [hits], done.stderr
    assert not any(b"fastnn_panel_product_" in path.read_bytes() for path in (tmp_path / "numba").rglob("*.nbc"))


def test_an_address_is_that_of_what_was_compiled(dtype: str) -> None:
    real = numba.from_dtype(np.dtype(dtype))
    made = add_one_for_the_test.unit
    assert made.link(real) == made.link(real) == address_of(made._apart, made.signature(real)[1])


ARRAYS = (types.float64[::1], types.float64[::1])
_numbers = count()


def kernel_of_one_unit() -> Dispatcher:
    """A kernel (x, y), y ← 2 x, that calls a unit of its own."""

    def doubled(size, x, y):
        for k in range(size):
            y[k] = 2 * x[k]

    doubled.__name__ = f"doubled_for_a_test_{next(_numbers)}"
    doubled_unit = unit("int real* real* -> none")(doubled)

    @kernel_of_units
    def double(x, y):
        doubled_unit(x.size, element(x, 0), element(y, 0))

    return double


def calls_through_cells(dispatcher: Dispatcher) -> bool:
    return FILL_CELL.encode() in dispatcher.overloads[ARRAYS].library._get_compiled_object()


def call_from_python(double: Dispatcher) -> None:
    x, y = np.arange(3.0), np.empty(3)
    entry_point(double, ARRAYS)(x, y)
    np.testing.assert_array_equal(y, 2 * x)
    assert calls_through_cells(double.entry)


def call_from_users_code(double: Dispatcher) -> None:
    @numba.njit
    def user(x, y):
        double(x, y)

    x, y = np.arange(3.0), np.empty(3)
    user(x, y)
    np.testing.assert_array_equal(y, 2 * x)
    assert not calls_through_cells(user)
    assert not calls_through_cells(double)


@pytest.mark.parametrize(
    ("first", "second"), [(call_from_python, call_from_users_code), (call_from_users_code, call_from_python)]
)
def test_users_code_gets_copies_whatever_was_compiled_before(first, second) -> None:
    """Numba may keep users' code on disk, where it would outlive the unit that a cell calls."""
    double = kernel_of_one_unit()
    first(double)
    second(double)


def test_no_signal_handler_runs_in_the_middle_of_a_kernel(monkeypatch) -> None:
    """It could raise there, or wait for a lock that the kernel holds."""
    events, link = [], Unit.link

    def link_with_a_signal(self, real):
        signal.raise_signal(signal.SIGINT)
        address = link(self, real)
        events.append("compiled")
        return address

    double = entry_point(kernel_of_one_unit(), ARRAYS)
    monkeypatch.setattr(Unit, "link", link_with_a_signal)
    before = signal.signal(signal.SIGINT, lambda *_: events.append("handled"))
    try:
        double(np.arange(3.0), np.empty(3))
    finally:
        signal.signal(signal.SIGINT, before)
    assert events == ["compiled", "handled"]


def test_a_thread_that_compiles_may_call_a_kernel_of_units() -> None:
    """A signal handler can."""
    double = entry_point(kernel_of_one_unit(), ARRAYS)
    x, y = np.arange(3.0), np.empty(3)
    with global_compiler_lock:
        double(x, y)
    np.testing.assert_array_equal(y, 2 * x)


@pytest.mark.parametrize(
    "kernel",
    [
        start_step, train_step, parallel_train_step, finish_step, train_steps, parallel_train_steps, predict,
        parallel_predict,
    ],
)  # fmt: skip
def test_kernels_of_nets_call_units_by_their_addresses(kernel: Dispatcher) -> None:
    """By name they would be compiled with copies of all units below them, which takes as long again."""
    used = [code.argval for code in dis.get_instructions(kernel.py_func) if code.opname == "LOAD_GLOBAL"]
    assert [name for name in used if hasattr(kernel.py_func.__globals__.get(name), "unit")] == []
