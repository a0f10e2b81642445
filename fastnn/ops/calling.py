"""The public function of a declaration: it binds and checks arguments, allocates outputs and runs the kernel.

On small arrays that costs as much as the kernel. So whatever follows from the shapes and dtypes of the arguments is
computed once per combination of them, a `Specialization`, and the source of the function is generated for its
declaration, without a loop over the arguments. Arguments that the kernel takes as they are lead straight to their
specialization; all others are checked and converted first.
"""

from __future__ import annotations

import inspect
import linecache
from collections.abc import Callable
from functools import update_wrapper
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn import threads
from fastnn.ops import checks, options
from fastnn.ops.declaration import Declaration, PublicFunction
from fastnn.ops.source import source_lines
from fastnn.ops.specialization import Specialization

# The most specializations that a function keeps. A training loop calls with a handful of shapes.
_MAX_SPECIALIZATIONS = 256

_MISSING = object()


def public_function(declaration: Declaration, stub: Callable[..., Any]) -> PublicFunction:
    """A function with the stub's name, parameters and docstring that calls the kernel.

    It carries `.kernel`, `.reference`, `.signature` and `.declaration`.
    """
    arguments = _Arguments(declaration, inspect.signature(stub))
    names = {
        "bind": arguments.bind,
        "with_options": arguments.call_with_options,
        "OPTIONS": frozenset(declaration.options.defaults if declaration.options else ()),
        "prepare": arguments.prepare,
        "specializations": arguments.specializations,
        "refuse_shared": _refuse_shared,
        "check_out": checks.outputs,
        "ndarray": np.ndarray,
        "empty": np.empty,
        "may_share_memory": np.may_share_memory,
        "MISSING": _MISSING,
        "PARALLEL_REGION": threads.PARALLEL_REGION,
        "threads_at_hand": threads.at_hand,
    }
    for name, check in declaration.numbers.items():
        default = declaration.defaults.get(name, _MISSING)
        names[f"check_{name}"], names[f"DEFAULT_{name}"] = (
            check,
            default if default is _MISSING else check(name, default),
        )
    source, file = "\n".join(source_lines(declaration)), f"<{declaration.name} of {__name__}>"
    exec(compile(source, file, "exec"), names)
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)  # for tracebacks
    function: Any = names[declaration.name]
    arguments.function = function
    update_wrapper(function, stub)
    function.__doc__ = f"{inspect.getdoc(stub)}{_about_out(declaration)}\n\nShapes: {declaration.signature}"
    function.__doc__ += _notes(declaration)
    function.kernel = declaration.kernel
    function.reference = declaration.reference
    function.signature = declaration.signature
    function.declaration = declaration
    return function


def _about_out(declaration: Declaration) -> str:
    if not declaration.returned_arrays:
        return ""
    arrays = "array" if declaration.returned_arrays == 1 else "tuple of arrays"
    return (
        f"\n\nout : {arrays} like the new one, C-contiguous and writeable, to be written and returned in its place."
        "\nRaises TypeError or ValueError, with nothing written, for any other, or one that shares memory with an "
        "argument."
    )


def _notes(declaration: Declaration) -> str:
    if not declaration.flattens_leading:
        return ""
    return ", over arrays of any shape" if declaration.elementwise else ", over any leading dimensions"


def _refuse_shared(written: str, other: str) -> None:
    raise ValueError(
        f"{written}: got an array that shares memory with {other}, expected one of its own, because it is updated in "
        f"place; copy the other with {other} = {other}.copy()"
    )


class _Arguments:
    """Binds the arguments of a call, and converts them to what the kernel takes."""

    def __init__(self, declaration: Declaration, parameters: inspect.Signature) -> None:
        self._declaration, self._parameters = declaration, parameters
        # What a call takes behind the arrays, without options.
        self._others = (*declaration.numbers, *(["out"] if declaration.returned_arrays else []))
        self.function: Callable[..., Any]  # the public function, once there is one
        self.specializations: dict[tuple[Any, ...], Specialization] = {}

    def bind(self, args: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """The arrays; and the numbers and `out`, in order. Raises TypeError as any Python function does."""
        bound = self._bound(args, keywords)
        return tuple(bound[name] for name in self._declaration.arrays), tuple(bound[name] for name in self._others)

    def _bound(self, args: tuple[Any, ...], keywords: dict[str, Any]) -> dict[str, Any]:
        """All arguments by their names."""
        given = {name: value for name, value in keywords.items() if value is not _MISSING}
        try:
            bound = self._parameters.bind(*args, **given)
        except TypeError as error:
            plain = [p.replace(annotation=p.empty) for p in self._parameters.parameters.values()]
            call = f"{self._declaration.name}{inspect.Signature(plain)}"
            raise TypeError(f"{self._declaration.name}: {error}; call it as {call}") from None
        bound.apply_defaults()
        return bound.arguments

    def call_with_options(self, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """The function with some of its options given."""
        declaration, bound = self._declaration, self._bound(args, keywords)
        chosen = declaration.options
        assert chosen is not None
        given = {name: bound[name] for name in chosen.defaults}
        if options.all_default(given, chosen.defaults):
            arguments = [bound[name] for name in declaration.arrays]
            return self.function(*arguments, **{name: bound[name] for name in self._others})
        numbers = {name: check(name, bound[name]) for name, check in declaration.numbers.items()}
        arrays = self._check_arrays(tuple(bound[name] for name in declaration.arrays))
        shapes = declaration.match_shapes(tuple(a.shape for a in arrays), {})
        checked = options.checked(given, arrays[0])
        for (name, kind), array in zip(declaration.arrays.items(), arrays, strict=True):
            value_check = kind.value_check(name, array, shapes.sizes)
            if value_check is not None:
                value_check(options.without_ignored(array, checked.get("ignore_label")))
        (shape,), dtype, out = shapes.array_outputs, arrays[0].dtype, bound["out"]
        if out is not None:
            checks.outputs(out, (shape,), dtype, dict(zip(declaration.arrays, arrays, strict=True)))
        gradient = np.empty(shape, dtype) if out is None else out
        return chosen.compute(arrays, numbers, checked, gradient), gradient

    def prepare(
        self, args: tuple[Any, ...], numbers: dict[str, Any], chosen: tuple[Any, ...]
    ) -> tuple[list[NDArray], Specialization]:
        """The arrays, checked, in one precision and in the layout that kernels are compiled for; and their
        specialization. `chosen` are the numbers that decide the shape or dtype of an output."""
        arrays = self._check_arrays(args)
        key = (*(item for a in arrays for item in (a.shape, a.dtype)), *chosen)
        found = self.specializations.get(key)
        if found is None:
            if len(self.specializations) >= _MAX_SPECIALIZATIONS:
                self.specializations.clear()
            found = self.specializations[key] = Specialization(self._declaration, arrays, numbers)
        return arrays, found

    def _check_arrays(self, arguments: tuple[Any, ...]) -> list[NDArray]:
        dtype, like = None, ""
        arrays = []
        for (name, kind), value in zip(self._declaration.arrays.items(), arguments, strict=True):
            array = kind.check(name, value, dtype, like)
            if dtype is None and array.dtype.kind == "f":
                dtype, like = array.dtype, f" as in {name}"
            if name in self._declaration.in_place:
                checks.in_place(name, value)
            arrays.append(checks.contiguous(array))
        return arrays
