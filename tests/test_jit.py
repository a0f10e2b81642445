"""How kernels are compiled: once for the types of their arguments."""

from __future__ import annotations

import gc

from numba import types

from fastnn.jit import check_types, entry_point, kernel


@kernel
def multiplied(x, factor):
    return x * factor


def test_numbers_written_out_are_no_types_of_their_own() -> None:
    """What a calling kernel asks for when it is compiled."""
    for factor in (2, 3):
        multiplied.get_call_template((types.float64, types.literal(factor)), {})
    assert multiplied.signatures == [(types.float64, types.int64)]


def test_garbage_is_collected_as_before_once_nothing_compiles() -> None:
    before, seen = gc.get_threshold(), []

    @kernel
    def two(x):
        return x + 2

    check_types(two, lambda kinds: seen.append(gc.get_threshold()[0]))
    assert entry_point(two, (types.int64,))(1) == 3
    assert seen
    assert min(seen) > before[0]
    assert gc.get_threshold() == before
    gc.set_threshold(0)
    try:
        entry_point(two, (types.float64,))
        assert gc.get_threshold()[0] == 0
    finally:
        gc.set_threshold(*before)
