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
    call = _Call(declaration, inspect.signature(stub))

    def function(*args: Any, **kwargs: Any) -> Any:
        return call(*args, **kwargs)

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
        self._declaration = declaration
        self._parameters = parameters
        self._kinds = list(declaration.arrays.items())
        self._sizes, self._passed = declaration.size_numbers, declaration.kernel_numbers
        self._plan = lru_cache(_PLANS)(lambda shapes, sizes: declaration.plan(shapes, dict(sizes)))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        arguments, numbers = self._bind(args, kwargs)
        arrays, dtype = self._check_arrays(arguments)
        sizes = tuple((name, numbers[name]) for name in self._sizes)
        plan = self._plan(tuple([a.shape for a in arrays]), sizes)
        for k, (name, kind) in enumerate(self._kinds):
            kind.check_values(name, arrays[k], plan.sizes)
            if arrays[k].shape != plan.inputs[k]:
                arrays[k] = arrays[k].reshape(plan.inputs[k])
        passed = [numbers[name] for name in self._passed]
        if self._declaration.in_place:
            self._declaration.kernel(*arrays, *passed)
            return None
        dtype = numbers.get("dtype", dtype)
        outputs = [np.empty(shape, dtype) for shape in plan.kernel_outputs if shape is not None]
        returned = self._declaration.kernel(*arrays, *passed, *outputs)
        written = iter(outputs)
        results = tuple(
            dtype.type(returned) if shape is None else _shaped(next(written), shape) for shape in plan.outputs
        )
        return results[0] if len(results) == 1 else results

    def _bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arrays in order, and every number checked; TypeError as for any Python function."""
        checkers = self._declaration.numbers
        numbers = {**self._declaration.defaults, **kwargs}
        if len(args) != len(self._kinds) or numbers.keys() != checkers.keys():
            bound = self._parameters.bind(*args, **kwargs)
            bound.apply_defaults()
            args = tuple(bound.arguments[name] for name, _ in self._kinds)
            numbers = {name: bound.arguments[name] for name in checkers}
        return args, {name: check(name, numbers[name]) for name, check in checkers.items()}

    def _check_arrays(self, arguments: tuple[Any, ...]) -> tuple[list[NDArray], np.dtype | None]:
        """Every array in one precision and in the layout that kernels are compiled for."""
        dtype: np.dtype | None = None
        arrays = []
        for (name, kind), value in zip(self._kinds, arguments, strict=True):
            array = kind.check(name, value, dtype)
            if dtype is None and array.dtype.kind == "f":
                dtype = array.dtype
            if name in self._declaration.in_place:
                checks.in_place(name, value)
            arrays.append(checks.contiguous(array))
        for k, (name, _) in enumerate(self._kinds):
            if name in self._declaration.in_place:
                self._check_apart(k, arrays)
        return arrays, dtype

    def _check_apart(self, k: int, arrays: list[NDArray]) -> None:
        """An array that is written must not lie in the memory of another."""
        for j, other in enumerate(arrays):
            if j != k and np.may_share_memory(arrays[k], other):
                raise ValueError(f"{self._kinds[k][0]}: is updated in place and shares memory with {self._kinds[j][0]}")


def _shaped(array: NDArray, shape: tuple[int, ...]) -> Any:
    """The array in the caller's shape; a number where the caller gave numbers."""
    return array if array.shape == shape else array.reshape(shape)[()]
