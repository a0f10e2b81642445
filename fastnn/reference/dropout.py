"""Dropout without a stored mask: each factor follows from a key and the position of its element."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
_WEYL = 0x9E3779B9, 0xBB67AE85
_WORD = 0xFFFFFFFF
_ROUNDS = 10


def philox(counter: NDArray, key: tuple[int, int]) -> NDArray:
    """Philox4x32-10 (Salmon et al., 2011): counters (..., 4) of 32-bit words to as many random words, all uint64."""
    c0, c1, c2, c3 = np.moveaxis(counter.astype(np.uint64), -1, 0)
    word, half = np.uint64(_WORD), np.uint64(32)
    for r in range(_ROUNDS):
        first, second = c0 * np.uint64(_MULTIPLIERS[0]), c2 * np.uint64(_MULTIPLIERS[1])
        k0, k1 = (np.uint64((k + r * w) & _WORD) for k, w in zip(key, _WEYL, strict=True))
        c0, c1, c2, c3 = (second >> half) ^ c1 ^ k0, second & word, (first >> half) ^ c3 ^ k1, first & word
    return np.stack([c0, c1, c2, c3], axis=-1)


def dropout_factors(key: int, step: int, stream: int, shape: tuple[int, int], rate: float) -> NDArray:
    """What the rows and columns of `shape` are multiplied by: 0 with the probability `rate`, else 1 / (1 - rate).

    key : 64 bits, of the net. step : the number of the net's step, from 0. stream : 0 for the input of the net, k for
    its k-th hidden layer. In columns 64 b to 64 b + 63 the word w of the counter (16 b + l, row, stream, step) decides
    on column 64 b + 16 w + l.
    """
    if rate == 0:
        return np.ones(shape)
    rows, columns = shape
    blocks = -(-columns // 64)
    counter = np.zeros((rows, 16 * blocks, 4), np.uint64)
    counter[..., 0], counter[..., 1] = np.arange(16 * blocks), np.arange(rows)[:, None]
    counter[..., 2], counter[..., 3] = stream, step & _WORD
    words = philox(counter, (key & _WORD, key >> 32)).reshape(rows, blocks, 16, 4)
    kept = words.swapaxes(2, 3).reshape(rows, 64 * blocks)[:, :columns] >= int(rate * 2**32)
    return np.where(kept, 1 / (1 - rate), 0)
