"""Philox4x32-10, a counter-based generator: random words that depend on a key and a counter alone.

So they can be computed again, in any order and on any number of threads, and none need be stored. Source: Salmon,
Moraes, Dror and Shaw, Parallel random numbers: as easy as 1, 2, 3 (2011).
"""

from __future__ import annotations

import numpy as np

from fastnn.jit import force_inline

ROUNDS = 10

_MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL = np.uint32(0x9E3779B9), np.uint32(0xBB67AE85)
_HALF = np.uint64(32)


# Numba widens every result to 64 bits, so that each is cut to 32 bits again.
@force_inline
def philox(counter, key):
    """Four random words of 32 bits for a counter of four such words and a key of two."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(ROUNDS):
        first, second = np.uint64(c0) * _MULTIPLIERS[0], np.uint64(c2) * _MULTIPLIERS[1]
        c0, c2 = np.uint32(np.uint32(second >> _HALF) ^ c1 ^ k0), np.uint32(np.uint32(first >> _HALF) ^ c3 ^ k1)
        c1, c3 = np.uint32(second), np.uint32(first)
        k0, k1 = np.uint32(k0 + _WEYL[0]), np.uint32(k1 + _WEYL[1])
    return c0, c1, c2, c3
