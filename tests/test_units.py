"""Units: called through cells by units and entry kernels, copied into all other code."""

from __future__ import annotations

import dis
import signal
from itertools import count

import numpy as np
import pytest
from numba import njit, types
from numba.core.compiler_lock import global_compiler_lock
from numba.core.dispatcher import Dispatcher

from fastnn.intrinsics import element
from fastnn.intrinsics.cells import FILL_CELL
from fastnn.jit import entry_point
from fastnn.step.forward import forward
from fastnn.step.train_step import finish_step, parallel_train_step, start_step, train_step
from fastnn.units import Unit, kernel_of_units, unit

# A kernel of this file refers to its unit, which no key describes.
pytestmark = pytest.mark.filterwarnings("ignore:.*is not kept on disk:RuntimeWarning")

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
    @njit
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


@pytest.mark.parametrize("kernel", [start_step, train_step, parallel_train_step, finish_step, forward])
def test_kernels_of_nets_call_units_by_their_addresses(kernel: Dispatcher) -> None:
    """By name they would be compiled with copies of all units below them, which takes as long again."""
    used = [code.argval for code in dis.get_instructions(kernel.py_func) if code.opname == "LOAD_GLOBAL"]
    assert [name for name in used if hasattr(kernel.py_func.__globals__.get(name), "unit")] == []
