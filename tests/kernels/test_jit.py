"""How kernels are compiled: once for the types of their arguments."""

from __future__ import annotations

import numpy as np

from fastnn.kernels.jit import kernel


@kernel
def multiplied(x, factor):
    return x[0] * factor


@kernel
def several(x, factor):
    return multiplied(x, 2) + multiplied(x, 3) + multiplied(x, factor)


def test_numbers_written_out_are_no_types_of_their_own() -> None:
    assert several(np.array([10.0]), 4) == 90
    assert len(multiplied.signatures) == 1
