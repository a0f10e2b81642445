"""Reading a user's table: rows of numbers and the columns to be learned, of a CSV or an NPZ file.

Everything that is no number is refused, by the name of its column and the number of its row.
"""

from __future__ import annotations

import csv
import gzip
import io
import sys
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.cli.errors import UsageError
from fastnn.training.optional import cure

STDIN = "-"
_DELIMITERS = ",;\t|"
_SHOWN = 12  # names in a message
_LOOKED_AT = 1000  # lines, for whether the first one is a header
# What stands for a value that is missing: what `pandas.read_csv` takes for it.
MISSING = frozenset({
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
    "NULL", "NaN", "None", "n/a", "nan", "null",
})  # fmt: skip
_LARGEST_WHOLE = 2.0**53  # up to there float64 has all whole numbers


@dataclass(frozen=True)
class Table:
    """What is read of a file.

    source : what messages call it. features : the names of the columns of x; of a file without a header "1", "2" and so
    on, of an NPZ file none. x : (n, features), real numbers, all finite.
    targets : the names of the columns of t. t : (n,), or (n, k) of several; text, int64 or float64. None where none
    was asked for.
    """

    source: str
    features: tuple[str, ...]
    x: NDArray
    targets: tuple[str, ...]
    t: NDArray | None

    def __len__(self) -> int:
        return len(self.x)


def read(
    source: str,
    targets: Sequence[str],
    drop: Sequence[str] = (),
    features: str | None = None,
    wanted: Sequence[str] = (),
) -> Table:
    """Read a CSV file, or an NPZ file if its name ends so; "-" is a CSV on standard input.

    targets : of a CSV the names of columns, or their numbers from 1, or from -1 backwards; of an NPZ the name of one
    array. drop : columns of a CSV to leave out. features : of an NPZ the name of the array of rows, "x" if None.
    wanted : the columns of a CSV that are features, and in which order; a file without a header that lacks them, by
    their numbers, has them as they lie. Without any names, all columns but targets and those dropped are features.
    Raises UsageError naming the file or the option.
    """
    if source != STDIN and source.lower().endswith(".npz"):
        if drop:
            raise UsageError(f"--drop: leaves out columns of a CSV file, and {source} is an NPZ file")
        if len(targets) > 1:
            raise UsageError(f"--target: got {len(targets)} names, expected that of one array of {source}")
        return _read_npz(source, features or "x", targets[0] if targets else None)
    if features is not None:
        raise UsageError(f"--features: names an array of an NPZ file, and {source} is none")
    return _read_csv(source, targets, drop, wanted)


def content(source: str) -> bytes:
    """All bytes of a file or of standard input, decompressed by gzip if they are compressed. Raises UsageError."""
    try:
        data = sys.stdin.buffer.read() if source == STDIN else Path(source).read_bytes()
        return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"{source}: cannot be read ({getattr(error, 'strerror', None) or error})") from None


def _read_csv(source: str, targets: Sequence[str], drop: Sequence[str], wanted: Sequence[str]) -> Table:
    data = content(source)
    label, names, delimiter, has_header = _columns(source, data)
    chosen = [_column("--target", column, names, label) for column in targets]
    left_out = {_column("--drop", column, names, label) for column in drop}
    kept = [k for k in range(len(names)) if k not in left_out and k not in chosen]
    kept = _wanted(label, names, kept, wanted, has_header)
    _check_names(label, names, [*kept, *chosen])
    if not kept:
        raise UsageError(f"{label}: has no column beside those of --target and --drop, expected features")
    frame = _frame(label, data, delimiter, names, has_header, [*kept, *chosen], chosen)
    x = np.column_stack([_numbers(label, names[k], frame[k].to_numpy()) for k in kept])
    columns = [_target(label, names[k], frame[k].to_numpy(dtype=object)) for k in chosen]
    if not columns:
        t = None
    elif len(columns) == 1:
        t = columns[0]
    else:
        t = np.column_stack([_numbers(label, names[k], column) for k, column in zip(chosen, columns, strict=True)])
    return Table(label, tuple(names[k] for k in kept), x, tuple(names[k] for k in chosen), t)


def columns(source: str) -> list[str]:
    """The names of the columns of a CSV file. Raises UsageError where it is none."""
    return _columns(source, content(source))[1]


def _columns(source: str, data: bytes) -> tuple[str, list[str], str, bool]:
    """What messages call the file, the names of its columns, what separates them, and whether it has a header."""
    label = "standard input" if source == STDIN else source
    text = _text(label, data)
    first, delimiter = _first_line(label, text)
    has_header = _is_header(first, text, delimiter)
    names = [name.strip() for name in first] if has_header else [str(k + 1) for k in range(len(first))]
    return label, names, delimiter, has_header


