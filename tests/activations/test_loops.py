"""The loops of the training step: they are the array kernels, at any length and at no other element, and made of vector
instructions alone."""

from __future__ import annotations

import re

import numba
import numpy as np
import pytest
from numba.core import types

import fastnn
from fastnn.activations import loops
from fastnn.intrinsics import VECTOR_BYTES, element
from fastnn.jit import scalar

ACTIVATIONS = list(fastnn.Activation.by_name)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_are_the_array_kernels(name: str, dtype: str, rng: np.random.Generator) -> None:
    item = fastnn.Activation.by_name[name]
    forward, backward = item._step_kernels
    numbers = {**item.defaults, **item.example}

    @numba.njit
    def step(dy, x, y, numbers, n):
        forward(element(x, 1), element(y, 1), element(numbers, 0), n)
        backward(element(dy, 1), element(x, 1), element(y, 1), element(numbers, 0), n)

    for n in (1, 3, 64, 101):
        x, dy = (rng.standard_normal(n + 2).astype(dtype) for _ in range(2))
        y = x if item.slope_of == "output" else np.zeros_like(x)
        before = [a.copy() for a in (x, y, dy)]
        value = getattr(fastnn, name)(x[1:-1], **numbers)
        arrays = {"input": [x[1:-1]], "output": [value], "both": [x[1:-1], value]}[item.slope_of]
        slope = getattr(fastnn, f"{name}_backward")(dy[1:-1], *arrays, **numbers)
        step(dy, x, y, np.array([*numbers.values(), 0.0]), n)
        close = {"rtol": 4 * np.finfo(dtype).eps, "atol": 4 * np.finfo(dtype).eps}  # a sum is fused in one, or not
        np.testing.assert_allclose(y[1:-1], value, **close)
        np.testing.assert_allclose(dy[1:-1], slope, **close)
        for now, then in zip((x, y, dy), before, strict=True):
            np.testing.assert_array_equal(now[[0, -1]], then[[0, -1]])


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name != "identity"])
def test_vectorise(name: str) -> None:
    """With the widest registers, in single precision throughout; and nothing is called for an element."""
    address, numbers = types.CPointer(types.float32), types.CPointer(types.float64)
    for loop in fastnn.Activation.by_name[name]._step_kernels:
        # Compiled anew: of what comes from the cache there is the machine code alone.
        compiled = numba.njit(fastmath={"contract"}, error_model="numpy", nogil=True)(loop.py_func)
        compiled.compile((*[address] * (loop.py_func.__code__.co_argcount - 2), numbers, types.int64))
        code = next(iter(compiled.inspect_llvm().values()))
        assert f"<{VECTOR_BYTES // 4} x float>" in code, f"{loop.py_func.__name__} is not vectorised"
        # Wrappers for Python call into it; the loop itself may call intrinsics that are single instructions.
        body = next(f for f in re.findall(r"^define .*?^}", code, re.MULTILINE | re.DOTALL) if "x float>" in f)
        assert "x double>" not in body, f"{loop.py_func.__name__} computes in double precision"
        called = set(re.findall(r"call [^@\n]*@([\w.]+)", body))
        assert not {f for f in called if not re.match(r"llvm\.(fma|fmuladd|fabs|ldexp|x86)", f)}, called


@scalar
def _twice(x):
    return x + x


@scalar
def _thrice(x):
    return x + x + x


@scalar
def _slope(dy, x, y):
    return dy


def test_kernels_of_another_body_are_others(dtype: str) -> None:
    """Of the same name, as when a user changes an activation: the one must not come from the other's cache."""
    x, numbers = np.array([1, 2], dtype), np.zeros(1)
    for slope_of in ("output", "input"):
        for value, factor in ((_twice, 2), (_thrice, 3)):
            array, _ = loops.array_kernels("changed_for_a_test", value, _slope, slope_of, ())
            step, _ = loops.step_kernels("changed_for_a_test", value, _slope, slope_of, ())

            @numba.njit
            def call(x, y, numbers, step=step):
                step(element(x, 0), element(y, 0), element(numbers, 0), x.size)

            y, z = np.zeros_like(x), x.copy()
            array(x, y)
            np.testing.assert_array_equal(y, factor * x)
            call(*((z, z) if slope_of == "output" else (x, z)), numbers)
            np.testing.assert_array_equal(z, factor * x)
