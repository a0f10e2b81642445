"""What an argument may be. Every error names the argument, what was given and what was expected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from fastnn.kernels.encoding import first_out_of_range

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def float_array(name: str, value: Any, dtype: np.dtype | None = None, like: str = "") -> NDArray:
    """`value` as an array of `dtype` (either precision where that is None).

    An array is returned as it is, whatever its layout. Raises TypeError for any other dtype: nothing is converted
    silently, for a conversion would cost more than most kernels, or lose digits.
    """
    array = value if type(value) is np.ndarray else np.asarray(value)
    if array.dtype is dtype or (array.dtype in FLOATS if dtype is None else array.dtype == dtype):
        return array
    if dtype is not None:
        raise TypeError(f"{name}: got dtype {array.dtype}, expected {dtype}{like}; convert it with .astype({dtype})")
    raise TypeError(
        f"{name}: got dtype {array.dtype}, expected float32 or float64; convert it with .astype(np.float32)"
    )


def contiguous(array: NDArray) -> NDArray:
    """The array itself; a copy where it is strided, read-only or not aligned: kernels are compiled for one layout."""
    return array if array.flags.carray else np.array(array, order="C")


def readable(array: NDArray) -> NDArray:
    """The array itself; a copy where it is strided or not aligned: kernels are compiled for one layout."""
    flags = array.flags
    return array if flags.c_contiguous and flags.aligned else np.array(array, order="C")


def converted(name: str, value: Any, dtype: np.dtype) -> NDArray:
    """`value` as an array of `dtype`, rounded.

    Raises TypeError for what is no array of real numbers, and ValueError where a finite number would become infinite.
    """
    array = np.asarray(value)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name}: got dtype {array.dtype}, expected real numbers")
    with np.errstate(over="ignore"):
        rounded = array.astype(dtype)
    if np.isfinite(array).all() and not np.isfinite(rounded).all():
        raise ValueError(f"{name}: got {np.abs(array).max():g}, expected numbers within the range of {dtype}")
    return rounded


def sequence(name: str, value: Any) -> Sequence[Any]:
    """`value`, if it is a sequence or an array. Raises TypeError for anything else, strings too."""
    if isinstance(value, str) or not isinstance(value, (Sequence, np.ndarray)):
        raise TypeError(f"{name}: got {value!r}, expected a sequence")
    return value


def in_place(name: str, array: Any) -> NDArray:
    """Raises ValueError unless the array can be written where it lies."""
    if type(array) is not np.ndarray or not array.flags.carray:
        found = "a read-only array" if isinstance(array, np.ndarray) and not array.flags.writeable else "no such array"
        raise ValueError(f"{name}: is updated in place and must be a C-contiguous, writeable array; got {found}")
    return array


def outputs(
    out: Any, shapes: Sequence[tuple[int, ...]], dtype: np.dtype, arguments: Mapping[str, NDArray]
) -> tuple[NDArray, ...]:
    """The arrays to be written: `out` itself for one, a tuple for several.

    Raises TypeError or ValueError unless they have these shapes and this dtype, can be written where they lie, and
    share no memory with an argument or each other.
    """
    several = len(shapes) > 1
    if several and (not isinstance(out, tuple) or len(out) != len(shapes)):
        found = f"{len(out)} arrays" if isinstance(out, tuple) else repr(type(out).__name__)
        raise ValueError(f"out: got {found}, expected a tuple of {len(shapes)} arrays")
    arrays = out if several else (out,)
    others = dict(arguments)
    for k, (array, shape) in enumerate(zip(arrays, shapes, strict=True)):
        name = f"out[{k}]" if several else "out"
        if type(array) is not np.ndarray or array.dtype != dtype:
            found = f"dtype {array.dtype}" if type(array) is np.ndarray else repr(type(array).__name__)
            raise TypeError(f"{name}: got {found}, expected an array of {dtype}")
        if array.shape != shape:
            raise ValueError(f"{name}: got shape {array.shape}, expected {shape}")
        if not array.flags.carray:
            raise ValueError(f"{name}: got an array that is strided, not aligned or read-only, expected none of these")
        for other, argument in others.items():
            if np.may_share_memory(array, argument):
                raise ValueError(f"{name}: shares memory with {other}")
        others[name] = array
    return arrays


def label_array(name: str, value: Any) -> NDArray[np.int64]:
    """Integers as a contiguous int64 array of any shape; their range is checked by `labels_in_range`.

    Raises TypeError for floating-point labels, NaN among them, and anything else that is no integer.
    """
    array = value if type(value) is np.ndarray else np.asarray(value)
    if array.dtype.kind not in "iu":
        raise TypeError(
            f"{name}: got dtype {array.dtype}, expected integer labels; convert whole numbers with .astype(np.int64)"
        )
    return contiguous(array if array.dtype == np.int64 else array.astype(np.int64))


def labels_in_range(name: str, labels: NDArray[np.int64], classes: int) -> None:
    """Raises ValueError naming the first label outside [0, classes)."""
    wrong = first_out_of_range(labels, classes)
    if wrong >= 0:
        refuse_label(name, labels, wrong, classes)


def refuse_label(name: str, labels: NDArray[np.int64], wrong: int, classes: int) -> NoReturn:
    """Raises ValueError naming the label at position `wrong`."""
    raise ValueError(f"{name}: got label {labels[wrong]} at position {wrong}, expected labels from 0 to {classes - 1}")


def float_dtype(name: str, value: Any) -> np.dtype:
    """float32 or float64, the object that arrays have, from a name, type or dtype. Raises TypeError for any other."""
    try:
        dtype = np.dtype(value)
    except TypeError:
        dtype = None
    if dtype not in FLOATS:
        raise TypeError(f'{name}: got {value!r}, expected "float32" or "float64"')
    return FLOATS[FLOATS.index(dtype)]
