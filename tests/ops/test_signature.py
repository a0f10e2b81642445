"""Shapes in NumPy's notation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastnn.ops.signature import Signature

names = st.text("abcdexyz_", min_size=1, max_size=4)
cores = st.lists(names, max_size=3).map(tuple)
sides = st.lists(cores, min_size=1, max_size=4).map(tuple)


@given(sides, sides)
def test_what_is_written_reads_back(inputs, outputs) -> None:
    signature = Signature(inputs, outputs)
    assert Signature.parse(str(signature)) == signature
    assert Signature.parse(str(signature).replace(",", " , ")) == signature


def test_dimensions_in_order_of_appearance() -> None:
    assert Signature.parse("(n,i),(i,o),(o)->(n,o)").dimensions == ("n", "i", "o")


@pytest.mark.parametrize("text", ["", "(n)", "(n)->", "->(n)", "n->n", "(n,)->(n)", "(n)->(n)x", "(n m)->(n)"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="signature: got"):
        Signature.parse(text)
