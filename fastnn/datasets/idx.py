"""Reader for IDX files of unsigned bytes, plain or gzip-compressed, that believes nothing it has not checked.

The format: two zero bytes, an element-type byte, the number of dimensions, one big-endian 32-bit size per dimension,
then the elements in C order and nothing else.
"""

import gzip
import os
import zlib
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from fastnn.datasets.content import check_content, read_elements
from fastnn.datasets.errors import DatasetError

_GZIP_MAGIC = b"\x1f\x8b"
_UNSIGNED_BYTE = 0x08
_MAX_DIMENSIONS = 8


def read_idx(
    path: str | os.PathLike[str],
    *,
    shape: tuple[int, ...] | None = None,
    highest: int = 255,
    sha256: str | None = None,
) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes.

    Args:
        path: the file; whether it is compressed is told by its first bytes, not by its name.
        shape: the shape that the header must declare; None takes any shape of 1 to 8 non-empty dimensions.
        highest: the largest element allowed.
        sha256: hexadecimal SHA-256 that the uncompressed file must have; None skips the check.

    Returns:
        uint8 array of the declared shape, C-contiguous and read-only.

    Raises:
        DatasetError: the file cannot be read, is not such an IDX file, is truncated, has trailing bytes, or fails one
            of the checks above. The message names the file, what was found and what was expected. Memory use is
            bounded by what the file really holds, whatever its header declares.
    """
    try:
        with open(path, "rb") as file:
            compressed = file.read(2) == _GZIP_MAGIC
            file.seek(0)
            if not compressed:
                return _read_stream(file, path, shape, highest, sha256)
            with gzip.GzipFile(fileobj=file) as stream:
                return _read_stream(stream, path, shape, highest, sha256)
    except DatasetError:
        raise
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DatasetError(f"{path}: damaged gzip data ({error})") from error
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror or error})") from error


def _read_stream(
    stream: BinaryIO | gzip.GzipFile,
    path: str | os.PathLike[str],
    shape: tuple[int, ...] | None,
    highest: int,
    sha256: str | None,
) -> NDArray[np.uint8]:
    declared = _read_header(stream, path)
    if shape is not None and declared != shape:
        raise DatasetError(f"{path}: header declares shape {declared}, expected {shape}")
    array = np.frombuffer(read_elements(stream, path, declared), np.uint8).reshape(declared)
    check_content(array, path, highest=highest, sha256=sha256)
    return array


def _read_header(stream: BinaryIO | gzip.GzipFile, path: str | os.PathLike[str]) -> tuple[int, ...]:
    magic = stream.read(4)
    if len(magic) < 4:
        raise DatasetError(f"{path}: {len(magic)} bytes long, too short for the 4-byte magic number of an IDX file")
    if magic[:2] != b"\0\0":
        raise DatasetError(f"{path}: not an IDX file: starts with bytes {magic.hex(' ')}, expected 00 00 08")
    if magic[2] != _UNSIGNED_BYTE:
        raise DatasetError(f"{path}: IDX element type is 0x{magic[2]:02x}, expected 0x08 (unsigned byte)")
    dimensions = magic[3]
    if not 1 <= dimensions <= _MAX_DIMENSIONS:
        raise DatasetError(f"{path}: header declares {dimensions} dimensions, expected 1 to {_MAX_DIMENSIONS}")
    sizes = stream.read(4 * dimensions)
    if len(sizes) < 4 * dimensions:
        raise DatasetError(
            f"{path}: truncated: ends {4 + len(sizes)} bytes into its header of {4 + 4 * dimensions} bytes"
        )
    declared = tuple(int.from_bytes(sizes[at : at + 4], "big") for at in range(0, len(sizes), 4))
    if 0 in declared:
        raise DatasetError(f"{path}: header declares an empty array of shape {declared}")
    return declared
