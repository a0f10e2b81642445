"""What the readers of image sets share: elements from a stream, and the checks of an array's content."""

import gzip
import hashlib
import os
from math import prod
from typing import IO

import numpy as np
from numpy.typing import NDArray

from fastnn.datasets.errors import DatasetError

_CHUNK_BYTES = 1 << 20


def read_elements(
    stream: IO[bytes] | gzip.GzipFile, source: str | os.PathLike[str], declared: tuple[int, ...]
) -> bytes:
    """The rest of the stream: one byte for each element of the declared shape, no less and no more.

    Args:
        stream: at its first element.
        source: what the message calls it.
        declared: the shape that the header of the stream declares.

    Raises:
        DatasetError: the stream is shorter or longer.
    """
    expected = prod(declared)
    chunks: list[bytes] = []
    length = 0
    # One byte more than declared is asked for: it shows trailing bytes, and makes gzip and zip check their checksums.
    # In chunks, because read(expected) would allocate what a lying header declares.
    while length <= expected and (chunk := stream.read(min(_CHUNK_BYTES, expected + 1 - length))):
        chunks.append(chunk)
        length += len(chunk)
    if length < expected:
        raise DatasetError(f"{source}: truncated: {length} bytes of elements, header declares {declared} = {expected}")
    if length > expected:
        raise DatasetError(f"{source}: trailing bytes after the {expected} elements of the declared shape {declared}")
    return b"".join(chunks)


def check_content(
    array: NDArray[np.uint8], source: str | os.PathLike[str], *, highest: int = 255, sha256: str | None = None
) -> None:
    """Check the range of the elements, and the checksum of the array.

    Args:
        array: any shape, C-contiguous.
        source: what the message calls it.
        highest: the largest element allowed.
        sha256: hexadecimal SHA-256 of the array as an uncompressed IDX file; None skips the check.

    Raises:
        DatasetError: a check fails.
    """
    if highest < 255 and array.max() > highest:
        where = int(np.argmax(array.ravel() > highest))
        raise DatasetError(f"{source}: element {where} is {array.ravel()[where]}, expected values from 0 to {highest}")
    if sha256 is not None:
        # The header of an IDX file of unsigned bytes follows from the shape.
        digest = hashlib.sha256(bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes())
        digest.update(array.data)
        if digest.hexdigest() != sha256:
            raise DatasetError(
                f"{source}: not the file it should be (another data set under the same name, or altered): "
                f"SHA-256 of its content as an IDX file is {digest.hexdigest()}, expected {sha256}"
            )
