"""The on-disk cache of compiled kernels: one file per kernel, types, CPU and settings.

Numba's own cache is not used. It writes an index and data files apart, so two processes can mix them up; it raises on
files that are cut off, cannot be read without write access, and keys a kernel on its own source file alone.
A bad cache costs time and one warning, never an error or a wrong number.
"""

from fastnn.kernel_cache.folder import kernel_directory
from fastnn.kernel_cache.numba_cache import keep_on_disk

__all__ = ["keep_on_disk", "kernel_directory"]
