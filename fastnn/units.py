"""Units: kernels that are compiled apart, once, when they are first called, as functions of a shared library are.

Numba copies a kernel into every kernel that calls it, and LLVM optimises each copy, again at every level of calls: what
that takes grows with the depth of calls. A call of a unit goes through a cell in memory, which holds the unit's
address, and is reached by a symbol. An empty cell has the unit compiled, or loaded from disk.

Only units and the entry kernels of public functions call units that way. Any other code, such as a user's, gets a copy
as of any kernel: Numba may keep it on disk, and load it when the unit has changed.
"""

from __future__ import annotations

import ctypes
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

import llvmlite.binding
from numba.core import cgutils, types
from numba.core.dispatcher import Dispatcher
from numba.core.errors import TypingError
from numba.extending import intrinsic

from fastnn.intrinsics import RecordLayout, RecordType
from fastnn.intrinsics.cells import fill_cells_by, load_target
from fastnn.jit import address_of, entry_kernel, inner_kernel, is_compiled_apart, kernel, named, parallel_kernel

PRECISIONS = (types.float32, types.float64)

_FIXED = {
    "none": types.none,
    "int": types.int64,
    "float": types.float64,
    "int32*": types.CPointer(types.int32),
    "int64*": types.CPointer(types.int64),
    "float64*": types.CPointer(types.float64),
}

# Every unit by its name.
UNITS: dict[str, Unit] = {}

# What is to fill the cell at an address.
_cells: dict[int, Callable[[], int]] = {}


class Unit:
    """A kernel with the types of its parameters and of what it returns, for either precision."""

    def __init__(self, function: Callable, parameters: list[str], returned: str) -> None:
        self.name, self._parameters, self._returned = function.__name__, parameters, returned
        if self.name in UNITS:
            raise ValueError(f"{self.name}: there is a unit of that name")
        UNITS[self.name] = self
        self._apart, self._copied = inner_kernel(named(f"{self.name}_unit", function)), kernel(function)
        self._addresses = {real: ctypes.c_int64(0) for real in PRECISIONS}
        for real, cell in self._addresses.items():
            address = ctypes.addressof(cell)
            _cells[address] = lambda real=real: self.link(real)
            llvmlite.binding.add_symbol(self.symbol(real), address)

    def signature(self, real: types.Float) -> tuple[types.Type, tuple[types.Type, ...]]:
        """What it returns and takes in that precision."""
        return _type(self._returned, real), tuple(_type(parameter, real) for parameter in self._parameters)

    def symbol(self, real: types.Float) -> str:
        """The name of its cell."""
        return f"fastnn_{self.name}_{real}"

    def link(self, real: types.Float) -> int:
        """Compile it, or load it from disk, and fill its cell; returns its address."""
        cell = self._addresses[real]
        if cell.value == 0:
            returned, parameters = self.signature(real)
            address = address_of(self._apart, parameters)
            self._check_returned(self._apart.overloads[parameters], returned)
            cell.value = address
        return cell.value

    def compiled_to_copy(self, arguments: tuple[types.Type, ...]) -> Any:
        """What Numba compiles to be copied into a caller that may not call the unit itself."""
        self._copied.compile(arguments)
        copied = self._copied.overloads[arguments]
        self._check_returned(copied, self.signature(_precision(arguments))[0])
        return copied

    def _check_returned(self, compiled: Any, expected: types.Type) -> None:
        if compiled.signature.return_type != expected:
            raise TypingError(f"{self.name}: returns {compiled.signature.return_type}, expected {expected}")


def _type(kind: str, real: types.Float) -> types.Type:
    if kind in _FIXED:
        return _FIXED[kind]
    return types.CPointer(real) if kind == "real*" else RecordLayout.named(kind).kind(real)


def _precision(arguments: tuple[types.Type, ...]) -> types.Float | None:
    for argument in arguments:
        if isinstance(argument, RecordType):
            return argument.real
        if isinstance(argument, types.CPointer) and isinstance(argument.dtype, types.Float):
            return argument.dtype
    return None


def unit(signature: str) -> Callable[[Callable], Callable]:
    """Decorate a kernel that is compiled apart: "int real* int -> none".

    Parameters are "int", "float", addresses ("real*" of numbers in the precision of the net, "int32*", "float64*"), or
    the name of a record; at least one tells the precision, before any "float64*". The function must not raise.
    """
    parameters, _, returned = signature.partition("->")

    def decorated(function: Callable) -> Callable:
        made = Unit(function, parameters.split(), returned.strip())

        @intrinsic
        def call(typing_context, *arguments):
            real = _precision(arguments)
            if real is None:
                raise TypingError(
                    f"{made.name}: got {', '.join(map(str, arguments))}, expected an address of numbers or a record"
                )
            result, expected = made.signature(real)
            if len(arguments) != len(expected):
                raise TypingError(f"{made.name}: got {len(arguments)} arguments, expected {len(expected)}")
            for k, (argument, kind) in enumerate(zip(arguments, expected, strict=True)):
                if not (argument == kind or (kind in (types.int64, types.float64) and _is_number(argument))):
                    raise TypingError(f"{made.name}: got {argument} as argument {k}, expected {kind}")

            def generate(context, builder, folded, values):
                kind = context.call_conv.get_function_type(result, expected)
                unpacked = cgutils.unpack_tuple(builder, values[0])
                cast = [context.cast(builder, *parts) for parts in zip(unpacked, arguments, expected, strict=True)]
                # Not decided above: Numba keeps one `generate` for all callers with these types.
                if is_compiled_apart():
                    target = load_target(builder, made.symbol(real), kind)
                else:
                    copied = made.compiled_to_copy(expected)
                    context.add_linking_libs([copied.library])
                    target = context.declare_function(builder.module, copied.fndesc)
                return context.call_conv.call_function(builder, target, result, expected, cast)[1]

            return result(types.StarArgTuple.from_types(arguments)), generate

        call.unit = made
        call.__doc__ = function.__doc__
        return call

    return decorated


def _is_number(kind: types.Type) -> bool:
    return isinstance(kind, (types.Integer, types.Boolean, types.Float))


def _fill_cell(address: int) -> None:
    """Compile the unit of that cell. A kernel waits for it and cannot go on without, nor let an exception through."""
    try:
        _cells[address]()
    except BaseException:
        traceback.print_exc()
        print("fastnn: a part of a kernel could not be compiled", file=sys.stderr, flush=True)
        os._exit(70)


fill_cells_by(_fill_cell)


def kernel_of_units(function: Callable) -> Dispatcher:
    """A kernel that calls units; for users' code with copies of them, for Python's calls with the units themselves."""
    made = kernel(function)
    if isinstance(made, Dispatcher):
        made.entry = entry_kernel(named(f"{function.__name__}_entry", function))
    return made


def parallel_kernel_of_units(function: Callable) -> Dispatcher:
    """The same with `prange` loops that run on Numba's threads."""
    made = parallel_kernel(function)
    if isinstance(made, Dispatcher):
        made.entry = entry_kernel(named(f"{function.__name__}_entry", function), parallel=True)
    return made
