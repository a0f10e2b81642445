"""How kernels are compiled: once for the types of their arguments."""

from __future__ import annotations

from numba import types

from fastnn.jit import kernel


@kernel
def multiplied(x, factor):
    return x * factor


def test_numbers_written_out_are_no_types_of_their_own() -> None:
    """What a calling kernel asks for when it is compiled."""
    for factor in (2, 3):
        multiplied.get_call_template((types.float64, types.literal(factor)), {})
    assert multiplied.signatures == [(types.float64, types.int64)]
