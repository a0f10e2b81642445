"""Calls through cells: words in memory that hold the address of a kernel, and are reached by a symbol.

An empty cell is filled by another thread, for which the kernel waits. Python runs signal handlers on the main thread
alone, so that none runs in the middle of a kernel: it could raise, or wait for a lock that the kernel holds.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import cgutils
from numba.core.compiler_lock import global_compiler_lock

_WORD, _INT, _BYTES = ir.IntType(64), ir.IntType(32), ir.IntType(8).as_pointer()

# The symbols of the function (address of a request) that fills a cell, and of what tells whether this thread compiles.
FILL_CELL, _IS_COMPILING = "fastnn_fill_cell", "fastnn_is_compiling"

# A request is two words: the address of the cell, and the lock that is released when it is filled.
_Request = ctypes.c_int64 * 2

# Whether this thread compiles. A bound method of C, which Python calls without a look at signals.
is_compiling: Callable[[], bool] = global_compiler_lock._lock._is_owned
llvm.add_symbol(_IS_COMPILING, id(is_compiling))

for _name in (
    "PyGILState_Ensure",
    "PyGILState_Release",
    "PyObject_CallNoArgs",
    "PyObject_IsTrue",
    "PyThread_acquire_lock",
    "PyThread_allocate_lock",
    "PyThread_free_lock",
    "PyThread_release_lock",
    "PyThread_start_new_thread",
    "Py_DecRef",
):
    llvm.add_symbol(_name, ctypes.cast(getattr(ctypes.pythonapi, _name), ctypes.c_void_p).value)

# Callbacks, which must live as long as any kernel.
_serving: list[Any] = []

_release_lock = ctypes.pythonapi.PyThread_release_lock
_release_lock.argtypes, _release_lock.restype = [ctypes.c_void_p], None


def fill_cells_by(fill: Callable[[int], None]) -> None:
    """Have `fill(address)` called with the address of each empty cell that a kernel meets. It must not raise."""

    @ctypes.CFUNCTYPE(None, ctypes.c_void_p)
    def serve(address: int) -> None:
        cell, lock = _Request.from_address(address)
        fill(cell)
        _release_lock(lock)

    _serving.append(serve)
    llvm.add_symbol(FILL_CELL, ctypes.cast(serve, ctypes.c_void_p).value)


def load_target(builder, symbol: str, kind: ir.FunctionType):
    """The function of that type whose address is in the cell of that symbol. An empty cell is filled first."""
    module = builder.module
    cell = module.globals.get(symbol) or ir.GlobalVariable(module, _WORD, symbol)
    with builder.if_then(builder.icmp_unsigned("==", builder.load(cell), _WORD(0)), likely=False):
        builder.call(_wait_function(module), [builder.ptrtoint(cell, _WORD)])
    return builder.inttoptr(builder.load(cell), kind.as_pointer())


def _wait_function(module: ir.Module) -> ir.Function:
    """The module's function (address of a cell) that has it filled, and waits."""
    name = "fastnn_wait_for_cell"
    if name in module.globals:
        return module.globals[name]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [_WORD]), name)
    function.linkage = "linkonce_odr"
    function.attributes.add("noinline")
    function.attributes.add("cold")
    builder = ir.IRBuilder(function.append_basic_block())

    def call(name: str, result: ir.Type, *arguments):
        kind = ir.FunctionType(result, [argument.type for argument in arguments])
        return builder.call(cgutils.get_or_insert_function(module, kind, name), arguments)

    lock = call("PyThread_allocate_lock", _BYTES)
    call("PyThread_acquire_lock", _INT, lock, _INT(1))
    request = builder.alloca(_WORD, 2)
    builder.store(function.args[0], request)
    builder.store(builder.ptrtoint(lock, _WORD), builder.gep(request, [_WORD(1)]))
    argument = builder.bitcast(request, _BYTES)
    fill = cgutils.get_or_insert_function(module, ir.FunctionType(ir.VoidType(), [_BYTES]), FILL_CELL)

    # A thread that compiles holds Numba's lock, for which another would wait: a signal handler called the kernel.
    gil = call("PyGILState_Ensure", _INT)
    asked = module.globals.get(_IS_COMPILING) or ir.GlobalVariable(module, ir.IntType(8), _IS_COMPILING)
    answer = call("PyObject_CallNoArgs", _BYTES, asked)
    here = builder.icmp_signed("!=", call("PyObject_IsTrue", _INT, answer), _INT(0))
    call("Py_DecRef", ir.VoidType(), answer)
    call("PyGILState_Release", ir.VoidType(), gil)
    with builder.if_else(here) as (then, otherwise):
        with then:
            builder.call(fill, [argument])
        with otherwise:
            started = call("PyThread_start_new_thread", _WORD, fill, argument)
            with builder.if_then(builder.icmp_signed("==", started, _WORD(-1)), likely=False):
                builder.call(fill, [argument])
    call("PyThread_acquire_lock", _INT, lock, _INT(1))
    call("PyThread_free_lock", ir.VoidType(), lock)
    builder.ret_void()
    return function
