"""NumPy's public C struct of an array: where its fields lie, in bytes from where the object begins. They have kept
their places since its first version, on machines of 64 bits."""

from __future__ import annotations

TYPE = object.__basicsize__ - 8  # the type's `id`, the last field of every object's header
DATA = object.__basicsize__  # the address of the first element
DIMENSIONS = DATA + 8  # how many, int32
SHAPE = DATA + 16  # the address of the lengths, int64 each
DTYPE = DATA + 40  # the data type's `id`
FLAGS = DATA + 48  # int32

# The flags of aligned elements in C order, which may be read as they are.
READABLE = 0x0001 | 0x0100
