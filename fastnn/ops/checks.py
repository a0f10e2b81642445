"""Checks of array arguments. Every error names the argument, what was given and what was expected."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, NoReturn

import numpy as np
from numba.core import types
from numpy.typing import NDArray

from fastnn.intrinsics import BorrowedArray
from fastnn.jit import entry_point
from fastnn.kernels.encoding import first_out_of_range

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def plain_array(name: str, value: Any) -> NDArray:
    """`value` as a plain `numpy.ndarray`, without a copy if it is an array already.

    Raises TypeError for a masked array, whose mask would be lost. Raises ValueError or TypeError for what NumPy cannot
    convert to an array.
    """
    if type(value) is np.ndarray:
        return value
    if _is_masked(value):
        raise TypeError(
            f"{name}: got a masked array, expected one without a mask; put a value in its place with "
            f"{name} = np.ma.array({name}).filled(0)"
        )
    try:
        return np.asarray(value)
    except (RuntimeError, TypeError, ValueError) as error:
        kind = ValueError if isinstance(error, ValueError) else TypeError
        raise kind(
            f"{name}: got a {type(value).__name__} of which NumPy makes no array, expected one: {error}"
        ) from error


def _is_masked(value: Any) -> bool:
    return isinstance(value, np.ma.MaskedArray) or (isinstance(value, (list, tuple)) and any(map(_is_masked, value)))


def float_array(name: str, value: Any, dtype: np.dtype | None = None, like: str = "") -> NDArray:
    """`value` as an array of `dtype`, or of either precision if that is None, in any layout.

    `like` names what the dtype comes from, for the message. Raises TypeError for any other dtype. Nothing is converted
    silently, because a conversion costs more than most kernels, or loses digits.
    """
    array = plain_array(name, value)
    if array.dtype is dtype or (array.dtype in FLOATS if dtype is None else array.dtype == dtype):
        return array
    expected = "float32 or float64" if dtype is None else f"{dtype}{like}"
    raise TypeError(
        f"{name}: got {_found(value, array)}, expected {expected}{_conversion(name, value, dtype or FLOATS[0])}"
    )


def _found(value: Any, array: NDArray) -> str:
    """What was given, for a message: its dtype, or its type if NumPy has no dtype for it."""
    if array.dtype != object or array is value or array.ndim > 0:
        return f"dtype {array.dtype}"
    return "None" if value is None else repr(type(value).__name__)


def _conversion(name: str, value: Any, dtype: np.dtype) -> str:
    """The advice to convert `value`; empty if the conversion would raise or lose more than digits."""
    if hasattr(value, "toarray"):
        return f"; make it dense with {name} = {name}.toarray()"
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("error")
            converted = np.asarray(value, dtype)
    except (TypeError, ValueError, Warning):
        return ""
    array = np.asarray(value)
    if value is None or (dtype.kind == "i" and array.dtype.kind in "fO" and (converted != array).any()):
        return ""
    return f"; convert it with {name} = np.asarray({name}, np.{dtype})"


def contiguous(array: NDArray) -> NDArray:
    """The array itself if it is C-contiguous and aligned, else such a copy: kernels are compiled for one layout.

    It may be read-only; `in_place` checks the arrays that are written.
    """
    flags = array.flags
    return array if flags.c_contiguous and flags.aligned else np.array(array, order="C")


def converted(name: str, value: Any, dtype: np.dtype) -> NDArray:
    """`value` as an array of `dtype`, rounded.

    Raises TypeError for what is no array of real numbers, and ValueError where a finite number would become infinite.
    """
    array = plain_array(name, value)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name}: got {_found(value, array)}, expected real numbers{_conversion(name, value, dtype)}")
    with np.errstate(over="ignore"):
        rounded = array.astype(dtype)
    infinite = np.isinf(rounded)
    if infinite.any():
        lost = np.abs(array[infinite])
        lost = lost[np.isfinite(lost)]
        if lost.size:
            raise ValueError(f"{name}: got {lost.max():g}, expected numbers within the range of {dtype}")
    return rounded


def weights(name: str, value: Any, size: int | None, of: str) -> NDArray[np.float64]:
    """Weights as a contiguous float64 array (size,), or of any length if that is None; `of` says what has one.

    Raises TypeError for what is no array of real numbers, ValueError for another shape, and for weights that are
    negative, infinite or NaN.
    """
    array = contiguous(converted(name, value, FLOATS[1]))
    if array.ndim != 1 or (size is not None and len(array) != size):
        expected = f"({'n' if size is None else size},)"
        raise ValueError(f"{name}: got shape {array.shape}, expected {expected}, a weight for each {of}")
    wrong = np.flatnonzero(~((array >= 0) & (array < np.inf)))
    if wrong.size:
        raise ValueError(f"{name}: got {array[wrong[0]]} at position {wrong[0]}, expected finite weights of at least 0")
    return array


def sequence(name: str, value: Any) -> Sequence[Any] | NDArray:
    """`value`, if it is a sequence or an array. Raises TypeError for anything else, strings too."""
    is_array = isinstance(value, np.ndarray) and value.ndim > 0
    if not is_array and (not isinstance(value, Sequence) or isinstance(value, str)):
        raise TypeError(f"{name}: got {value!r}, expected a sequence")
    return value


def _written_fault(array: NDArray) -> str:
    """Why a kernel cannot write to the memory of the array; empty if it can."""
    flags = array.flags
    if not flags.c_contiguous:
        return "an array that is not C-contiguous"
    if not flags.aligned:
        return "an array that is not aligned"
    return "" if flags.writeable else "a read-only array"


def in_place(name: str, array: Any) -> None:
    """Raises ValueError unless a kernel can write to the memory of the array."""
    fault = _written_fault(array) if isinstance(array, np.ndarray) else f"a {type(array).__name__}"
    if fault:
        raise ValueError(
            f"{name}: got {fault}, expected a C-contiguous, writeable array, because it is updated in place; "
            f"make it one with {name} = np.array({name}, order='C')"
        )


def outputs(
    out: Any, shapes: Sequence[tuple[int, ...]], dtype: np.dtype, arguments: Mapping[str, NDArray]
) -> tuple[NDArray, ...]:
    """The arrays of `out`, which is one array, or a tuple if there are several outputs.

    Raises TypeError or ValueError unless they have these shapes and this dtype, are writeable, C-contiguous and
    aligned, and share no memory with an argument or each other.
    """
    several = len(shapes) > 1
    if several and (not isinstance(out, tuple) or len(out) != len(shapes)):
        found = f"{len(out)} arrays" if isinstance(out, tuple) else repr(type(out).__name__)
        raise ValueError(f"out: got {found}, expected a tuple of {len(shapes)} arrays")
    arrays = out if several else (out,)
    others = dict(arguments)
    for k, (array, shape) in enumerate(zip(arrays, shapes, strict=True)):
        name = f"out[{k}]" if several else "out"
        wanted = f"np.empty({shape}, np.{dtype})"
        if type(array) is not np.ndarray or array.dtype != dtype:
            found = f"dtype {array.dtype}" if type(array) is np.ndarray else repr(type(array).__name__)
            raise TypeError(f"{name}: got {found}, expected a numpy.ndarray of {dtype}, such as {wanted}")
        if array.shape != shape:
            raise ValueError(f"{name}: got shape {array.shape}, expected {shape}, such as {wanted}")
        fault = _written_fault(array)
        if fault:
            raise ValueError(f"{name}: got {fault}, expected a C-contiguous, writeable array, such as {wanted}")
        for other, argument in others.items():
            if np.may_share_memory(array, argument):
                raise ValueError(
                    f"{name}: got an array that shares memory with {other}, expected one of its own, such as {wanted}"
                )
        others[name] = array
    return arrays


def label_array(name: str, value: Any) -> NDArray[np.int64]:
    """Integers as a contiguous int64 array (n,); their range is checked by `labels_in_range`.

    Raises TypeError for floating-point labels, NaN among them, and anything else that is no integer; ValueError for
    another number of dimensions.
    """
    array = plain_array(name, value)
    if array.dtype.kind not in "iufb" or array.ndim == 1:
        return _integers(name, value, array)
    cure = f"np.ravel({name})"
    if array.ndim == 2 and array.shape[1] > 1:
        cure = f"np.argmax({name}, axis=1), if these are one-hot rows"
    raise ValueError(f"{name}: got shape {array.shape}, expected labels of shape (n,); pass {cure}")


def _integers(name: str, value: Any, array: NDArray) -> NDArray[np.int64]:
    if array.dtype.kind in "iu":
        labels = array.astype(np.int64, copy=False)
        if array.dtype == np.uint64 and (labels < 0).any():
            wrong = int((labels < 0).argmax())
            raise ValueError(f"{name}: got label {array[wrong]} at position {wrong}, expected labels below 2**63")
        return contiguous(labels)
    if array.dtype.kind == "f" and np.isnan(array).any():
        missing = int(np.isnan(array).argmax())
        raise TypeError(
            f"{name}: got {_found(value, array)} without a label at position {missing}, expected integer labels; leave "
            "out rows that have none"
        )
    advice = _conversion(name, value, np.dtype(np.int64))
    texts = array.dtype.kind in "UST" or (array.dtype == object and all(isinstance(one, str) for one in array.flat))
    if texts and not advice:
        advice = f"; number them with {name} = np.unique({name}, return_inverse=True)[1]"
    raise TypeError(f"{name}: got {_found(value, array)}, expected integer labels{advice}")


def label_array_or_rows(name: str, value: Any, dtype: np.dtype | None, like: str = "") -> NDArray:
    """Labels (n,) as `label_array` gives them, or rows of targets (n, c) as `float_array` does.

    Raises as they do; ValueError for integers that are neither.
    """
    array = plain_array(name, value)
    if array.ndim == 1:
        return _integers(name, value, array)
    if array.dtype.kind in "iu" and not (array.ndim == 2 and are_one_hot(array)):
        raise ValueError(
            f"{name}: got integers of shape {array.shape}, expected labels of shape (n,), or rows (n, c) of "
            f"{dtype}{like}; pass np.ravel({name}) if these are labels"
        )
    return float_array(name, value, dtype, like)


def holds_integers(value: Any) -> bool:
    """Whether NumPy makes an array of integers of it."""
    return plain_array("t", value).dtype.kind in "iu"


def are_one_hot(rows: NDArray) -> bool:
    """Whether each row (n, c) has a single 1 and zeros."""
    return rows.shape[1] > 1 and bool(np.isin(rows, (0, 1)).all() and (rows.sum(axis=1) == 1).all())


def labels_in_range(name: str, labels: NDArray[np.int64], classes: int) -> None:
    """Raises ValueError naming the first label outside [0, classes)."""
    wrong = _first_out_of_range()(labels, classes)
    if wrong >= 0:
        refuse_label(name, labels, wrong, classes)


@cache
def _first_out_of_range() -> Callable[[NDArray[np.int64], int], int]:
    """The kernel, compiled for borrowed labels: an ordinary read-only array would be another type, compiled again."""
    return entry_point(first_out_of_range, (BorrowedArray(types.int64, 1), types.int64))


def refuse_label(name: str, labels: NDArray[np.int64], wrong: int, classes: int) -> NoReturn:
    """Raises ValueError naming the label at position `wrong`."""
    raise ValueError(f"{name}: got label {labels[wrong]} at position {wrong}, expected labels from 0 to {classes - 1}")


def float_dtype(name: str, value: Any) -> np.dtype:
    """float32 or float64, the object that arrays have, from a name, type or dtype. Raises TypeError for any other."""
    try:
        dtype = None if value is None else np.dtype(value)  # None is float64 for NumPy
    except TypeError:
        dtype = None
    if dtype is None or dtype not in FLOATS:
        raise TypeError(f'{name}: got {value!r}, expected "float32" or "float64"')
    return FLOATS[FLOATS.index(dtype)]
