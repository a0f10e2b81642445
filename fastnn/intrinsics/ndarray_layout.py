"""Byte offsets of the fields in the C struct of a NumPy array (`PyArrayObject_fields`), on 64-bit machines.

The struct is part of NumPy's public C API, and these offsets have not changed since its first version.
"""

from __future__ import annotations

TYPE = object.__basicsize__ - 8  # the `id` of the object's type, the last field of its header
DATA = object.__basicsize__  # the address of the first element
DIMENSIONS = DATA + 8  # the number of dimensions, int32
SHAPE = DATA + 16  # the address of the shape, int64 each
DTYPE = DATA + 40  # the `id` of the data type
FLAGS = DATA + 48  # int32

# The flags of an array that kernels can read without a copy: C-contiguous and aligned.
READABLE = 0x0001 | 0x0100
