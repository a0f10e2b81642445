"""Bare kernels, from Python and from compiled code: any array is handled right, or refused by the argument's name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import pytest

import fastnn
from fastnn.intrinsics import element
from fastnn.ops import DECLARED

SIZES = {"n": 6, "i": 7, "o": 5, "c": 8, "classes": 8, "n_rows": 6}


def _columns(array: np.ndarray) -> np.ndarray:
    wide = np.zeros((*array.shape[:-1], array.shape[-1] + 4), array.dtype)
    view = wide[..., 2:-2]
    view[...] = array
    return view


def _spread(array: np.ndarray, step: int) -> np.ndarray:
    wide = np.zeros(tuple(abs(step) * s for s in array.shape), array.dtype)
    view = wide[tuple(slice(None, None, step) for _ in array.shape)]
    view[...] = array
    return view


def _read_only(array: np.ndarray) -> np.ndarray:
    array = array.copy()
    array.flags.writeable = False
    return array


LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "transposed": lambda a: np.ascontiguousarray(a.T).T,
    "strided": lambda a: _spread(a, 2),
    "reversed": lambda a: _spread(a, -1),
    "columns": _columns,
}


class Call:
    """One call of a bare kernel: its arguments by name, and what the reference makes of them."""

    def __init__(self, name: str, index: int = 0, dtype: str = "float32") -> None:
        declaration = self.declaration = DECLARED[name].declaration
        arrays = declaration.draw(
            SIZES, dtype, signature_index=index, leading=(6,) if declaration.flattens_leading else ()
        )
        numbers = {**declaration.defaults, **declaration.example}
        copies = [a.copy() for a in arrays]
        returned = declaration.reference(*copies, **numbers)
        kernel_numbers = [numbers[n] for n in declaration.kernel_numbers]
        results = [np.asarray(r) for r in (returned if isinstance(returned, tuple) else (returned,))]
        self.returned = None
        if declaration.in_place:
            outputs, self.expected = [], copies
        else:
            written = results[len(results) - declaration.returned_arrays :]
            self.returned = results[0] if len(written) < len(results) else None
            outputs = [np.zeros_like(r) for r in written]
            self.expected = [*arrays, *written]
        names = list(inspect.signature(declaration.kernel.py_func).parameters)
        self.arguments: dict[str, Any] = dict(zip(names, [*arrays, *kernel_numbers, *outputs], strict=True))
        self.arrays = [key for key, value in self.arguments.items() if isinstance(value, np.ndarray)]
        self.written = [*declaration.in_place, *names[len(names) - len(outputs) :]] if outputs else declaration.in_place

    def run(self, function: Callable[..., Any]) -> None:
        """Run, and hold every array, those that are only read too, against what is expected."""
        found = function(*self.arguments.values())
        tolerance = {"rtol": 1e-4, "atol": 1e-5}
        if self.returned is not None:
            np.testing.assert_allclose(found, self.returned, **tolerance)
        for key, expected in zip(self.arrays, self.expected, strict=True):
            np.testing.assert_allclose(self.arguments[key], expected, err_msg=key, **tolerance)


def from_compiled_code(kernel: Callable[..., Any]) -> Callable[..., Any]:
    return numba.njit(lambda *arguments: kernel(*arguments))


def refused(name: str, call: Call, argument: str, message: str) -> None:
    """From Python and from compiled code: by the name of the argument, and with nothing written."""
    kernel = DECLARED[name].kernel
    before = {key: np.copy(call.arguments[key]) for key in call.arrays}
    for function in (kernel, from_compiled_code(kernel)):
        with pytest.raises(numba.TypingError, match=rf"(?m)^{argument}: got .*expected {message}"):
            function(*call.arguments.values())
    for key, copy in before.items():
        np.testing.assert_array_equal(call.arguments[key], copy)


SIGNATURES = [(name, index) for name, f in DECLARED.items() for index in range(len(f.declaration.signatures))]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("name", "index"), SIGNATURES)
def test_layout_is_handled_or_refused(name: str, index: int, layout: str) -> None:
    """All arrays at once where the kernel takes them so; else each alone is refused, unless it is taken."""
    call, change = Call(name, index), LAYOUTS[layout]
    for key in call.arrays:
        call.arguments[key] = change(call.arguments[key])
    try:
        call.run(DECLARED[name].kernel)
        return
    except numba.TypingError as error:
        message = str(error)
    assert message.split(":")[0] in call.arrays, message
    for key in call.arrays:
        call = Call(name, index)
        changed = change(call.arguments[key])
        if changed.flags.carray:
            continue
        call.arguments[key] = changed
        if changed.dtype.kind == "i":
            call.run(DECLARED[name].kernel)  # labels are looked up by their place
        else:
            refused(name, call, key, "a C-contiguous array")


@pytest.mark.parametrize(("name", "index"), SIGNATURES)
def test_read_only_arrays_are_not_written(name: str, index: int) -> None:
    for key in Call(name, index).written:
        call = Call(name, index)
        call.arguments[key] = _read_only(call.arguments[key])
        refused(name, call, key, "a writeable array")


@pytest.mark.parametrize(("name", "index"), SIGNATURES)
def test_other_types_are_refused(name: str, index: int) -> None:
    for key in Call(name, index).arrays:
        call = Call(name, index)
        array = call.arguments[key]
        kind = "integers" if array.dtype.kind == "i" else r"float32( or float64| as \w+)"
        for value, expected in (
            (1.0, "an array"),
            (array[..., None, None], r"an array of \d dimension"),
            (array.astype("float32" if array.dtype.kind == "i" else "int64"), kind),
            (array.astype("uint64"), kind),
            (array.astype("complex64"), kind),
            (array.astype("bool"), kind),
        ):
            call.arguments[key] = value
            refused(name, call, key, expected)


@pytest.mark.parametrize(("name", "index"), SIGNATURES)
def test_mixed_precisions_are_refused(name: str, index: int) -> None:
    floats = [key for key in Call(name, index).arrays if Call(name, index).arguments[key].dtype.kind == "f"]
    for key in floats[1:]:
        call = Call(name, index)
        call.arguments[key] = call.arguments[key].astype("float64")
        refused(name, call, key, f"float32 as {floats[0]}")


@pytest.mark.parametrize("name", sorted(n for n, f in DECLARED.items() if f.declaration.kernel_numbers))
def test_what_is_no_number_is_refused(name: str) -> None:
    call = Call(name)
    for key in DECLARED[name].declaration.kernel_numbers:
        call = Call(name)
        call.arguments[key] = np.ones(3, np.float32)
        refused(name, call, key, "a number")


def test_advice_works_when_pasted() -> None:
    z = np.asfortranarray(np.random.default_rng(0).standard_normal((6, 8)))
    softmax, relu = fastnn.softmax.kernel, fastnn.relu.kernel

    @numba.njit
    def probabilities(z):
        p = np.empty(z.shape, z.dtype)
        softmax(np.ascontiguousarray(z), p)
        return p

    @numba.njit
    def rectified(x):
        y = np.empty_like(x)
        relu(x.reshape(-1), y.reshape(-1))
        return y

    for given in (z, z[:, 2:6], z[::-2], z.T):
        np.testing.assert_allclose(probabilities(given), fastnn.softmax.reference(given), rtol=1e-12)
    np.testing.assert_array_equal(rectified(np.ascontiguousarray(z)), np.maximum(z, 0))
    with pytest.raises(numba.TypingError, match=r"(?m)^z: got .* pass np\.ascontiguousarray\(z\)"):
        softmax(z, np.empty((6, 8)))
    with pytest.raises(numba.TypingError, match=r"(?m)^p: got .* np\.empty\(p\.shape, p\.dtype\)"):
        softmax(np.zeros((6, 8)), np.empty_like(z))
    with pytest.raises(numba.TypingError, match=r"(?m)^x: got .* x\.reshape\(-1\)"):
        relu(np.ascontiguousarray(z), np.empty_like(z))
    with pytest.raises(numba.TypingError, match=r"(?m)^z: got .* z\.reshape\(-1, z\.shape\[-1\]\)"):
        softmax(np.zeros(8), np.empty(8))


@pytest.mark.parametrize("name", ["softmax", "softmax_cross_entropy", "relu_backward"])
def test_contiguous_and_read_only_arrays_are_taken(name: str) -> None:
    call = Call(name)
    for key in call.arrays:
        array = call.arguments[key]
        call.arguments[key] = np.concatenate([array] * 3)[len(array) : 2 * len(array)]
    call.run(from_compiled_code(DECLARED[name].kernel))
    call = Call(name)
    for key in set(call.arrays) - set(call.written):
        call.arguments[key] = _read_only(call.arguments[key])
    call.run(DECLARED[name].kernel)


def test_parallel_kernels_refuse_as_well() -> None:
    x, w, b, y = (np.zeros(shape, np.float32) for shape in ((7, 5), (3, 5), (3,), (7, 3)))
    with pytest.raises(numba.TypingError, match=r"^w: got array\(float32, 2d, F\), expected a C-contiguous array"):
        DECLARED["affine_forward"].declaration.parallel_kernel(x, w.T, b, y, 0, 2)


def test_no_kernel_takes_the_address_in_a_strided_array() -> None:
    """Those that are not public either, whose argument types nothing else looks at."""

    @numba.njit
    def first(array):
        return element(array, 0)[0]

    with pytest.raises(numba.TypingError, match=r"array: got array\(float32, 2d, F\), expected a C-contiguous array"):
        first(np.zeros((4, 5), np.float32).T)
