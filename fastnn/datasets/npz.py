"""Reader for arrays of unsigned bytes in a `.npz` archive, such as Keras' mnist.npz; it never loads a pickle.

Not `np.load`: that allocates whatever a header declares, before anything is checked.
"""

import os
import struct
import tokenize
import zipfile
import zlib
from typing import IO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from fastnn.datasets.content import check_content, read_elements
from fastnn.datasets.errors import DatasetError

_NAMES_SHOWN = 8
_NUMPY_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def read_npz(
    path: str | os.PathLike[str], key: str, *, shape: tuple[int, ...], highest: int = 255, sha256: str | None = None
) -> NDArray[np.uint8]:
    """Read one array of unsigned bytes from a `.npz` archive, compressed or not.

    Args:
        path: the archive.
        key: name of the array.
        shape: the shape that it must have.
        highest: the largest element allowed.
        sha256: hexadecimal SHA-256 that the array must have as an uncompressed IDX file; None skips the check.

    Returns:
        uint8 array, C-contiguous.

    Raises:
        DatasetError: the file cannot be read, is damaged or not such an archive, lacks the array, or the array fails
            one of the checks above. The message names the file, what was found and what was expected.
    """
    source = f"{os.fspath(path)} (array {key})"
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if f"{key}.npy" not in names:
                found = ", ".join(sorted(name.removesuffix(".npy") for name in names)[:_NAMES_SHOWN])
                raise DatasetError(f"{os.fspath(path)}: has no array {key}; found {found or 'none'}")
            if archive.getinfo(f"{key}.npy").compress_type not in _NUMPY_COMPRESSIONS:
                raise DatasetError(
                    f"{source}: compressed in a way that NumPy does not write, expected deflated or stored"
                )
            with archive.open(f"{key}.npy") as member:
                array = _read_array(member, source, shape)
    except DatasetError:
        raise
    # RuntimeError: encrypted, or of a version of the format that Python does not know.
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, RuntimeError) as error:
        raise DatasetError(f"{os.fspath(path)}: damaged, or not a .npz archive ({error})") from error
    except OSError as error:
        raise DatasetError(f"{os.fspath(path)}: cannot be read ({error.strerror or error})") from error
    check_content(array, source, highest=highest, sha256=sha256)
    return array


def _read_array(member: IO[bytes], source: str, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    try:
        version = npy.read_magic(member)
        if version != (1, 0):  # what NumPy writes for every header that is not huge
            raise ValueError(f"format version {version}, expected (1, 0)")
        declared, fortran_order, dtype = npy.read_array_header_1_0(member)
    # NumPy has Python's own parser read the header.
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError, tokenize.TokenError) as error:
        raise DatasetError(f"{source}: not an array in NumPy's format ({error})") from error
    if dtype != np.uint8:
        raise DatasetError(f"{source}: dtype {dtype}, expected uint8")
    if declared != shape:
        raise DatasetError(f"{source}: shape {declared}, expected {shape}")
    elements = np.frombuffer(read_elements(member, source, declared), np.uint8)
    return np.ascontiguousarray(elements.reshape(declared, order="F" if fortran_order else "C"))
