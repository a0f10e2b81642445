"""Checks of the argument types that a bare kernel is compiled for. An error names the argument.

A kernel that uses addresses would read a strided array as if it were contiguous, and write to a read-only one. The
types are checked when the kernel is compiled, for Python or for a kernel that calls it, so that a call costs nothing.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from numba.core import types
from numba.core.errors import TypingError

from fastnn.ops.declaration import Declaration
from fastnn.ops.signature import Signature


def type_check(declaration: Declaration, kernel: Any) -> Callable[[Sequence[types.Type]], None]:
    """The check of the argument types of the declaration's `kernel` or `parallel_kernel`.

    It raises Numba's TypingError, which reaches the caller of the kernel, or of the kernel that calls it.
    """
    names = tuple(inspect.signature(kernel.py_func).parameters)
    inputs = tuple(declaration.arrays)
    first_output = len(inputs) + len(declaration.kernel_numbers)
    outputs = names[first_output : first_output + declaration.returned_arrays]
    cores = {s: dict(zip(inputs + outputs, _cores(declaration, s), strict=True)) for s in declaration.signatures}

    def check(kinds: Sequence[types.Type]) -> None:
        signatures, precision = list(declaration.signatures), None
        for name, kind in zip(names, kinds, strict=False):  # Numba itself refuses too many or too few
            if name not in inputs + outputs:
                _check_number(name, kind)
                continue
            signatures = _check_dimensions(declaration, name, kind, {s: cores[s][name] for s in signatures})
            if name in inputs and declaration.arrays[name].holds_labels(kind.ndim):
                _check_labels(name, kind)
                continue
            written = name in outputs or name in declaration.in_place
            _check_precision(name, kind, written, precision)
            precision = precision or (name, kind.dtype)
            _check_memory(name, kind, written, declaration)

    return check


def _cores(declaration: Declaration, signature: Signature) -> list[tuple[str, ...]]:
    """The dimensions of each array argument of the kernel, by name; a returned number is no argument."""
    leading = ("n_rows",) if declaration.flattens_leading else ()
    arrays = [*signature.inputs, *(core for core in signature.outputs if declaration.flattens_leading or core)]
    return [(*leading, *core) for core in arrays][: len(signature.inputs) + declaration.returned_arrays]


def _check_number(name: str, kind: types.Type) -> None:
    if not isinstance(kind, (types.Integer, types.Float, types.Boolean)):
        raise TypingError(f"{name}: got {kind}, expected a number")


def _check_dimensions(
    declaration: Declaration, name: str, kind: types.Type, cores: dict[Signature, tuple[str, ...]]
) -> list[Signature]:
    """The signatures in which the array has as many dimensions as `kind`."""
    if not isinstance(kind, types.Array):
        raise TypingError(f"{name}: got {kind}, expected an array")
    fitting = [signature for signature, core in cores.items() if len(core) == kind.ndim]
    if not fitting:
        counts = dict.fromkeys(len(core) for core in cores.values())
        expected = " or ".join(f"{n} dimension{'s' * (n > 1)}" for n in counts)
        shape = "-1" if declaration.elementwise else f"-1, {name}.shape[-1]"
        advice = f"; pass {name}.reshape({shape})" if declaration.flattens_leading and kind.ndim > 0 else ""
        raise TypingError(f"{name}: got {kind}, expected an array of {expected}{advice}")
    return fitting


def _check_labels(name: str, kind: types.Array) -> None:
    # uint64 is refused: Numba computes with an int64 and a uint64 in float64.
    if not isinstance(kind.dtype, types.Integer) or kind.dtype == types.uint64:
        raise TypingError(f"{name}: got {kind}, expected integers, int64{_converted(name, kind, types.int64)}")


def _check_precision(name: str, kind: types.Array, written: bool, like: tuple[str, types.Type] | None) -> None:
    if kind.dtype == like[1] if like else kind.dtype in (types.float32, types.float64):
        return
    expected = f"{like[1]} as {like[0]}" if like else "float32 or float64"
    advice = "" if written else _converted(name, kind, like[1] if like else types.float32)
    raise TypingError(f"{name}: got {kind}, expected {expected}{advice}")


def _converted(name: str, kind: types.Array, dtype: types.Type) -> str:
    real = isinstance(kind.dtype, (types.Integer, types.Float, types.Boolean))
    return f"; pass {name}.astype(np.{dtype})" if real else ""


def _check_memory(name: str, kind: types.Array, written: bool, declaration: Declaration) -> None:
    if written and not kind.mutable:
        expected = "a writeable array"
    elif not declaration.strided and kind.layout != "C":
        expected = "a C-contiguous array"
    else:
        return
    # `ascontiguousarray` returns what is contiguous as it is, read-only or not.
    advice = f"np.ascontiguousarray({name})" if kind.layout != "C" else f"{name}.copy()"
    if name in declaration.in_place:
        advice = f"new = {advice}, then {name}[...] = new" if kind.mutable else advice
    elif written:
        advice = f"new = np.empty({name}.shape, {name}.dtype)" + f", then {name}[...] = new" * kind.mutable
    raise TypingError(f"{name}: got {kind}, expected {expected}; pass {advice}")
