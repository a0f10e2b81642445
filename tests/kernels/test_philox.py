"""Philox against the known answers of its authors, kernel and reference."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from fastnn.kernels.philox import philox
from fastnn.reference.dropout import philox as philox_reference

# From kat_vectors of Random123, the authors' library: counter, key, answer.
KNOWN = {
    "zeros": ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    "ones": ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    "digits of pi": (
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
        [0xA4093822, 0x299F31D0],
        [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    ),
}


@numba.njit
def _words(c, k):
    return philox((c[0], c[1], c[2], c[3]), (k[0], k[1]))


@pytest.mark.parametrize("case", KNOWN)
def test_known_answers(case: str) -> None:
    counter, key, answer = KNOWN[case]
    assert list(_words(np.array(counter, np.uint32), np.array(key, np.uint32))) == answer
    assert philox_reference(np.array([counter]), (key[0], key[1]))[0].tolist() == answer
