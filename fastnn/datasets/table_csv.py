"""Reader for a table that the user has as CSV, which must be the one that ships with the package."""

import csv
import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fastnn.datasets.errors import DatasetError


def read_table(
    path: str | os.PathLike[str], columns: Sequence[str], expected: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Read a comma-separated file, with or without a header line, that holds the expected table.

    Args:
        path: the file; UTF-8, with or without a byte order mark. Blank lines are left out.
        columns: what messages call the columns; a header line in the file may use other words.
        expected: the values that the table must have, shape (n, len(columns)).

    Returns:
        The table, shape (n, len(columns)).

    Raises:
        DatasetError: the file cannot be read, is no such text, or differs from the table in its number of columns or
            rows or in a value. The message names the file, the line, what was found and what was expected.
    """
    source = os.fspath(path)
    rows: list[NDArray[np.float32]] = []
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file, skipinitialspace=True)
            first = True
            for fields in lines:
                if not "".join(fields).strip() and len(fields) <= 1:
                    continue
                where = f"{source}: line {lines.line_num}"
                if len(fields) != len(columns):
                    raise DatasetError(f"{where}: {len(fields)} columns, expected {len(columns)}: {', '.join(columns)}")
                is_header = first and not any(map(_is_number, fields))
                first = False
                if is_header:
                    continue
                if len(rows) == len(expected):
                    raise DatasetError(f"{source}: more than {len(expected)} rows, expected {len(expected)}")
                rows.append(_row(fields, where, columns, expected[len(rows)]))
    except DatasetError:
        raise
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{source}: not comma-separated text in UTF-8 ({error})") from error
    except OSError as error:
        raise DatasetError(f"{source}: cannot be read ({error.strerror or error})") from error
    if len(rows) < len(expected):
        raise DatasetError(f"{source}: {len(rows)} rows, expected {len(expected)}")
    return np.array(rows)


def _row(fields: list[str], where: str, columns: Sequence[str], expected: NDArray[np.float32]) -> NDArray[np.float32]:
    for column, field in zip(columns, fields, strict=True):
        if not _is_number(field):
            raise DatasetError(f"{where}: {column} is {field!r}, expected a number")
    with np.errstate(over="ignore"):  # infinity is no value of the table either
        row = np.array([float(field) for field in fields], np.float32)
    for column, field, found, value in zip(columns, fields, row, expected, strict=True):
        if found != value:
            raise DatasetError(
                f"{where}: {column} is {field}, expected {value:g}: not the table it should be "
                "(another one under the same name, or altered)"
            )
    return row


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True