def _is_header(first: Sequence[str], text: str, delimiter: str) -> bool:
    """Whether these fields of the first line are names, and not a row, of which numbers may be missing.

    Of numbers and texts they are a row if each text stands in its column again, as that of a class does, and a name
    does not.
    """
    if not any(map(_is_number, first)):
        return True
    texts = {k: field for k, field in enumerate(first) if not _is_number_or_missing(field)}
    try:
        lines = islice(_lines(text, delimiter), 1, _LOOKED_AT)
        for line in lines:
            texts = {k: field for k, field in texts.items() if k >= len(line) or line[k] != field}
            if not texts:
                return False
    except csv.Error:
        pass  # whoever reads the whole says what is wrong
    return bool(texts)


def _lines(text: str, delimiter: str) -> Iterator[list[str]]:
    """The fields of each line that is not blank. Raises csv.Error."""
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    return (line for line in lines if any(field.strip() for field in line))


def _text(label: str, data: bytes) -> str:
    """The text of the file. Raises UsageError for what is none."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{label}: is no text in UTF-8 ({error.reason} at byte {error.start})") from None
    if "\0" in text:
        raise UsageError(f"{label}: is no text, expected a CSV file, or an NPZ file with a name that ends in .npz")
    return text


def _first_line(label: str, text: str) -> tuple[list[str], str]:
    """The fields of the first line that is not blank, and what separates them: what gives the most fields."""

    def fields(delimiter: str) -> list[str]:
        try:
            return next(_lines(text, delimiter), [])
        except csv.Error as error:
            raise UsageError(f"{label}: is no CSV file ({error})") from None

    found = {delimiter: fields(delimiter) for delimiter in _DELIMITERS}
    best = max(_DELIMITERS, key=lambda delimiter: len(found[delimiter]))
    if not found[best]:
        raise UsageError(f"{label}: is empty, expected a line for each row")
    return found[best], best


def _column(option: str, given: str, names: Sequence[str], label: str) -> int:
    """The place of a column, given by its name, or its number from 1 or from -1 backwards."""
    if given in names:
        return names.index(given)
    try:
        number = int(given)
    except ValueError:
        raise UsageError(f"{option}: got {given!r}, expected a column of {label}: {shown(names)}") from None
    if not 1 <= abs(number) <= len(names):
        raise UsageError(f"{option}: got column {number}, but {label} has {len(names)} columns")
    return number - 1 if number > 0 else len(names) + number


def _wanted(label: str, names: Sequence[str], kept: list[int], wanted: Sequence[str], has_header: bool) -> list[int]:
    """The places of the wanted columns among those that are kept."""
    places = {names[k]: k for k in reversed(kept)}
    missing = [name for name in wanted if name not in places]
    if not missing:
        return [places[name] for name in wanted] or kept
    if has_header and not all(name.isdecimal() for name in wanted):
        raise UsageError(f"{label}: has no column {missing[0]!r}; the net was trained on {shown(wanted)}")
    return kept


def shown(names: Iterable[str]) -> str:
    """Some of the names, for messages."""
    names = list(names)
    more = f", ... ({len(names)} in all)" if len(names) > _SHOWN else ""
    return ", ".join(map(str, names[:_SHOWN])) + more


def _check_names(label: str, names: Sequence[str], used: Sequence[int]) -> None:
    for k in sorted(used):
        if not names[k]:
            raise UsageError(
                f"{label}: column {k + 1} has no name in the header; name it, or leave it out: --drop {k + 1}"
            )
        if names.index(names[k]) != k:
            raise UsageError(f"{label}: two columns are named {names[k]!r}; leave one out: --drop {k + 1}")


def _frame(
    label: str,
    data: bytes,
    delimiter: str,
    names: Sequence[str],
    has_header: bool,
    used: Sequence[int],
    texts: Sequence[int],
) -> Any:
    """The used columns by their places, as a DataFrame; some of them as texts, for 01 is another name than 1."""
    try:
        import pandas
    except ImportError:
        raise UsageError(f"{label}: CSV files need pandas; {cure('pandas')} (NPZ files need nothing)") from None
    try:
        with warnings.catch_warnings():
            # Rows that are longer than the header.
            warnings.simplefilter("error", pandas.errors.ParserWarning)
            frame = pandas.read_csv(
                io.BytesIO(data),
                sep=delimiter,
                header=0 if has_header else None,
                names=list(range(len(names))),
                index_col=False,
                dtype=dict.fromkeys(texts, str),
                keep_default_na=False,
                skipinitialspace=True,
                low_memory=False,
                encoding="utf-8-sig",
            )
    except pandas.errors.ParserWarning:
        raise UsageError(f"{label}: rows have more fields than the first line, which has {len(names)}") from None
    except (pandas.errors.ParserError, pandas.errors.EmptyDataError, ValueError) as error:
        message = str(error).strip().removeprefix("Error tokenizing data. C error: ")
        raise UsageError(f"{label}: {message}") from None
    if len(frame) == 0:
        raise UsageError(f"{label}: has a header and no rows")
    return frame[list(used)]


def _numbers(label: str, name: str, values: NDArray) -> NDArray[np.float64]:
    """A column as float64. Raises UsageError for the first value that is no finite number."""
    if values.dtype.kind not in "biuf":
        numbers = np.empty(len(values))
        for row, value in enumerate(values):
            if str(value).strip() in MISSING or not _is_number(value):
                raise UsageError(_not_a_number(label, name, row, value))
            numbers[row] = float(value)
        values = numbers
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values))[0])
        if np.isnan(values[row]):
            raise UsageError(_not_a_number(label, name, row, values[row]))
        raise UsageError(f"{label}: column {name!r}, row {row + 1}: {values[row]} is no finite number")
    return values


def _not_a_number(label: str, name: str, row: int, value: Any) -> str:
    where = f"{label}: column {name!r}, row {row + 1}"
    text = str(value).strip()
    if text in MISSING:
        return f"{where}: {_no_value(text)}; fill it in, or leave the row or the column out (--drop {name})"
    return (
        f"{where}: {str(value)!r} is no number; text is not encoded here: turn the column into numbers first, such as "
        f"with pandas.get_dummies, or leave it out (--drop {name})"
    )


def _no_value(text: str) -> str:
    return f"has no value ({text})" if text else "has no value"


def _check_targets(where: str, texts: Sequence[str]) -> None:
    """Raises UsageError for the first target that is missing."""
    for row, text in enumerate(texts):
        if text in MISSING:
            raise UsageError(f"{where}, row {row + 1}: {_no_value(text)}, expected a target")


def _target(label: str, name: str, values: NDArray) -> NDArray:
    """A column of texts as int64 where all are whole numbers, 1.0 too, else as float64 where all are numbers, else as
    texts."""
    texts = [str(value).strip() for value in values]
    _check_targets(f"{label}: column {name!r}", texts)
    try:
        whole = np.array([int(text) for text in texts])
        if whole.dtype == np.int64 and all(
            str(number) == text for number, text in zip(whole.tolist(), texts, strict=True)
        ):
            return whole
    except (ValueError, OverflowError):
        pass
    # 01 is a name: as a number it would not come back from a prediction.
    if all(map(_is_number, texts)) and not any(text.isdecimal() and len(text) > 1 and text[0] == "0" for text in texts):
        numbers = _numbers(label, name, np.array(texts, object))
        whole_floats = (numbers == np.rint(numbers)).all() and (np.abs(numbers) < _LARGEST_WHOLE).all()
        return numbers.astype(np.int64) if whole_floats else numbers
    return np.array(texts)


def _is_number_or_missing(field: str) -> bool:
    # A field without a name is one of a header, which pandas writes over an index.
    return _is_number(field) or (field.strip() != "" and field.strip() in MISSING)


def _is_number(value: Any) -> bool:
    if isinstance(value, str) and "_" in value:  # Python's own way to write numbers
        return False
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _read_npz(source: str, features: str, target: str | None) -> Table:
    try:
        with np.load(source, allow_pickle=False) as archive:
            arrays = {name: _array(source, archive, name) for name in (features, target) if name is not None}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        why = getattr(error, "strerror", None) or f"damaged, or no NPZ file: {error}"
        raise UsageError(f"{source}: cannot be read ({why})") from None
    x = arrays[features]
    if x.dtype.kind not in "biuf" or x.ndim < 2 or len(x) == 0 or x[0].size == 0:
        raise UsageError(
            f"{source}: array {features!r} has dtype {x.dtype} and shape {x.shape}, expected numbers of shape "
            "(n, features)"
        )
    x = x.reshape(len(x), -1)
    if not np.isfinite(x).all():
        row, column = map(int, np.argwhere(~np.isfinite(x))[0])
        raise UsageError(
            f"{source}: array {features!r}, row {row + 1}, column {column + 1}: {x[row, column]} is no finite number"
        )
    if target is None:
        return Table(source, (), x, (), None)
    return Table(source, (), x, (target,), _npz_target(source, target, arrays[target], len(x)))


def _array(source: str, archive: Any, name: str) -> NDArray:
    if name not in archive.files:
        option = f"has no array {name!r}, which --features or --target names"
        raise UsageError(f"{source}: {option}; it has {shown(archive.files) or 'none'}")
    return archive[name]


def _npz_target(source: str, name: str, t: NDArray, n: int) -> NDArray:
    if t.dtype.kind not in "biufU" or t.ndim not in (1, 2) or len(t) != n or t.size == 0:
        raise UsageError(
            f"{source}: array {name!r} has dtype {t.dtype} and shape {t.shape}, expected numbers or texts of shape "
            f"({n},), or numbers of shape ({n}, outputs)"
        )
    if t.ndim == 2 and t.shape[1] == 1:
        t = t[:, 0]
    if t.dtype.kind == "U" and t.ndim == 1:
        _check_targets(f"{source}: array {name!r}", t.tolist())
        return t
    if t.dtype.kind in "biu" and t.ndim == 1:
        return t.astype(np.int64)
    if t.dtype.kind == "U" or not np.isfinite(t).all():
        raise UsageError(f"{source}: array {name!r}: expected finite numbers")
    return t.astype(np.float64)
