"""How every kernel is compiled: the safe fast-math flags, no GIL, and the on-disk cache."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numba

from fastnn.kernels.cache import SourceKeyedCache

# Sums may be reordered and products fused, so that loops vectorise; NaN and infinity keep their meaning.
SAFE_FASTMATH = {"contract", "reassoc", "arcp", "nsz"}

# Vector math depends on the order of its operations; fusing a product and a sum only adds precision.
EXACT_ORDER = {"contract"}


def kernel(function: Callable) -> numba.core.dispatcher.Dispatcher:
    """Compile `function` on its first call with given types; later processes load it from disk.

    A directory that cannot be written costs the cache and a RuntimeWarning, nothing else.
    """
    dispatcher = numba.njit(fastmath=SAFE_FASTMATH, error_model="numpy", nogil=True)(function)
    try:
        dispatcher._cache = SourceKeyedCache(function)
    except RuntimeError:
        warnings.warn("fastnn cannot write its cache directory and compiles anew in every process; "
                      "set FASTNN_CACHE_DIR to a directory that can be written", RuntimeWarning, stacklevel=3)
    return dispatcher
