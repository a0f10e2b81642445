"""Units: kernels that are compiled separately, once, and called by their symbol, as C functions are.

Numba links a copy of a kernel into every kernel that calls it, and LLVM optimises each copy again at every level of
calls. The training step consists of units instead, so that its compile time grows with its length and not its depth.

Only kernels of the package may be or call units. A user's kernel that is loaded from disk in a later process would
find their symbols missing.
"""

from __future__ import annotations

from collections.abc import Callable

import llvmlite.binding
from numba.core import cgutils, types
from numba.core.errors import TypingError
from numba.extending import intrinsic

from fastnn.intrinsics import RecordLayout, RecordType
from fastnn.jit import address_of, inner_kernel

# Every unit, callees before their callers.
_UNITS: list[Unit] = []

_FIXED = {
    "none": types.none,
    "int": types.int64,
    "float": types.float64,
    "int32*": types.CPointer(types.int32),
    "float64*": types.CPointer(types.float64),
}


class Unit:
    """A separately compiled kernel, with the types of its parameters and result for either precision."""

    def __init__(self, function: Callable, parameters: list[str], returned: str) -> None:
        self.name, self._parameters, self._returned = function.__name__, parameters, returned
        self._dispatcher = inner_kernel(function)
        self._addresses: dict[types.Type, int] = {}

    def signature(self, real: types.Float) -> tuple[types.Type, tuple[types.Type, ...]]:
        """The types of its result and of its parameters in that precision."""
        return _type(self._returned, real), tuple(_type(parameter, real) for parameter in self._parameters)

    def symbol(self, real: types.Float) -> str:
        """The name of its symbol."""
        return f"fastnn_{self.name}_{real}"

    def link(self, real: types.Float) -> int:
        """Compile it or load it from disk, and register its symbol with LLVM; returns its address."""
        if real not in self._addresses:
            self._addresses[real] = address_of(self._dispatcher, self.signature(real)[1])
            llvmlite.binding.add_symbol(self.symbol(real), self._addresses[real])
        return self._addresses[real]


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
    """Decorate a kernel to be compiled as a unit. `signature` is like "int real* int -> none".

    The types are "int", "float", an address ("real*" of numbers in the net's precision, "int32*" or "float64*"), or the
    name of a record. The precision is that of the first record or address of floats, so that one of these must come
    before any "float64*".
    """
    given, _, returned = signature.partition("->")

    def decorated(function: Callable) -> Callable:
        made = Unit(function, given.split(), returned.strip())
        if any(other.name == made.name for other in _UNITS):
            raise ValueError(f"{made.name}: there is a unit of that name")
        _UNITS.append(made)

        @intrinsic
        def call(typing_context, *arguments):
            real = _precision(arguments)
            result, expected = made.signature(real)
            if len(arguments) != len(expected):
                raise TypingError(f"{made.name}: got {len(arguments)} arguments, expected {len(expected)}")
            for k, (argument, kind) in enumerate(zip(arguments, expected, strict=True)):
                if not (argument == kind or (kind in (types.int64, types.float64) and _is_number(argument))):
                    raise TypingError(f"{made.name}: got {argument} as argument {k}, expected {kind}")
            made.link(real)

            def generate(context, builder, folded, values):
                kind = context.call_conv.get_function_type(result, expected)
                target = cgutils.get_or_insert_function(builder.module, kind, made.symbol(real))
                unpacked = cgutils.unpack_tuple(builder, values[0])
                cast = [context.cast(builder, *parts) for parts in zip(unpacked, arguments, expected, strict=True)]
                return context.call_conv.call_function(builder, target, result, expected, cast)[1]

            return result(types.StarArgTuple.from_types(arguments)), generate

        call.unit = made
        call.__doc__ = function.__doc__
        return call

    return decorated


def _is_number(kind: types.Type) -> bool:
    return isinstance(kind, (types.Integer, types.Boolean, types.Float))


def link_units(real: types.Float) -> None:
    """Link all units, so that code that calls them can be loaded."""
    for made in _UNITS:
        made.link(real)
