"""Loops over an activation and its backward pass, generated from their scalar functions.

The training step works in place where it can. LLVM does not vectorise a loop from one array to another that may
overlap it, so that loops in place have one address for both.
"""

from __future__ import annotations

from collections.abc import Callable

from numba.core.dispatcher import Dispatcher

from fastnn.intrinsics import prefer_full_vectors
from fastnn.jit import inner_kernel, kernel, named


def array_kernels(name: str, value: Callable, backward: Callable, slope_of: str) -> tuple[Dispatcher, Dispatcher]:
    """The kernels (x, y), y ← value(x); and (dy, x, dx), (dy, y, dx) or (dy, x, y, dx), dx ← backward(dy, x, y). Arrays
    of one dimension."""

    def forward(x, y):
        prefer_full_vectors()
        for k in range(x.size):
            y[k] = value(x[k])

    def back_by_input(dy, x, dx):
        prefer_full_vectors()
        for k in range(x.size):
            dx[k] = backward(dy[k], x[k], x[k])

    def back_by_output(dy, y, dx):
        prefer_full_vectors()
        for k in range(y.size):
            dx[k] = backward(dy[k], y[k], y[k])

    def back_by_both(dy, x, y, dx):
        prefer_full_vectors()
        for k in range(y.size):
            dx[k] = backward(dy[k], x[k], y[k])

    backs: dict[str, Callable] = {"input": back_by_input, "output": back_by_output, "both": back_by_both}
    return kernel(named(name, forward)), kernel(named(f"{name}_backward", backs[slope_of]))


def step_kernels(name: str, value: Callable, backward: Callable, slope_of: str) -> tuple[Dispatcher, Dispatcher]:
    """The kernels of the training step, on addresses: (x, y, n), y ← value(x), in place unless the slope needs x; and
    (dy, x, y, n), dy ← backward(dy, x, y)."""

    def forward(x, y, n):
        prefer_full_vectors()
        for k in range(n):
            y[k] = value(x[k])

    def forward_in_place(x, y, n):
        prefer_full_vectors()
        for k in range(n):
            y[k] = value(y[k])

    def back_by_input(dy, x, y, n):
        prefer_full_vectors()
        for k in range(n):
            dy[k] = backward(dy[k], x[k], x[k])

    def back_by_output(dy, x, y, n):
        prefer_full_vectors()
        for k in range(n):
            dy[k] = backward(dy[k], y[k], y[k])

    def back_by_both(dy, x, y, n):
        prefer_full_vectors()
        for k in range(n):
            dy[k] = backward(dy[k], x[k], y[k])

    there = forward_in_place if slope_of == "output" else forward
    back = {"input": back_by_input, "output": back_by_output, "both": back_by_both}[slope_of]
    return inner_kernel(named(f"{name}_step", there)), inner_kernel(named(f"{name}_step_backward", back))
