"""What a saved file is: an uncompressed npz archive with a header in JSON, and a digest of all its bytes.

`numpy.load` reads it: member `fastnn.json` is the header, the others are arrays in NumPy's format, little-endian. The
archive's comment, the last bytes of the file, is "fastnn sha256 " and the SHA-256, in hexadecimal, of all bytes before
these 64 digits. So it is in every format; the header's "format" is the number of this one. Nothing is pickled.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import tokenize
import zipfile
from collections.abc import Mapping
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from fastnn.saving.replacing import path_text

FORMAT = 1

_HEADER = "fastnn.json"
_MARK = b"fastnn sha256 "
_DIGITS = 2 * hashlib.sha256().digest_size
_CHUNK = 1 << 20
_DTYPES = (np.dtype("<f4"), np.dtype("<f8"))

# What a zip archive, JSON and NumPy's headers raise where they are wrong; NumPy has Python's own parser read those.
_WRONG = (
    zipfile.BadZipFile, ValueError, KeyError, TypeError, RuntimeError, NotImplementedError, EOFError, SyntaxError,
    MemoryError, OverflowError, tokenize.TokenError,
)  # fmt: skip


class FileError(ValueError):
    """A file that holds no net which this version of fastnn can read: damaged, not one of fastnn's, of a newer format,
    or with an activation, a loss or an optimizer that is not declared."""


def write(file: IO[bytes], header: Mapping[str, Any], arrays: Mapping[str, NDArray]) -> None:
    """Write a header of what JSON has, without NaN and infinity, and arrays of floats by their names."""
    with zipfile.ZipFile(file, "w") as archive:
        # The same net is the same bytes: members have no time of their own.
        text = json.dumps({"format": FORMAT, **header}, indent=1, allow_nan=False)
        archive.writestr(zipfile.ZipInfo(_HEADER), text)
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                little = array.astype(array.dtype.newbyteorder("<"), copy=False)
                npy.write_array(member, little, version=(1, 0), allow_pickle=False)
        archive.comment = _MARK + b"0" * _DIGITS
    digest = _digest(file)
    file.seek(-_DIGITS, os.SEEK_END)
    file.write(digest)


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, NDArray]]:
    """The header and the arrays of a file.

    Raises FileError if it is not whole, not one of fastnn's, or newer than this version; OSError where it cannot be
    read.
    """
    shown = path_text(path)
    with open(shown, "rb") as file:
        _check_digest(file, shown)
        try:
            with zipfile.ZipFile(file) as archive:
                header = json.loads(_content(archive, _HEADER))
                made = header["format"]
                if type(made) is not int or made < 1:
                    raise ValueError(f"format {made!r}")
                if made > FORMAT:
                    raise FileError(
                        f"{shown}: has format {made}, of fastnn {header.get('fastnn', 'of later')}, expected at most "
                        f"{FORMAT}; update fastnn to read it"
                    )
                names = [name.removesuffix(".npy") for name in archive.namelist() if name != _HEADER]
                arrays = {name: _array(_content(archive, f"{name}.npy")) for name in names}
        except FileError:
            raise
        except _WRONG as error:
            raise FileError(f"{shown}: not a file that fastnn saved ({type(error).__name__}: {error})") from error
    return header, arrays


def _digest(file: IO[bytes]) -> bytes:
    """The hexadecimal SHA-256 of all bytes but the last ones, which say it."""
    left = file.seek(0, os.SEEK_END) - _DIGITS
    file.seek(0)
    digest = hashlib.sha256()
    while left > 0 and (chunk := file.read(min(left, _CHUNK))):
        digest.update(chunk)
        left -= len(chunk)
    return digest.hexdigest().encode()


def _check_digest(file: IO[bytes], shown: str) -> None:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - len(_MARK) - _DIGITS))
    end = file.read()
    if not end.startswith(_MARK):
        raise FileError(
            f"{shown}: not a file that fastnn saved, or its end is missing: got {size} bytes that do not end with "
            f"{_MARK.decode()!r} and a digest"
        )
    if _digest(file) != end.removeprefix(_MARK):
        raise FileError(f"{shown}: damaged: its SHA-256 is not the one that it was saved with")


def _content(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"member {name} is compressed")
    return archive.read(name)


def _array(content: bytes) -> NDArray:
    # Not npy.read_array: that allocates what a header declares before anything is checked.
    stream = io.BytesIO(content)
    if npy.read_magic(stream) != (1, 0):
        raise ValueError("an array of another version than 1.0")
    shape, in_columns, dtype = npy.read_array_header_1_0(stream)
    left = len(content) - stream.tell()
    if dtype not in _DTYPES or in_columns or math.prod(shape) * dtype.itemsize != left or min(shape, default=0) < 0:
        raise ValueError(f"an array of dtype {dtype}, shape {shape} and {left} bytes")
    array = np.frombuffer(content, dtype, offset=stream.tell()).reshape(shape)
    return array.astype(dtype.newbyteorder("="), copy=False)
