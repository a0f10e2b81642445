"""The public function of a declaration: bind, check, allocate, run the kernel."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache, update_wrapper
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.ops import checks
from fastnn.ops.declaration import Declaration

# Plans kept per function: a training loop calls with a handful of shapes.
_PLANS = 256


def public_function(declaration: Declaration, stub: Callable[..., Any]) -> Callable[..., Any]:
    """A function with the stub's name, parameters and docstring that calls the kernel.

    It carries `.kernel`, `.reference`, `.signature` and `.declaration`.
    """
    call = _Call(declaration, inspect.signature(stub)).call

    def function(*args: Any, **kwargs: Any) -> Any:
        return call(args, kwargs)

    update_wrapper(function, stub)
    function.__doc__ = f"{inspect.getdoc(stub)}\n\nShapes: {declaration.signature}{_notes(declaration)}"
    function.kernel = declaration.kernel
    function.reference = declaration.reference
    function.signature = declaration.signature
    function.declaration = declaration
    return function


def _notes(declaration: Declaration) -> str:
    if not declaration.looped:
        return ""
    return ", over any leading dimensions" if any(declaration.signatures[0].inputs) else ", over arrays of any shape"


class _Call:
    """What happens between the arguments and the kernel."""

    def __init__(self, declaration: Declaration, parameters: inspect.Signature) -> None:
        self._declaration, self._parameters = declaration, parameters
        self._kernel, self._checkers = declaration.kernel, declaration.numbers
        self._kinds = list(declaration.arrays.items())
        # What most calls can skip is left out here, once: a call costs as much as a kernel on a small array.
        self._with_values = [(k, n, kind) for k, (n, kind) in enumerate(self._kinds) if kind.has_values]
        self._in_place = [k for k, (name, _) in enumerate(self._kinds) if name in declaration.in_place]
        self._sizes, self._passed = declaration.size_numbers, declaration.kernel_numbers
        self._plan = lru_cache(_PLANS)(lambda shapes, sizes: declaration.plan(shapes, dict(sizes)))

    def call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The public function."""
        numbers: dict[str, Any] = {}
        if self._checkers or kwargs or len(args) != len(self._kinds):
            args, numbers = self._bind(args, kwargs)
        arrays, dtype = self._check_arrays(args)
        plan = self._plan(tuple([a.shape for a in arrays]), tuple([(name, numbers[name]) for name in self._sizes]))
        for k, name, kind in self._with_values:
            kind.check_values(name, arrays[k], plan.sizes)
        if plan.reshaped:
            arrays = [a.reshape(shape) for a, shape in zip(arrays, plan.inputs, strict=True)]
        passed = [numbers[name] for name in self._passed]
        if self._in_place:
            self._kernel(*arrays, *passed)
            return None
        dtype = numbers.get("dtype", dtype)
        outputs = [np.empty(shape, dtype) for shape in plan.kernel_outputs if shape is not None]
        returned = self._kernel(*arrays, *passed, *outputs)
        if plan.reshaped:
            outputs = [o.reshape(shape)[()] for o, shape in zip(outputs, plan.array_outputs, strict=True)]
        if plan.outputs[0] is None:
            outputs.insert(0, dtype.type(returned))
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def _bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arrays in order, and every number checked; TypeError as for any Python function."""
        numbers = {**self._declaration.defaults, **kwargs}
        if len(args) != len(self._kinds) or numbers.keys() != self._checkers.keys():
            bound = self._parameters.bind(*args, **kwargs)
            bound.apply_defaults()
            args = tuple(bound.arguments[name] for name, _ in self._kinds)
            numbers = {name: bound.arguments[name] for name in self._checkers}
        return args, {name: check(name, numbers[name]) for name, check in self._checkers.items()}

    def _check_arrays(self, arguments: tuple[Any, ...]) -> tuple[list[NDArray], np.dtype | None]:
        """Every array in one precision and in the layout that kernels are compiled for."""
        dtype: np.dtype | None = None
        arrays = []
        for (name, kind), value in zip(self._kinds, arguments, strict=True):
            array = kind.check(name, value, dtype)
            if dtype is None and array.dtype.kind == "f":
                dtype = array.dtype
            arrays.append(array if array.flags.carray else checks.contiguous(array))
        for k in self._in_place:
            checks.in_place(self._kinds[k][0], arguments[k])
            self._check_apart(k, arrays)
        return arrays, dtype

    def _check_apart(self, k: int, arrays: list[NDArray]) -> None:
        """An array that is written must not lie in the memory of another."""
        for j, other in enumerate(arrays):
            if j != k and np.may_share_memory(arrays[k], other):
                raise ValueError(f"{self._kinds[k][0]}: is updated in place and shares memory with {self._kinds[j][0]}")
