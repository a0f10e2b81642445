"""Loops over an activation and its backward pass, generated from their scalar functions.

The training step works in place where it can. LLVM does not vectorise a loop from one array to another that may
overlap it, so that loops in place have one address for both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from numba.core.dispatcher import Dispatcher

from fastnn.intrinsics import a_number, like, prefer_full_vectors
from fastnn.jit import inner_kernel, kernel, named

# The arrays of a backward pass, and what the scalar function takes as x and y: it may use only what the slope is of.
ARRAYS = {"input": ("dy", "x"), "output": ("dy", "y"), "both": ("dy", "x", "y")}
_X_AND_Y = {"input": "x[k], x[k]", "output": "y[k], y[k]", "both": "x[k], y[k]"}


def array_kernels(
    name: str, value: Callable, backward: Callable, slope_of: str, numbers: Sequence[str]
) -> tuple[Dispatcher, Dispatcher]:
    """The kernels (x, *numbers, y), y ← value(x, *numbers); and (dy, x, *numbers, dx), (dy, y, *numbers, dx) or
    (dy, x, y, *numbers, dx), dx ← backward(dy, x, y, *numbers). Arrays of one dimension."""

    def made(name: str, function: Callable, arrays: Sequence[str], elements: str, result: str) -> Dispatcher:
        converted = {number: f"{result}.dtype.type({number})" for number in numbers}
        parameters = (*arrays, *numbers, result)
        return kernel(_loop(name, function, parameters, f"{result}.size", converted, f"{result}[k]", elements))

    return (
        made(name, value, ("x",), "x[k]", "y"),
        made(f"{name}_backward", backward, ARRAYS[slope_of], f"dy[k], {_X_AND_Y[slope_of]}", "dx"),
    )


def step_kernels(
    name: str, value: Callable, backward: Callable, slope_of: str, numbers: Sequence[str]
) -> tuple[Dispatcher, Dispatcher]:
    """The kernels of the training step, on addresses: (x, y, numbers, n), y ← value(x, *numbers), in place unless the
    slope needs x; and (dy, x, y, numbers, n), dy ← backward(dy, x, y, *numbers)."""
    converted = {number: f"like(y[0], numbers[{k}])" for k, number in enumerate(numbers)}

    def made(name: str, function: Callable, addresses: Sequence[str], target: str, elements: str) -> Dispatcher:
        return inner_kernel(_loop(name, function, (*addresses, "numbers", "n"), "n", converted, target, elements))

    source = "y[k]" if slope_of == "output" else "x[k]"
    return (
        made(f"{name}_step", value, ("x", "y"), "y[k]", source),
        made(f"{name}_step_backward", backward, ("dy", "x", "y"), "dy[k]", f"dy[k], {_X_AND_Y[slope_of]}"),
    )


def _loop(
    name: str,
    function: Callable,
    parameters: Sequence[str],
    size: str,
    converted: dict[str, str],
    target: str,
    elements: str,
) -> Callable:
    """A function with these parameters: target ← function(elements, *numbers) for each k. The numbers are converted to
    the precision of the elements before the loop, so that it vectorises."""
    lines = [
        f"def {name}({', '.join(parameters)}):",
        "    prefer_full_vectors()",
        *(f"    {number} = {expression}" for number, expression in converted.items()),
        f"    for k in range({size}):",
        f"        {target} = a_number(function({', '.join((elements, *converted))}))",
    ]
    names: dict[str, Any] = {
        "prefer_full_vectors": prefer_full_vectors,
        "like": like,
        "a_number": a_number,
        "function": function,
    }
    # No file of the package: so the key of the kernel cache has the code itself, and what it refers to.
    exec(compile("\n".join(lines), f"<{name} of {__name__}>", "exec"), names)
    made = names[name]
    made.__module__ = __name__
    return named(name, made)
