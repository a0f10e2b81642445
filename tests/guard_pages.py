"""Arrays at the very end, or start, of memory that may be accessed: whoever reads or writes beyond crashes at once."""

from __future__ import annotations

import ctypes
import mmap
import sys

import numpy as np
from numpy.typing import NDArray

# System calls of POSIX; what PROT_NONE is, Python's mmap knows not.
AVAILABLE = sys.platform in ("linux", "darwin")
_NO_ACCESS = 0


def between_guards(array: NDArray, at_end: bool) -> NDArray:
    """A copy that ends where its last page ends, or begins where its first one begins; the pages beside are closed."""
    page = mmap.PAGESIZE
    inside = page * max(1, -(-array.nbytes // page))
    memory = mmap.mmap(-1, inside + 2 * page)
    first = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for address in (first, first + page + inside):
        _protect(address, page, _NO_ACCESS)
    offset = page + (inside - array.nbytes if at_end else 0)
    copy = np.frombuffer(memory, array.dtype, array.size, offset).reshape(array.shape)
    copy[...] = array
    return copy


def _protect(address: int, size: int, access: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mprotect.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    if libc.mprotect(address, size, access) != 0:
        raise OSError(ctypes.get_errno(), "mprotect")
