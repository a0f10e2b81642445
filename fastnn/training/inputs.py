"""What users have, converted to what kernels take: rows in the net's dtype or compressed, labels or rows of targets."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.ops import checks

# Rows that need converting are converted so many bytes at a time, where not all of them must be at hand.
_BYTES_AT_ONCE = 32_000_000


class CompressedRows:
    """Sparse rows (n, inputs): of each the values that are stored and their ascending columns, one row after the other.

    starts : (n + 1,) int64; row k has those from starts[k] to starts[k + 1]. columns : int32.
    """

    def __init__(self, values: NDArray, columns: NDArray, starts: NDArray, inputs: int) -> None:
        self.values, self.columns, self.starts, self.inputs = values, columns, starts, inputs
        # A third: from there on products with a matrix are faster.
        self.is_dense = 3 * int(starts[-1] - starts[0]) > (len(starts) - 1) * inputs
        # Where the rows of a batch would begin if they were dense: kernels look there for how many zeros they have.
        self._zeros = np.zeros(inputs, values.dtype)

    @property
    def shape(self) -> tuple[int, int]:
        """(n, inputs)"""
        return len(self), self.inputs

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, which: slice | NDArray) -> CompressedRows:
        first, last, step = which.indices(len(self)) if isinstance(which, slice) else (0, 0, 0)
        if step == 1:
            # Starts count from the first value of all rows: values are shared, not copied.
            return CompressedRows(self.values, self.columns, self.starts[first : max(first, last) + 1], self.inputs)
        rows = np.arange(len(self))[which]
        counts = self.starts[rows + 1] - self.starts[rows]
        starts = np.concatenate([[0], np.cumsum(counts)])
        places = np.repeat(self.starts[rows] - starts[:-1], counts) + np.arange(starts[-1])
        return CompressedRows(self.values[places], self.columns[places], starts, self.inputs)

    def fill(self, record: NDArray) -> tuple[NDArray, ...]:
        """Write down in a SOURCE where they are; returns what the caller must keep alive."""
        record["x"], record["row_bytes"] = self._zeros.ctypes.data, 0
        for name in ("values", "columns", "starts"):
            record[name] = getattr(self, name).ctypes.data
        return self._zeros, self.values, self.columns, self.starts


def is_compressed(x: Any) -> bool:
    """Whether it is a sparse matrix or array of SciPy, or was one."""
    return isinstance(x, CompressedRows) or (hasattr(x, "tocsr") and hasattr(x, "nnz"))


def is_mapped(x: Any) -> bool:
    """Whether the elements of an array are those of a file, which is mapped to memory."""
    return _mapping(x) is not None


def _mapping(x: Any) -> mmap.mmap | None:
    while isinstance(x, np.ndarray):
        x = x.base
    return x if isinstance(x, mmap.mmap) else None


@contextmanager
def read_at_random(x: Any) -> Iterator[None]:
    """Meanwhile the system reads of a mapped file what is asked for and no more: not what follows each row, which would
    take tenfold the time and memory where rows are drawn at random."""
    mapping = _mapping(x)
    if mapping is None or not hasattr(mmap, "MADV_RANDOM"):
        yield
        return
    mapping.madvise(mmap.MADV_RANDOM)
    try:
        yield
    finally:
        mapping.madvise(mmap.MADV_NORMAL)


def converted_rows(net: Any, x: Any) -> Any:
    """Rows in the net's dtype, C-contiguous, or `CompressedRows`; x itself if it is that already.

    Raises ValueError or TypeError naming x for another number of columns, and for what is no number or becomes infinite
    in that dtype.
    """
    if is_compressed(x):
        return _compressed(net, x)
    array = _array_of(x, net.dtype)
    if array.dtype.kind == "b":
        array = array.astype(net.dtype)
    if array.dtype != net.dtype:
        _check_shape(net, array.shape)
        array = checks.converted("x", array, net.dtype)
    return net._rows(array)


def parts(net: Any, x: Any) -> Iterator[Any]:
    """Rows in order as `converted_rows` gives them: all at once where they are that already, or few; else some
    megabytes at a time."""
    if is_compressed(x):
        yield _compressed(net, x)
        return
    array = _array_of(x, net.dtype)
    _check_shape(net, array.shape)
    native = array.dtype == net.dtype and array.flags.c_contiguous
    step = max(1, len(array) if native else rows_at_once(net))
    for first in range(0, max(1, len(array)), step):
        yield converted_rows(net, array[first : first + step])


def rows_at_once(net: Any) -> int:
    """How many rows are converted at a time, where not all are."""
    return max(1, _BYTES_AT_ONCE // (net.sizes[0] * net.dtype.itemsize))


def _check_shape(net: Any, shape: tuple[int, ...]) -> None:
    if len(shape) != 2 or shape[1] != net.sizes[0]:
        raise ValueError(f"x: got shape {shape}, expected (n, {net.sizes[0]})")


def _array_of(x: Any, dtype: np.dtype) -> NDArray:
    """An array of x; of a DataFrame the values, missing ones as NaN."""
    if not hasattr(x, "columns") or not hasattr(x, "to_numpy"):
        return checks.plain_array("x", x)
    for name, own in zip(x.columns, x.dtypes, strict=True):
        if getattr(own, "kind", "f") not in "fiub":
            raise TypeError(
                f"x: got the column {name!r} of dtype {own}, expected numbers; leave it out, or encode it, "
                "with pandas.get_dummies(x) for example"
            )
    try:
        with np.errstate(over="ignore"):
            array = np.asarray(x.to_numpy(dtype=dtype, na_value=np.nan))  # pandas
        # What became infinite, and what was, `checks.converted` tells apart.
        return np.asarray(x.to_numpy(dtype=float, na_value=np.nan)) if np.isinf(array).any() else array
    except TypeError:
        return np.asarray(x.to_numpy())


def _compressed(net: Any, x: Any) -> CompressedRows:
    _check_shape(net, x.shape)
    if isinstance(x, CompressedRows):
        return x
    rows = x.tocsr()
    try:
        # Kernels write where the columns say.
        rows.check_format(full_check=True)
        # Of a matrix that ends with no value SciPy does not look at where rows begin.
        if rows.nnz == 0 and rows.indptr.any():
            raise ValueError("indptr must be a non-decreasing sequence")
    except ValueError as error:
        raise ValueError(f"x: got a sparse matrix that is none: {error}") from error
    if not _ascend(rows.indices, rows.indptr):
        rows = rows.copy() if rows is x else rows
        # What SciPy remembers of a matrix stays as it is when its arrays change, and `sum_duplicates` believes it.
        rows.has_sorted_indices = rows.has_canonical_format = False
        rows.sum_duplicates()
    values, columns, starts = rows.data, rows.indices.astype(np.int32, copy=False), rows.indptr.astype(np.int64)
    if values.dtype.kind == "b":
        values = values.astype(net.dtype)
    elif values.dtype != net.dtype:
        values = checks.converted("x", values, net.dtype)
    values, columns, starts = map(checks.contiguous, (values, columns, starts))
    return CompressedRows(values, columns, starts, rows.shape[1])


def _ascend(columns: NDArray, starts: NDArray) -> bool:
    """Whether the columns of each row ascend, none twice: kernels write out of bounds where they do not."""
    ascends = columns[1:] > columns[:-1]
    inner = starts[(starts > 0) & (starts < len(columns))]
    ascends[inner - 1] = True
    return bool(ascends.all())


def converted_targets(net: Any, t: Any, n: int) -> NDArray:
    """Labels (n,) int64 or rows of the net's dtype, as the loss takes them; (n,) integers are labels where it has some.

    Raises ValueError or TypeError naming t, for labels out of range too.
    """
    given = t.to_numpy() if hasattr(t, "to_numpy") else t
    array = checks.plain_array("t", given)
    if array.dtype.kind == "b":
        array = array.astype(np.int64)
    integers, several = array.dtype.kind in "iu", net.sizes[-1] > 1
    if net._takes_labels and several:
        # What is neither labels nor one-hot rows is refused below, as it is.
        converts = array.ndim == 2 and (not integers or checks.are_one_hot(array))
    else:
        converts = not (net._takes_labels and integers and array.ndim == 1)
    if converts and array.dtype.kind in "fiu":
        array = array if array.dtype == net.dtype else checks.converted("t", array, net.dtype)
    targets = net._targets(given if array.dtype == object else array, n)
    if targets.ndim == 1:
        # A copy of their own: kernels write where labels say, and an epoch does not look at them again.
        targets = targets.copy()
        _check_labels(net, targets)
    return targets


def check_values(net: Any, targets: NDArray, weights: NDArray | None) -> None:
    """Raises ValueError naming t for rows of converted targets that the loss does not take, but for those of weight 0,
    which count nothing whatever is in them."""
    kind = net._loss.item.targets
    refused = None if targets.ndim == 1 else kind.refused(targets)  # labels are looked at where they are converted
    if refused is None or not refused.any():
        return
    wrong = refused.any(axis=1) if weights is None else refused.any(axis=1) & (weights != 0)
    if wrong.any():
        row = int(wrong.argmax())
        found = targets[row][refused[row]][0]
        raise ValueError(f"t: got {found:.6g} in row {row}, expected {kind.values} with the loss {net._loss.item.name}")


def _check_labels(net: Any, labels: NDArray) -> None:
    classes, ignored = net._loss.item.labels(net.sizes[-1]), net._loss.ignore_label
    wrong = (labels < 0) | (labels >= classes)
    if ignored is not None:
        wrong &= labels != ignored
    if wrong.any():
        checks.refuse_label("t", labels, int(wrong.argmax()), classes)
